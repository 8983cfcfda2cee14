"""The invariants, proven on a product of small graphs: one model, one context, equal safeguards and thresholds merged.

Where the product of the real tables is small enough (the sketch), that is what is explored; else one standard at a
time, and what has none, for a verdict is an *and* of what these ask. Guards between machines are left out, so more can
happen here than can: what holds here holds there (docs/decisions/0047). Incidents and rule 8 read nothing of a pack.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final, TypeVar

from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.lint import components as parts
from interlock.statemachine.policy.lint.report import Claim, error, warning
from interlock.statemachine.rights import HOLD_EVERYTHING
from interlock.statemachine.triggers import Trigger, can_loosen

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from interlock.statemachine.policy.lint.components import Component
    from interlock.statemachine.policy.model import Context, Policy, Safeguard, Standard, Threshold

_One = TypeVar("_One", "Threshold", "Safeguard")

WHOLE_STATES: Final = 40_000  # up to here the product of the real tables is explored
_FEW: Final = 5  # thresholds, safeguards and standards that are worth a try at it
_MAX_STATES: Final = 400_000  # of all products together; a pack that needs more is said to be unproven

_MORE: Final = frozenset(
    {
        Trigger.SAFEGUARD_ACTIVATE.value,
        Trigger.SAFEGUARD_REATTEST.value,
        Trigger.SAFEGUARD_RESTORE.value,
        Trigger.SAFEGUARD_RESUME.value,
        Trigger.INTERIM_MEASURE_PUT_IN_FORCE.value,
    }
)
_LEAST_STATES: Final = 200  # what making a product costs, in states


@dataclass(frozen=True, slots=True)
class Product:
    """The graphs that a context's verdict reads, for some standards; ``rest`` when model and holds are read too."""

    policy: Policy
    context: Context
    standards: tuple[Standard, ...]
    thresholds: tuple[tuple[Threshold, ...], ...]  # by class: what the gate can't tell apart here
    safeguards: tuple[tuple[Safeguard, ...], ...]
    graphs: tuple[Component, ...]  # thresholds, safeguards, levels, then the rest
    rest: tuple[Hashable, ...]  # which state of each of the rest allows: the model, holds, obligations; () for not read

    @property
    def states(self) -> int:
        """How many states the product has."""
        return prod(graph.size for graph in self.graphs)


def product_of(policy: Policy, context: Context, standards: Sequence[Standard], *, whole: bool, rest: bool) -> Product:
    """Return the product for a context and some of its standards, of whole tables or merged."""
    applied = tuple(standard for standard in standards if context.id in standard.applies_in)
    guards = [
        spec
        for spec in policy.safeguards.values()
        if spec.track == "commitment" and context.id in spec.covers and spec.standard in {s.id for s in applied}
    ]
    causes = _back((spec.id, spec.for_thresholds) for spec in guards)
    replaced_by = _back((spec.id, spec.replaces) for spec in guards)

    def read_of(threshold: Threshold) -> Hashable:
        """Return all that the gate reads of a threshold here, but its determination; None where that is nothing."""
        asks = tuple(threshold.asks.get(standard.id) for standard in applied)
        lists = frozenset(causes.get(threshold.id, ()))
        needed = threshold.id in context.thresholds
        return (needed, asks, lists) if needed or lists or any(asks) else None

    untracked = [threshold for threshold in policy.thresholds.values() if not threshold.tracked]
    thresholds = _classes(untracked, read_of)
    safeguards = _classes(guards, lambda spec: _read_as(spec, replaced_by))
    others: list[tuple[Component, Hashable]] = []
    if rest:
        others += [(parts.model(), "registered"), (parts.hold(), False)]
        if any(duty.blocking and duty.in_force for duty in policy.obligations.values()):
            others.append((parts.duties(), "in time"))
    graphs = (
        *(
            _merged(parts.determination(_named(some), whole=whole), len(some), parts.bites_and_holds)
            for some in thresholds
        ),
        *(_merged(parts.safeguard(_named(some), whole=whole), len(some), parts.is_enough) for some in safeguards),
        *(parts.level(policy, standard.id) for standard in applied),
        *(graph for graph, _ in others),
    )
    return Product(policy, context, applied, thresholds, safeguards, graphs, tuple(state for _, state in others))


def _read_as(spec: Safeguard, replaced_by: Mapping[str, set[str]]) -> Hashable:
    """Return all that the gate reads of a safeguard, but its state."""
    by = frozenset(replaced_by.get(spec.id, ()))
    return (spec.standard, spec.level_index, frozenset(spec.for_thresholds), frozenset(spec.replaces), by)


