"""The small graphs whose product is what a model can be: thresholds, levels, safeguards, the model, a hold.

Each is made from the machine's own table by merging states that the gate does not tell apart, so every step of the
machine is a step here (docs/decisions/0047 has the argument). Not here: verdicts (``product.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from interlock.statemachine.machines import tables
from interlock.statemachine.triggers import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from interlock.statemachine.policy.model import Level, Policy

TIME: Final = "time passes"
_GIVES_END: Final = frozenset({Trigger.SAFEGUARD_ACTIVATE.value, Trigger.SAFEGUARD_REATTEST.value})
_LOSES_END: Final = frozenset({Trigger.SAFEGUARD_RETIRE.value, Trigger.SAFEGUARD_REPLAN.value})

Step = tuple["Hashable", str, "Hashable"]


@dataclass(frozen=True, slots=True)
class Component:
    """One small graph: states by number, the first is where it starts; edges as (from, trigger, to)."""

    name: str
    states: tuple[Hashable, ...]
    edges: tuple[tuple[int, str, int], ...]

    @property
    def size(self) -> int:
        """How many states there are."""
        return len(self.states)

    def shortest(self) -> tuple[tuple[str, ...], ...]:
        """Return for each state the fewest triggers that lead there from the start."""
        paths: dict[int, tuple[str, ...]] = {0: ()}
        waiting = [0]
        for source in waiting:
            for start, trigger, target in self.edges:
                if start == source and target not in paths:
                    paths[target] = (*paths[source], trigger)
                    waiting.append(target)
        return tuple(paths[number] for number in range(self.size))


def built(name: str, start: Hashable, steps: Iterable[Step]) -> Component:
    """Return what of a graph can be reached from ``start``, without steps that lead nowhere else."""
    onward: dict[Hashable, dict[tuple[str, Hashable], None]] = {}
    for source, trigger, target in steps:
        if source != target:
            onward.setdefault(source, {})[trigger, target] = None
    numbers: dict[Hashable, int] = {start: 0}
    edges: list[tuple[int, str, int]] = []
    waiting = [start]
    for source in waiting:
        for trigger, target in onward.get(source, {}):
            if target not in numbers:
                numbers[target] = len(numbers)
                waiting.append(target)
            edges.append((numbers[source], trigger, numbers[target]))
    return Component(name, tuple(numbers), tuple(edges))


def several(one: Component, count: int) -> Component:
    """Return ``count`` equal graphs as one: which states occur among them, not how often.

    A step of one of them may leave its old state behind or not, for another may still be there.
    """
    if count == 1:
        return one
    start = frozenset({one.states[0]})
    found: dict[frozenset[Hashable], None] = {start: None}
    steps: list[Step] = []
    waiting = [start]
    for here in waiting:
        for source, trigger, target in one.edges:
            before, after = one.states[source], one.states[target]
            if before not in here:
                continue
            for there in (here | {after}, (here - {before}) | {after}):
                if there not in found:
                    found[there] = None
                    waiting.append(there)
                steps.append((here, trigger, there))
    return built(f"{one.name} × {count}", start, steps)


def read_by_gate(graph: Component, read: Callable[[Hashable], Hashable]) -> Component:
    """Return a graph of what is read of the states of another: the coarsest one that has all its steps."""
    seen = [read(state) for state in graph.states]
    return built(
        graph.name, seen[0], ((seen[source], trigger, seen[target]) for source, trigger, target in graph.edges)
    )


def determination(name: str, *, whole: bool) -> Component:
    """Return a threshold's determination: every state, or merged into whether it bites and whether it holds."""
    merge: Callable[[Hashable], Hashable] = (lambda state: state) if whole else bites_and_holds
    return built(name, merge("undetermined"), _merged(_determination_steps(), merge))


def _determination_steps() -> Iterable[tuple[str, str, str]]:
    for (state, name), target in tables.DETERMINATION.edges.items():
        yield state, name, target
    for old in tables.CONCLUSIONS:
        yield f"{old}/confirmed", TIME, f"{old}/lapsed"  # also what a later artifact and a training run do
        for trigger in (Trigger.MODEL_ADD_ARTIFACT, Trigger.MODEL_RECORD_RUN):
            yield f"{old}/confirmed", trigger.value, f"{old}/lapsed"


