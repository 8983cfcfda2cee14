"""What is explored: the product of the ``minimal`` pack, and beside it what grows (compute, weights), measures.

States count as one when their keys are equal. A key keeps all that a verdict or an edge can depend on:

- the states of the machines, with holds capped at one on the model and one on everything;
- time only as "before or after each end" and as the order of the ends ahead, for a step compares instants and nothing
  else. A new end is always the last one: both kinds of end are the same span from now;
- of evidence only whether it is fresh; what was verified on a document that has aged can be verified again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.compliance import live_deployments
from interlock.statemachine.machines.determination import presented_state
from interlock.statemachine.owed import overdue_from, period_of
from interlock.statemachine.state import EVERYTHING, State
from tests.exhaustive.explore import FILTER, LEVEL, MISUSE, MODEL, OWED, REVIEWS, Node, Slice, ends_of
from tests.support.oracle import Oracle
from tests.support.world import DAY_US, SKETCH, World, sha256_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

FIRST: Final = sha256_of("first weights")
LATER: Final = sha256_of("later weights")
_FRESH_US: Final = 90 * DAY_US
_RUNS: Final = {"evidence/2": "1e25", "evidence/3": "4e25"}
"""Two training runs, the second exactly as much greater as the pack allows no more."""

LAB: Final = b"{id: lab, artifact: required, unguarded: true, thresholds: []}"
"""A context that asks for an artifact and needs nothing determined: there a later artifact loosens at once."""


def _start(pack: bytes) -> Node:
    world = World.found({"policy.yaml": pack})
    oracle = Oracle.of(pack)
    oracle.begin(world.state.need(world.policy.name, r.PolicyVersion).adopted_at)
    return Node(world.state, world.now, oracle)


def _determination_steps() -> Iterator[f.Firing]:
    for conclusion in ("ruled_out", "cannot_rule_out", "reached"):
        yield f.DeterminationReport(MISUSE, conclusion)
    yield f.DeterminationConfirm(MISUSE)
    yield f.DeterminationRuleOut(MISUSE)


def _level_steps() -> Iterator[f.Firing]:
    for level in ("basic", "guarded"):
        yield f.LevelAssign(LEVEL, level)
        yield f.LevelRaise(LEVEL, level)
        yield f.LevelLower(LEVEL, level)
    yield f.LevelConfirm(LEVEL)


def _safeguard_steps() -> Iterator[f.Firing]:
    yield f.SafeguardStart(FILTER)
    yield f.SafeguardVerify(FILTER, ("evidence/1",))
    yield f.SafeguardActivate(FILTER)
    yield f.SafeguardReattest(FILTER, ("evidence/1",))
    yield f.SafeguardDegrade(FILTER)
    yield f.SafeguardRestore(FILTER)
    yield f.SafeguardSuspend(FILTER)
    yield f.SafeguardResume(FILTER)
    yield f.SafeguardRetire(FILTER)
    yield f.SafeguardReplan(FILTER)


# The product: a model, its determination, level, safeguard and holds --------------------------------------------------


def product() -> Slice:
    """Return the whole product of the ``minimal`` pack for one model."""
    start = _start(SKETCH.read_bytes())
    questions = (("internal", ""), ("api", FIRST))
    return Slice(World.found().policy, start, _product_steps, _product_key, questions)


def _product_steps(node: Node) -> Iterator[f.Firing]:
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.ModelRetire(MODEL)
    yield from _determination_steps()
    yield from _level_steps()
    yield from _safeguard_steps()
    for target in (MODEL, EVERYTHING):
        placed = tuple(node.state.holds_placed.get(target, {}).values())
        yield f.HoldLift(placed[0]) if placed else f.HoldPlace(target)


def _product_key(node: Node) -> Hashable:
    state, now = node.state, node.now
    model = state.find(MODEL, r.Model)
    known, filter_ = state.determination(MODEL, "misuse"), state.safeguard(FILTER)
    ends = ends_of(state)
    both_ahead = len(ends) > 1 and min(ends) > now
    return (
        model.state if model else "",
        presented_state(known, now),
        state.level(MODEL, "deployment").state,
        filter_.state,
        filter_.attested_until is not None and now < filter_.attested_until,
        "verified" in filter_.state and _is_fresh(state, filter_, now),
        bool(state.holds_placed.get(MODEL)),
        bool(state.holds_placed.get(EVERYTHING)),
        both_ahead and ends[0] < ends[1],
    )


def _is_fresh(state: State, filter_: r.Safeguard, now: int) -> bool:
    return all(now < state.need(name, r.Evidence).fresh_from + _FRESH_US for name in filter_.evidence)


# Growth: what is recorded of a model beside it ------------------------------------------------------------------------


def growth() -> Slice:
    """Return what runs, later artifacts, assessments and deployments do, under the sketch with one context more."""
    pack = SKETCH.read_bytes().replace(b"contexts: [", b"contexts: [" + LAB + b", ")
    start = _start(pack)
    state = start.state
    for name, compute in _RUNS.items():
        state = state.put(_run(name, compute, start.now))
        start.oracle.evidence[name] = compute
    questions = (("lab", FIRST), ("lab", LATER), ("internal", ""), ("internal", LATER))
    policy = World.found({"policy.yaml": pack}).policy
    return Slice(policy, replace(start, state=state.after_entry(start.now)), _growth_steps, _growth_key, questions)


def _run(name: str, compute: str, now: int) -> r.Evidence:
    return r.Evidence(
        name=name, kind="training_run_record", title_digest=b"", media_type="text/plain", sha256=sha256_of(name),
        size=1, uploader="principals/evaluator", authors=(), made_at=now, valid_until=0, classification="internal",
        redacts="", effective_compute=compute, recorded_at=now, first_upload=now,
    )  # fmt: skip


def _growth_steps(node: Node) -> Iterator[f.Firing]:
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.ModelRetire(MODEL)
    yield f.ModelAddArtifact(MODEL, LATER)
    for name in _RUNS:
        yield f.ModelRecordRun(MODEL, name)
    yield from _determination_steps()
    yield from _level_steps()
    opened = [found for found in node.state.all_of(r.Assessment) if found.state == "open"]
    if opened:
        yield f.AssessmentConclude(opened[0].name)
        yield f.AssessmentAbandon(opened[0].name)
    elif node.state.live:  # neither reads the other: an open assessment beside a live deployment is left out
        yield f.DeploymentEnd(next(live_deployments(node.state)).name)
    else:
        yield f.AssessmentOpen(MODEL, ("misuse",))
        yield f.DeploymentRecord(MODEL, "lab", FIRST, "cluster-a")


def _growth_key(node: Node) -> Hashable:
    state = node.state
    model, known = state.find(MODEL, r.Model), state.determination(MODEL, "misuse")
    return (
        (model.state, len(model.artifacts), model.effective_compute) if model else "",
        presented_state(known, node.now),
        known.compute_at_confirmation if known.confirmed else "",
        state.level(MODEL, "deployment").state,
        any(found.state == "open" for found in state.all_of(r.Assessment)),
        bool(state.live),
    )


# Standing in: an interim measure beside the safeguard that it stands in for -------------------------------------------


def standing_in() -> Slice:
    """Return what a measure does for a model that lacks its filter, one measure at a time in force."""
    start = _start(SKETCH.read_bytes())
    questions = (("internal", ""), ("api", FIRST))
    return Slice(World.found().policy, start, _standing_in_steps, _standing_in_key, questions)


def _standing_in_steps(node: Node) -> Iterator[f.Firing]:
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.DeterminationRuleOut(MISUSE)
    yield f.LevelAssign(LEVEL, "guarded")
    yield from _safeguard_steps()
    measures = _measures(node.state)
    yield from (f.InterimMeasureEnd(measure.name) for measure in measures)
    if not measures:
        yield f.InterimMeasurePutInForce(MODEL, ("input-filter",), ("api",), node.now + 180 * DAY_US)


def _standing_in_key(node: Node) -> Hashable:
    state, now = node.state, node.now
    filter_ = state.safeguard(FILTER)
    ends = ends_of(state)
    return (
        state.find(MODEL, r.Model) is not None,
        presented_state(state.determination(MODEL, "misuse"), now),
        state.level(MODEL, "deployment").state,
        filter_.state,
        filter_.attested_until is not None and now < filter_.attested_until,
        "verified" in filter_.state and _is_fresh(state, filter_, now),
        tuple(measure.holds_at(now) for measure in _measures(state)),
        tuple(index for index in sorted(range(len(ends)), key=ends.__getitem__) if ends[index] > now),
    )


def _measures(state: State) -> tuple[r.InterimMeasure, ...]:
    return tuple(measure for measure in state.all_of(r.InterimMeasure) if measure.state == "in_force")


# Owing: an obligation that blocks, its periods one after the other ---------------------------------------------------

PERIOD: Final = OWED + "/periods/{}"
_OWED: Final = b"owed-report: {every: 60d, fulfilled_by: {evidence: risk_report}, blocking: true}"
_PERIODS: Final = (1, 2, 3)


def owing() -> Slice:
    """Return what an obligation that blocks does to a released model, through its first periods."""
    pack = SKETCH.read_bytes().rstrip() + b"\n  " + _OWED + b"\n"
    world = World.found({"policy.yaml": pack})
    oracle = Oracle.of(pack)
    oracle.begin(world.state.need(world.policy.name, r.PolicyVersion).adopted_at)
    grid = world.state.need(OWED, r.Obligation)
    start = Node(world.state, world.now, oracle)
    horizon = grid.span(_PERIODS[-1])[1]
    return Slice(world.policy, start, _owing_steps, _owing_key, (("internal", ""),), horizon)


def _owing_steps(node: Node) -> Iterator[f.Firing]:
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.DeterminationRuleOut(MISUSE)
    yield f.LevelAssign(LEVEL, "basic")
    for number in _PERIODS:
        yield f.ObligationFulfil(PERIOD.format(number), (f"evidence/{100 + number}",))
        yield f.ObligationWaive(PERIOD.format(number), node.now + 90 * DAY_US)


def _owing_key(node: Node) -> Hashable:
    state, now = node.state, node.now
    ends = ends_of(state)
    return (
        state.find(MODEL, r.Model) is not None,
        presented_state(state.determination(MODEL, "misuse"), now),
        state.level(MODEL, "deployment").state,
        state.need(OWED, r.Obligation).running(now),
        tuple(period_of(state, PERIOD.format(number)).state for number in _PERIODS),
        tuple(overdue_from(state, PERIOD.format(number)) in {e for e in ends if e <= now} for number in _PERIODS),
        tuple(index for index in sorted(range(len(ends)), key=ends.__getitem__) if ends[index] > now),
    )


# Excepting: break-glass on a hold or a degraded safeguard, and its review --------------------------------------------

_RULE: Final = b"triggers: [hold.lift]"
_ALL: Final = b"triggers: [hold.lift, safeguard.restore, safeguard.resume]"


def excepting() -> Slice:
    """Return what one use of break-glass does to a model that a hold or a degraded filter stops, and its review."""
    pack = SKETCH.read_bytes().replace(_RULE, _ALL)
    world = World.found({"policy.yaml": pack})
    return Slice(world.policy, _start(pack), _excepting_steps, _excepting_key, (("internal", ""), ("api", FIRST)))


def _excepting_steps(node: Node) -> Iterator[f.Firing]:
    state = node.state
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.DeterminationRuleOut(MISUSE)
    yield f.LevelAssign(LEVEL, "guarded")
    yield from (f.SafeguardStart(FILTER), f.SafeguardVerify(FILTER, ("evidence/1",)), f.SafeguardActivate(FILTER))
    yield from (f.SafeguardDegrade(FILTER), f.SafeguardRestore(FILTER), f.SafeguardSuspend(FILTER))
    yield f.SafeguardResume(FILTER)
    holds = sorted(hold.name for hold in state.all_of(r.Hold))
    yield f.HoldLift(holds[-1]) if holds else f.HoldPlace(MODEL)
    if not any(state.all_of(r.Exemption)):
        yield from (f.BreakGlassOpen(name, node.now + DAY_US // 2) for name in (*holds, FILTER))
    yield f.ObligationFulfil(f"{REVIEWS}1", ("evidence/201",))


def _excepting_key(node: Node) -> Hashable:
    state, now = node.state, node.now
    filter_ = state.safeguard(FILTER)
    ends = ends_of(state)
    return (
        state.find(MODEL, r.Model) is not None,
        presented_state(state.determination(MODEL, "misuse"), now),
        state.level(MODEL, "deployment").state,
        filter_.state,
        filter_.attested_until is not None and now < filter_.attested_until,
        "verified" in filter_.state and _is_fresh(state, filter_, now),
        tuple(hold.state for hold in state.all_of(r.Hold)),
        tuple((use.resource, use.trigger, use.state, use.holds_at(now)) for use in state.all_of(r.Exemption)),
        period_of(state, f"{REVIEWS}1").state,
        overdue_from(state, f"{REVIEWS}1") in {e for e in ends if e <= now} if any(state.all_of(r.Exemption)) else None,
        tuple(index for index in sorted(range(len(ends)), key=ends.__getitem__) if ends[index] > now),
    )


# Open matters: an incident and a finding on a released model ---------------------------------------------------------

INCIDENT: Final = "incidents/1"
FINDING: Final = "findings/1"


def open_matters() -> Slice:
    """Return what one incident of any severity and one grave finding do to a released model."""
    start = _start(SKETCH.read_bytes())
    return Slice(World.found().policy, start, _open_steps, _open_key, (("internal", ""),))


def _open_steps(node: Node) -> Iterator[f.Firing]:
    yield f.ModelRegister(MODEL, (FIRST,))
    yield f.DeterminationRuleOut(MISUSE)
    yield f.LevelAssign(LEVEL, "basic")
    severities = ("low", "serious", "critical")
    if INCIDENT in node.state.items:
        yield from (f.IncidentTriage(INCIDENT, severity) for severity in severities)
        yield from (f.IncidentMitigate(INCIDENT), f.IncidentClose(INCIDENT))
    else:
        yield from (f.IncidentReport(MODEL, "other", severity) for severity in ("", *severities))
    if FINDING in node.state.items:
        yield from (f.FindingConfirm(FINDING), f.FindingDismiss(FINDING))
    else:
        yield f.FindingRaise(EVERYTHING, "serious")  # there is one: a mild one would stand in a grave one's place


def _open_key(node: Node) -> Hashable:
    state = node.state
    incident, finding = state.find(INCIDENT, r.Incident), state.find(FINDING, r.Finding)
    return (
        state.find(MODEL, r.Model) is not None,
        presented_state(state.determination(MODEL, "misuse"), node.now),
        state.level(MODEL, "deployment").state,
        (incident.state, incident.severity) if incident else "",
        (finding.state, finding.severity) if finding else "",
    )