def _back(links: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, set[str]]:
    """Return for each name that is pointed at the names that point there."""
    found: dict[str, set[str]] = {}
    for source, targets in links:
        for target in targets:
            found.setdefault(target, set()).add(source)
    return found


def _classes(items: Sequence[_One], key: Callable[[_One], Hashable]) -> tuple[tuple[_One, ...], ...]:
    """Return the items in classes of equal key, without those whose key is None."""
    found: dict[Hashable, list[_One]] = {}
    for item in items:
        if (of := key(item)) is not None:
            found.setdefault(of, []).append(item)
    return tuple(tuple(some) for some in found.values())


def _merged(one: Component, count: int, read: Callable[[Hashable], Hashable]) -> Component:
    """Return ``count`` equal graphs as one, by what the gate reads of them; a single one as it is."""
    return one if count == 1 else parts.read_by_gate(parts.several(one, count), read)


def _named(some: Sequence[Threshold | Safeguard]) -> str:
    return ", ".join(one.id for one in some)


@dataclass(frozen=True, slots=True)
class Judge:
    """The ALLOW rule over a product: what each graph's state stands for, looked up once."""

    product: Product
    active: tuple[tuple[bool, ...], ...]  # by threshold class and state: some of them bites
    settled: tuple[tuple[bool, ...], ...]  # same: all that the context needs are confirmed and not lapsed
    enough: tuple[tuple[bool, ...], ...]  # by safeguard class and state: all of them are active or stood in for
    levels: tuple[tuple[int, ...], ...]  # by standard and state: the assigned level's place, -1 for none

    @classmethod
    def of(cls, item: Product) -> Judge:
        """Look up every state of every graph."""
        first, second = len(item.thresholds), len(item.thresholds) + len(item.safeguards)
        thresholds, guards = item.graphs[:first], item.graphs[first:second]
        levels = item.graphs[second : second + len(item.standards)]
        needed = [some[0].id in item.context.thresholds for some in item.thresholds]
        return cls(
            item,
            tuple(tuple(parts.bites_and_holds(state)[0] for state in graph.states) for graph in thresholds),
            tuple(
                tuple(not need or parts.bites_and_holds(state)[1] for state in graph.states)
                for need, graph in zip(needed, thresholds, strict=True)
            ),
            tuple(tuple(parts.is_enough(state) for state in graph.states) for graph in guards),
            tuple(tuple(parts.assigned_index(item.policy.levels, s) for s in graph.states) for graph in levels),
        )

    def verdicts(self) -> bytearray:
        """Return ALLOW (1) or DENY (0) of every state, numbered as ``itertools.product`` does."""
        item, first = self.product, len(self.product.thresholds)
        second = first + len(item.safeguards)
        third = second + len(item.standards)
        rest = [graph.states.index(state) for graph, state in zip(item.graphs[third:], item.rest, strict=True)]
        asked: dict[tuple[int, ...], Asked] = {}
        found = bytearray()
        for state in product(*(range(graph.size) for graph in item.graphs)):
            if any(at != right for at, right in zip(state[third:], rest, strict=True)):
                found.append(0)
                continue
            if not all(settled[at] for settled, at in zip(self.settled, state, strict=False)):
                found.append(0)
                continue
            key = (*state[:first], *state[second:third])
            if key not in asked:
                asked[key] = self._asked(state[:first], state[second:third])
            here = asked[key]
            found.append(here.level and all(self.enough[number][state[first + number]] for number in here.safeguards))
        return found

    def _asked(self, thresholds: Sequence[int], levels: Sequence[int]) -> Asked:
        """Return whether the levels suffice, and which classes of safeguards they list."""
        item = self.product
        biting = [some for some, by, at in zip(item.thresholds, self.active, thresholds, strict=True) if by[at]]
        active = frozenset(some[0].id for some in biting)
        listed: set[str] = set()
        for standard, by_state, at in zip(item.standards, self.levels, levels, strict=True):
            asks = [some[0].asks[standard.id] for some in biting if standard.id in some[0].asks]
            required = max(item.policy.level_index(level) for level in (standard.baseline, *asks))
            if by_state[at] < required:
                return Asked(level=False, safeguards=())
            assigned = item.policy.levels[by_state[at]].id
            listed |= {spec.id for spec in item.policy.listed(standard.id, assigned, item.context.id, active)}
        numbers = tuple(number for number, some in enumerate(item.safeguards) if some[0].id in listed)
        return Asked(level=True, safeguards=numbers)


@dataclass(frozen=True, slots=True)
class Asked:
    """What thresholds and levels make of the rest."""

    level: bool
    safeguards: tuple[int, ...]