def bites_and_holds(state: Hashable) -> tuple[bool, bool]:
    """Return what the gate reads of one or several determinations: whether any bites, and whether all hold."""
    if isinstance(state, frozenset):
        read = [bites_and_holds(one) for one in state]
        return any(bites for bites, _ in read), all(holds for _, holds in read)
    if isinstance(state, tuple):
        return bool(state[0]), bool(state[1])
    conclusion, _, shade = str(state).partition("/")
    return conclusion in {"cannot_rule_out", "reached"}, shade == "confirmed"


def level(policy: Policy, standard: str) -> Component:
    """Return a level: which one is assigned. The gate judges by that alone, provisional or not."""
    return replace(_any_level(policy), name=f"level of {standard}")


@lru_cache(maxsize=8)
def _any_level(policy: Policy) -> Component:
    table = tables.level_table(policy)
    steps = ((_assigned(s), name.partition("[")[0], _assigned(t)) for (s, name), t in table.edges.items())
    return built("", "", steps)


def _assigned(state: str) -> str:
    return state.partition("(")[2].removesuffix(")")


def assigned_index(levels: Iterable[Level], state: Hashable) -> int:
    """Return the place of an assigned level in the order; -1 for unassigned."""
    return next((entry.index for entry in levels if entry.id == state), -1)


def safeguard(name: str, *, whole: bool) -> Component:
    """Return a safeguard, with its attestation and a measure that may stand in; or merged into whether that is enough.

    A state is (stage, attested, stood in for).
    """
    merge: Callable[[Hashable], Hashable] = (lambda state: state) if whole else is_enough
    return built(name, merge(("planned", False, False)), _merged(_safeguard_steps(), merge))


def _safeguard_steps() -> Iterable[tuple[tuple[str, bool, bool], str, tuple[str, bool, bool]]]:
    stages = tables.SAFEGUARD.states
    for measured in (False, True):
        for attested in (False, True):
            for (stage, name), target in tables.SAFEGUARD.edges.items():
                after = (attested or name in _GIVES_END) and name not in _LOSES_END
                yield (stage, attested, measured), name, (target, after, measured)
        for stage in stages:
            yield (stage, True, measured), TIME, (stage, False, measured)
    for stage in stages:
        for attested in (False, True):
            stood_in, alone = (stage, attested, True), (stage, attested, False)
            yield alone, Trigger.INTERIM_MEASURE_PUT_IN_FORCE.value, stood_in
            yield stood_in, Trigger.INTERIM_MEASURE_END.value, alone
            yield stood_in, TIME, alone


def is_enough(state: Hashable) -> bool:
    """Return what the gate reads of one or several safeguards: active and attested, or stood in for, all of them."""
    if isinstance(state, frozenset):
        return all(is_enough(one) for one in state)
    if isinstance(state, bool):
        return state
    return isinstance(state, tuple) and (state[2] or (state[0] == "active" and state[1]))


def model() -> Component:
    """Return the model machine from the registration on: of a model that is not there nothing can be determined."""
    return built("model", "registered", ((s, name, t) for (s, name), t in tables.MODEL.edges.items()))


def hold() -> Component:
    """Return the holds on the model and on everything: whether there is any."""
    place, lift = Trigger.HOLD_PLACE.value, Trigger.HOLD_LIFT.value
    return built("holds", False, ((False, place, True), (True, lift, False)))  # noqa: FBT003 - the two states


def duties() -> Component:
    """Return the obligations that block: whether any is overdue."""
    fulfil, waive = Trigger.OBLIGATION_FULFIL.value, Trigger.OBLIGATION_WAIVE.value
    return built(
        "obligations", "in time", (("in time", TIME, "overdue"), *(("overdue", t, "in time") for t in (fulfil, waive)))
    )


def _merged(steps: Iterable[Step], merge: Callable[[Hashable], Hashable]) -> Iterable[Step]:
    return ((merge(source), trigger.partition("[")[0], merge(target)) for source, trigger, target in steps)
