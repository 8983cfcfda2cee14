"""Breadth-first exploration of everything that a small pack's machines can do to one model.

The steps are the real ones (``machines.fire.fire``), rights and sign-offs left out: every trigger may fire in any
order, and time may pass. What is offered, and which states count as one, is in ``slices.py``. Of each merged state one
concrete state is kept, with the oracle that saw the same steps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain
from interlock.statemachine.forms import LAST_INSTANT
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment
from interlock.statemachine.owed import overdue_from
from interlock.statemachine.ruling import direction_at
from interlock.statemachine.unmet import Refused
from tests.support.world import DAY_US, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State
    from interlock.statemachine.triggers import Direction
    from tests.support.oracle import Oracle

MODEL: Final = "models/m"
MISUSE: Final = f"{MODEL}/determinations/misuse"
LEVEL: Final = f"{MODEL}/levels/deployment"
FILTER: Final = f"{MODEL}/safeguards/input-filter"
REPORT: Final = "evidence/1"
REVIEWS: Final = "obligations/break-glass-review/periods/"
OWED: Final = "obligations/owed-report"
PERIODS: Final = 5
"""Of how many of its periods the ends are looked at; the explorations end before that."""
TIME: Final = "time"
"""Label of the step that lets time pass up to the next end."""
_HOUR_US: Final = DAY_US // 24
_ARRIVALS_COMPARED: Final = 2
"""How often a state that was merged into another is checked to have its verdicts; all of them would take too long."""

Question = tuple[str, str]
"""(context, artifact)."""


@dataclass(frozen=True, slots=True)
class Node:
    """A concrete state at an instant, and the oracle that saw the same."""

    state: State
    now: int
    oracle: Oracle


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from one merged state to another; ``trigger`` is a trigger's name or ``time``, which has no direction."""

    source: int
    trigger: str
    target: int
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """What is explored: a pack, the steps offered in a state, what tells states apart, and what the gate is asked."""

    policy: Policy
    start: Node
    offers: Callable[[Node], Iterator[f.Firing]]
    key: Callable[[Node], Hashable]
    questions: tuple[Question, ...]
    horizon: int = LAST_INSTANT

    def verdicts(self, node: Node) -> tuple[bool, ...]:
        """Return the gate's answer to each question."""
        return tuple(
            explain(self.policy, node.state, MODEL, context, artifact, node.now).allowed
            for context, artifact in self.questions
        )

    def fired(self, node: Node, firing: f.Firing) -> Node | None:
        """Return the state after a trigger, with an oracle that did not see it yet; None where it is refused."""
        state = node.state
        if isinstance(firing, f.SafeguardVerify | f.SafeguardReattest):
            state = state.put(fresh_report(REPORT, "red_team_report", node.now))
        elif isinstance(firing, f.ObligationFulfil):
            kind = "break_glass_review" if firing.period.startswith(REVIEWS) else "risk_report"
            state = state.put(fresh_report(firing.evidence[0], kind, node.now))
        step = fire(Moment(self.policy, node.now, "principals/someone"), state, firing)
        if isinstance(step, Refused):
            return None
        return replace(node, state=step.state.after_entry(node.now))

    def explore(self) -> Graph:
        """Return every merged state that can be reached, and every step between them."""
        nodes, edges = [self.start], set[Edge]()
        numbers, arrivals = {self.key(self.start): 0}, [0]
        waiting = deque([0])
        while waiting:
            source = waiting.popleft()
            for trigger, target, firing in self._steps(nodes[source]):
                number = numbers.setdefault(self.key(target), len(nodes))
                if number == len(nodes):
                    nodes.append(_seen_by_oracle(target, firing))
                    arrivals.append(0)
                    waiting.append(number)
                elif arrivals[number] < _ARRIVALS_COMPARED:
                    arrivals[number] += 1
                    if self.verdicts(target) != self.verdicts(nodes[number]):
                        raise AssertionError(f"{self.key(target)} merges states that the gate tells apart")
                way = None if firing is None else direction_at(self.policy, nodes[source].state, firing)
                edges.add(Edge(source, trigger, number, way))
        return Graph(self, nodes, edges, [self.verdicts(node) for node in nodes])

    def _steps(self, node: Node) -> Iterator[tuple[str, Node, f.Firing | None]]:
        """Yield every step from a concrete state; a trigger fires a little later, before the next end."""
        ahead = [end for end in ends_of(node.state) if end > node.now]
        if ahead:
            if min(ahead) > self.horizon:
                return
            yield TIME, replace(node, now=min(ahead)), None
        pause = min([_HOUR_US, *((end - node.now) // 2 for end in ahead)])
        later = replace(node, now=node.now + pause)
        for firing in self.offers(later):
            target = self.fired(later, firing)
            if target is not None:
                yield firing.trigger.value, target, firing


@dataclass(frozen=True, slots=True)
class Graph:
    """What was explored; ``verdicts`` has the gate's answers to the slice's questions by number of the state."""

    slice: Slice
    nodes: list[Node]
    edges: set[Edge]
    verdicts: list[tuple[bool, ...]]

    def turned(self, edge: Edge, *, to: bool) -> bool:
        """Say whether a step turns some answer to ALLOW (``to`` True) or to DENY."""
        pairs = zip(self.verdicts[edge.source], self.verdicts[edge.target], strict=True)
        return any(after is to and before is not to for before, after in pairs)

    def triggers(self) -> set[str]:
        """Return every trigger that fired somewhere."""
        return {edge.trigger for edge in self.edges} - {TIME}


def ends_of(state: State) -> tuple[int, ...]:
    """Return the instants at which time alone changes something of the model."""
    lapse = state.determination(MODEL, "misuse").lapses_at
    attested = state.safeguard(FILTER).attested_until
    measures = (measure.until for measure in state.all_of(r.InterimMeasure) if measure.state == "in_force")
    uses = tuple(state.all_of(r.Exemption))
    excepted = (use.until for use in uses if use.state == "open")
    reviews = (overdue_from(state, use.review) for use in uses)
    return tuple(end for end in (lapse, attested, *measures, *_dues(state), *excepted, *reviews) if end is not None)


def _dues(state: State) -> Iterator[int | None]:
    """Yield when the first periods of the obligation that blocks are overdue, unless fulfilled, by number."""
    if OWED in state.items:
        yield from (overdue_from(state, f"{OWED}/periods/{number}") for number in range(1, PERIODS + 1))


def fresh_report(name: str, kind: str, now: int) -> r.Evidence:
    """Return a document that was made just now."""
    return r.Evidence(
        name=name, kind=kind, title_digest=b"", media_type="text/plain", sha256=sha256_of(str(now)),
        size=1, uploader="principals/engineer", authors=(), made_at=now, valid_until=0, classification="internal",
        redacts="", effective_compute="", recorded_at=now, first_upload=now,
    )  # fmt: skip


def _seen_by_oracle(node: Node, firing: f.Firing | None) -> Node:
    if firing is None:
        return node
    oracle = node.oracle.fork()
    oracle.fire(firing, node.now)
    return replace(node, oracle=oracle)
