"""The abstraction that a lint proves on, held against the real machines: random walks of one model under every pack.

Each step that the machines take has to be a step of the abstract graphs, or to leave them as they are, and the verdict
there has to be the gate's (docs/decisions/0047).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import names, owed
from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain
from interlock.statemachine.machines.determination import presented_state
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment
from interlock.statemachine.policy import load_pack, shipped_pack_names
from interlock.statemachine.policy.lint.components import TIME, is_enough
from interlock.statemachine.policy.lint.product import Judge, Product, products
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Refused
from tests.support.world import DAY_US, World, cast_of, sha256_of
from tests.unit.policy.packs import SKETCH, WIDE, files, shipped

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from interlock.statemachine.policy.lint.components import Component
    from interlock.statemachine.policy.model import Policy, Safeguard
    from interlock.statemachine.state import State

MODEL = "models/m"
ARTIFACT = sha256_of("weights")
PACKS = {
    "sketch": files(SKETCH),
    "wide": files(WIDE),
    "dutiful": files(SKETCH.replace("blocking: false", "blocking: true")),
    **{name: shipped(name) for name in shipped_pack_names()},
}
STEPS = 1200


@dataclass(slots=True)
class Walk:
    """One model under one pack, and the products of all its contexts."""

    policy: Policy
    state: State
    now: int
    products: list[tuple[Product, Judge, bytearray, list[frozenset[tuple[int, str, int]]]]]

    @classmethod
    def start(cls, pack: dict[str, bytes]) -> Walk:
        """Found a log with one registered model."""
        policy = load_pack(pack)
        world = World.found(pack, cast_of(policy))
        made = []
        for context in policy.contexts:
            for item in products(policy, context):
                judge = Judge.of(item)
                made.append((item, judge, judge.verdicts(), [frozenset(graph.edges) for graph in item.graphs]))
        walk = cls(policy, world.state, world.now, made)
        assert walk.fire(f.ModelRegister(MODEL, (ARTIFACT,)))
        return walk

    def fire(self, firing: f.Firing) -> bool:
        """Fire a trigger; say whether the machines took it."""
        self.now += 1
        step = fire(Moment(self.policy, self.now, "principals/someone"), self.state, firing)
        if isinstance(step, Refused):
            return False
        self.state = step.state.after_entry(self.now)
        return True

    def abstract(self) -> list[tuple[int, ...]]:
        """Return what the present state is in each product."""
        return [
            tuple(graph.states.index(state) for graph, state in zip(item.graphs, self._states(item), strict=True))
            for item, *_ in self.products
        ]

    def _states(self, item: Product) -> Iterator[Hashable]:
        first = len(item.thresholds)
        for some, graph in zip(item.thresholds, item.graphs, strict=False):
            states = [presented_state(self.state.determination(MODEL, t.id), self.now) for t in some]
            yield states[0] if _is_whole(graph) else (any(map(_bites, states)), all(map(_holds, states)))
        for equal, graph in zip(item.safeguards, item.graphs[first:], strict=False):
            whole = [self._safeguard(spec, item.context.id) for spec in equal]
            yield whole[0] if _is_whole(graph) else all(map(is_enough, whole))
        for standard in item.standards:
            yield self.state.level(MODEL, standard.id).assigned or ""
        if item.rest:
            yield self.state.need(MODEL, r.Model).state
            yield bool(self.state.holds_on(MODEL))
        if len(item.rest) > 2:
            yield "overdue" if self._overdue() else "in time"

    def _overdue(self) -> bool:
        names_of_duties = [f"obligations/{spec.id}" for spec in self.policy.obligations.values() if spec.blocking]
        periods = [period for name in names_of_duties for period in owed.unfulfilled(self.state, name, self.now)]
        ends = [owed.overdue_from(self.state, period) for period in periods]
        return any(end is not None and end <= self.now for end in ends)

    def _safeguard(self, spec: Safeguard, context: str) -> tuple[str, bool, bool]:
        known = self.state.safeguard(names.safeguard_name(MODEL, spec.id, shared=spec.shared))
        attested = known.attested_until is not None and self.now < known.attested_until
        measured = any(m.holds_at(self.now) for m in self.state.measures_for(MODEL, context, spec.id))
        return known.state, attested, measured


def _is_whole(graph: Component) -> bool:
    return graph.size > 4


def _bites(state: str) -> bool:
    return state.startswith(("cannot_rule_out", "reached"))


def _holds(state: str) -> bool:
    return state.endswith("/confirmed")


def _firings(walk: Walk, random: Random) -> f.Firing | None:
    """Return something that may happen; None lets time pass."""
    policy = walk.policy
    kind = random.randrange(10)
    if kind <= 2 and policy.thresholds:
        untracked = [t for t in policy.thresholds.values() if not t.tracked]
        name = f"{MODEL}/determinations/{random.choice(untracked).id}"
        conclusion = random.choice(("ruled_out", "ruled_out", "cannot_rule_out", "reached"))
        return random.choice(
            (f.DeterminationReport(name, conclusion), f.DeterminationConfirm(name), f.DeterminationRuleOut(name))
        )
    if kind == 3:
        name, to = f"{MODEL}/levels/{random.choice(list(policy.standards))}", random.choice(policy.levels).id
        return random.choice(
            (f.LevelAssign(name, to), f.LevelRaise(name, to), f.LevelLower(name, to), f.LevelConfirm(name))
        )
    if kind == 4:
        holds = [hold for hold in walk.state.all_of(r.Hold) if hold.state == "placed"]
        return f.HoldLift(holds[0].name) if holds else f.HoldPlace(random.choice((MODEL, EVERYTHING)))
    if kind == 5:
        return _measure(walk, random)
    if kind == 7 and random.random() < 0.5 and (duty := _duty(walk, random)) is not None:
        return duty
    if kind == 6 and random.random() < 0.3:
        return None
    return _safeguard_firing(walk, random)


def _duty(walk: Walk, random: Random) -> f.Firing | None:
    """Return a fulfilment or a waiver of the oldest period that is owed."""
    for spec in walk.policy.obligations.values():
        for period in owed.unfulfilled(walk.state, f"obligations/{spec.id}", walk.now):
            report = "evidence/999"
            walk.state = walk.state.put(_document(report, spec.fulfilled_by.kind, walk.now))
            if random.random() < 0.7:
                return f.ObligationFulfil(period, (report,))
            return f.ObligationWaive(period, walk.now + 20 * DAY_US)
    return None


def _measure(walk: Walk, random: Random) -> f.Firing:
    measures = [m for m in walk.state.all_of(r.InterimMeasure) if m.state == "in_force"]
    if measures and random.random() < 0.6:
        return f.InterimMeasureEnd(measures[0].name)
    safeguard, context = random.choice(list(walk.policy.safeguards)), random.choice(walk.policy.contexts).id
    return f.InterimMeasurePutInForce(MODEL, (safeguard,), (context,), walk.now + 40 * DAY_US)


def _safeguard_firing(walk: Walk, random: Random) -> f.Firing:
    name, evidence = _documented(walk, random.choice(list(walk.policy.safeguards.values())))
    triggers = (
        f.SafeguardStart(name), f.SafeguardVerify(name, evidence), f.SafeguardActivate(name),
        f.SafeguardReattest(name, evidence), f.SafeguardDegrade(name), f.SafeguardRestore(name),
        f.SafeguardSuspend(name), f.SafeguardResume(name), f.SafeguardRetire(name), f.SafeguardReplan(name),
    )  # fmt: skip
    return random.choices(triggers, weights=(6, 6, 6, 2, 1, 3, 1, 3, 1, 1))[0]


def _documented(walk: Walk, spec: Safeguard) -> tuple[str, tuple[str, ...]]:
    """Put fresh documents there that verify a safeguard; return its name and theirs."""
    first = 10 * list(walk.policy.safeguards).index(spec.id) + 1
    evidence = tuple(f"evidence/{number}" for number, _ in enumerate(spec.verify_with, start=first))
    for document, need in zip(evidence, spec.verify_with, strict=True):
        walk.state = walk.state.put(_document(document, need.kind, walk.now))
    return names.safeguard_name(MODEL, spec.id, shared=spec.shared), evidence


def _document(name: str, kind: str, now: int) -> r.Evidence:
    return r.Evidence(
        name=name, kind=kind, title_digest=b"", media_type="text/plain", sha256=sha256_of(f"{name} {now}"), size=1,
        uploader="principals/engineer", authors=(), made_at=now, valid_until=0, classification="internal", redacts="",
        effective_compute="", recorded_at=now, first_upload=now,
    )  # fmt: skip


def _all_the_way_up(walk: Walk) -> Iterator[f.Firing]:
    """Yield what brings a model from nothing to where every context allows it."""
    policy = walk.policy
    top = [level.id for level in policy.levels if not level.stub][-1]
    for threshold in policy.thresholds.values():
        if not threshold.tracked:
            yield f.DeterminationRuleOut(f"{MODEL}/determinations/{threshold.id}")
    for standard in policy.standards:
        yield f.LevelAssign(f"{MODEL}/levels/{standard}", top)
    for spec in policy.safeguards.values():
        name, evidence = _documented(walk, spec)
        yield f.SafeguardStart(name)
        yield f.SafeguardVerify(name, evidence)
        yield f.SafeguardActivate(name)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pack", PACKS)
def test_every_real_step_is_an_abstract_one_and_every_verdict_the_same(pack: str, seed: int) -> None:
    """The two halves of soundness: nothing happens that the graphs leave out, and they read what the gate reads."""
    walk, random = Walk.start(PACKS[pack]), Random(f"{pack} {seed}")
    before, allowed = walk.abstract(), 0

    for firing in chain(_all_the_way_up(walk), (_firings(walk, random) for _ in range(STEPS))):
        if firing is None:
            trigger, walk.now = TIME, walk.now + random.choice((10, 60, 200)) * DAY_US
        else:
            trigger = firing.trigger.value
            walk.fire(firing)
        after = walk.abstract()
        _check_steps(walk, before, after, trigger)
        allowed += _check_verdicts(walk, after)
        before = after

    assert allowed


def _check_steps(walk: Walk, before: list[tuple[int, ...]], after: list[tuple[int, ...]], trigger: str) -> None:
    """Each graph stays, or takes an edge of that trigger; time moves many at once, each by edges of its own."""
    for (item, _, _, edges), old, new in zip(walk.products, before, after, strict=True):
        for graph, known, source, target in zip(item.graphs, edges, old, new, strict=True):
            if source == target:
                continue
            if trigger == TIME:
                assert _by_time(known, source, target), (graph.name, graph.states[source], graph.states[target])
            else:
                assert (source, trigger, target) in known, (trigger, graph.states[source], graph.states[target])


def _by_time(edges: frozenset[tuple[int, str, int]], source: int, target: int) -> bool:
    reached, waiting = {source}, [source]
    for here in waiting:
        more = {there for start, trigger, there in edges if start == here and trigger == TIME} - reached
        reached |= more
        waiting += more
    return target in reached


def _check_verdicts(walk: Walk, states: list[tuple[int, ...]]) -> int:
    """Compare each context's verdict with the gate's; return how many allow."""
    said: dict[str, bool] = {}
    for (item, _, verdicts, _), state in zip(walk.products, states, strict=True):
        index = 0
        for graph, at in zip(item.graphs, state, strict=True):
            index = index * graph.size + at
        said[item.context.id] = said.get(item.context.id, True) and bool(verdicts[index])
    for context, verdict in said.items():
        assert verdict is explain(walk.policy, walk.state, MODEL, context, ARTIFACT, walk.now).allowed
    return sum(said.values())


def test_the_walks_go_everywhere_in_the_sketch() -> None:
    """A long walk of the sketch takes most edges of its graphs, so that the comparison means something."""
    taken: set[tuple[int, int, str, int]] = set()
    walk, random = Walk.start(PACKS["sketch"]), Random(1)
    before = walk.abstract()
    for _ in range(6 * STEPS):
        firing = _firings(walk, random)
        if firing is None:
            walk.now += 60 * DAY_US
        else:
            walk.fire(firing)
        after = walk.abstract()
        trigger = TIME if firing is None else firing.trigger.value
        for number, (old, new) in enumerate(zip(before[-1], after[-1], strict=True)):
            taken.add((number, old, trigger, new))
        before = after

    item = walk.products[-1][0]
    edges = {(number, *edge) for number, graph in enumerate(item.graphs) for edge in graph.edges}
    fired_here = {edge for edge in edges if not edge[2].startswith("model.")}

    assert len(fired_here & taken) > 0.5 * len(fired_here)