def check_product(policy: Policy) -> Iterator[Claim]:
    """Yield what breaks an invariant in any context, and what was too large to prove."""
    if not any({Trigger.HOLD_PLACE.value, HOLD_EVERYTHING} & role.rights for role in policy.roles.values()):
        calls = ("hold.place by anybody → refused, no one holds the right",)
        yield error(("roles",), Code.NO_ONE_CAN_STOP, "No role may place a hold.", "say `approves: true`", calls)
    left, seen = _MAX_STATES, set[object]()
    for context in policy.contexts:
        for item in products(policy, context):
            shape = (item.standards, item.thresholds, item.safeguards, item.graphs)
            if shape in seen:  # another context that asks for the very same
                continue
            seen.add(shape)
            left -= max(item.states, _LEAST_STATES)
            if left < 0:
                message = f"Too many thresholds or safeguards that differ in {shown(context.id)}: nothing is proven."
                fix = "let more of them ask for the same"
                yield warning(("contexts", context.index), Code.NOT_PROVEN, message, fix, ())
                return
            yield from _check(item)


def products(policy: Policy, context: Context) -> Iterator[Product]:
    """Yield the whole product where that is small enough, else one for each standard and one for what has none."""
    standards = tuple(policy.standards.values())
    if len(policy.thresholds) + len(policy.safeguards) + len(standards) <= _FEW:
        whole = product_of(policy, context, standards, whole=True, rest=True)
        if whole.states <= WHOLE_STATES and all(len(some) == 1 for some in (*whole.thresholds, *whole.safeguards)):
            yield whole
            return
    yield product_of(policy, context, (), whole=False, rest=True)
    for standard in standards:
        yield product_of(policy, context, (standard,), whole=False, rest=False)


def _check(item: Product) -> Iterator[Claim]:
    """Yield an error for each trigger that turns a verdict the way that it must not, with the nearest state."""
    verdicts = Judge.of(item).verdicts()
    path = ("contexts", item.context.index)
    if not any(verdicts):
        calls = ("gate.check → DENY, whatever was done before",)
        message = f"Nothing can ever be released to {shown(item.context.id)}."
        yield error(path, Code.INVARIANT_BROKEN, message, "ask for levels that can be assigned", calls)
    said: set[str] = set()
    for number, graph in enumerate(item.graphs):
        for source, trigger, target in graph.edges:
            if trigger in said:
                continue
            loosens = can_loosen(trigger)
            for wrong, to in ((not loosens, True), (trigger in _MORE, False)):
                if wrong and (at := _turned(item, verdicts, number, (source, target), to=to)) is not None:
                    said.add(trigger)
                    yield _broken(item, number, at, trigger, to=to)


def _turned(
    item: Product, verdicts: bytearray, number: int, edge: tuple[int, int], *, to: bool
) -> tuple[int, ...] | None:
    """Return the state nearest to the start in which an edge of one graph turns the verdict ``to``, or None.

    States that differ in one graph alone lie a fixed stride apart, so whole blocks of verdicts are compared at once.
    """
    sizes = [graph.size for graph in item.graphs]
    stride = prod(sizes[number + 1 :])
    source, target = edge
    found: list[int] = []
    for block in range(0, len(verdicts), stride * sizes[number]):
        at, then = block + source * stride, block + target * stride
        before, after = verdicts[at : at + stride], verdicts[then : then + stride]
        if int.from_bytes(after if to else before) & ~int.from_bytes(before if to else after):
            found += [
                at + offset for offset in range(stride) if after[offset] != before[offset] and after[offset] == to
            ]
    distance = [[len(path) for path in graph.shortest()] for graph in item.graphs]
    states = [_unpacked(index, sizes) for index in found]
    return min(states, key=lambda state: sum(map(list.__getitem__, distance, state)), default=None)


def _unpacked(index: int, sizes: Sequence[int]) -> tuple[int, ...]:
    state: list[int] = []
    for size in reversed(sizes):
        index, at = divmod(index, size)
        state.append(at)
    return tuple(reversed(state))


def _broken(item: Product, number: int, state: Sequence[int], trigger: str, *, to: bool) -> Claim:
    turned, verdict = ("DENY into ALLOW", "ALLOW") if to else ("ALLOW into DENY", "DENY")
    calls = [
        f"{step} ({graph.name})" for graph, at in zip(item.graphs, state, strict=True) for step in graph.shortest()[at]
    ]
    calls.append(f"{trigger} ({item.graphs[number].name}) → {verdict}")
    message = f"In {shown(item.context.id)}, `{trigger}` turns {turned}."
    fix = "let no one's call alone, nor time, make what is asked for less" if to else "let more never be too much"
    return error(("contexts", item.context.index), Code.INVARIANT_BROKEN, message, fix, calls)
