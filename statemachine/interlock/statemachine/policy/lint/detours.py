"""Ways round one trigger inside its machine: other triggers that lead from the same state to the same place.

Searched are the determination and the safeguard machine, over their real tables and time. The level machine has none:
only ``raise`` leads up, only ``lower`` down, only ``assign`` out of unassigned (a test holds it to that).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.statemachine.machines import tables
from interlock.statemachine.triggers import Direction, Trigger, direction_of

if TYPE_CHECKING:
    from interlock.statemachine.machines.tables import Table

_GIVES_AN_END: Final = frozenset(
    {
        Trigger.DETERMINATION_CONFIRM.value,
        Trigger.DETERMINATION_RULE_OUT.value,
        Trigger.SAFEGUARD_ACTIVATE.value,
        Trigger.SAFEGUARD_REATTEST.value,
    }
)
"""What these reach is the state with a new end; arriving there with the old one is not the same."""

TIME: Final = "time passes"
_LAPSES: Final = tuple((f"{old}/confirmed", TIME, f"{old}/lapsed") for old in tables.CONCLUSIONS)

_Node = tuple[str, bool]  # a state, and whether a new end was given on the way
_Found = dict[frozenset[str], tuple[str, ...]]  # by the ruled triggers that were taken: the calls, in order


class Detour(NamedTuple):
    """How to get to where it starts, from nothing, and the way round; triggers in order."""

    before: tuple[str, ...]
    path: tuple[str, ...]


@lru_cache(maxsize=1024)
def detours(trigger: str, ruled: frozenset[str]) -> tuple[Detour, ...]:
    """Return the shortest ways round ``trigger``, of which none takes a subset of another's ruled triggers.

    Of all its edges those count that end where the gate is satisfied: a safeguard active, a determination confirmed.
    """
    if direction_of(trigger) is not Direction.LOOSENS:
        return ()
    found: dict[frozenset[str], Detour] = {}
    for table, is_goal in ((tables.SAFEGUARD, _is_active), (tables.DETERMINATION, _is_confirmed)):
        from_start = _from_start(table)
        for (source, name), target in table.edges.items():
            if _base(name) != trigger or not is_goal(target):
                continue
            reached = _search(table, source, trigger, ruled)
            for gave in {True, trigger in _GIVES_AN_END}:
                for taken, path in reached.get((target, gave), {}).items():
                    _keep_shorter(found, taken, Detour(from_start[source], path))
    return tuple(found.values())


def _from_start(table: Table) -> dict[str, tuple[str, ...]]:
    """Return the shortest way to each state from where the machine starts."""
    ways: dict[str, tuple[str, ...]] = {}
    for (state, _), found in _search(table, table.states[0], "", frozenset()).items():
        way = next(iter(found.values()))
        if state not in ways or len(way) < len(ways[state]):
            ways[state] = way
    return ways


def _keep_shorter(found: dict[frozenset[str], Detour], taken: frozenset[str], detour: Detour) -> None:
    """Note a way unless one with fewer ruled triggers is known, or with the same ones and no longer."""
    if not taken or any(known < taken for known in found):
        return
    for worse in [known for known in found if taken < known]:
        del found[worse]
    known = found.get(taken)
    if known is None or len(detour.before) + len(detour.path) < len(known.before) + len(known.path):
        found[taken] = detour


def _search(table: Table, source: str, avoided: str, ruled: frozenset[str]) -> dict[_Node, _Found]:
    """Return every node that can be reached without ``avoided``, by the least sets of ruled triggers."""
    reached: dict[_Node, _Found] = {(source, False): {frozenset(): ()}}
    waiting: list[tuple[_Node, frozenset[str], tuple[str, ...]]] = [((source, False), frozenset(), ())]
    edges = [(s, name, t) for (s, name), t in table.edges.items()]
    if table is tables.DETERMINATION:
        edges += _LAPSES
    while waiting:
        batch, waiting = waiting, []
        for (state, gave), taken, path in batch:
            for before, name, after in edges:
                step = _base(name)
                if before != state or step == avoided:
                    continue
                node = (after, gave or step in _GIVES_AN_END)
                now_taken = taken | {step} if step in ruled else taken
                now_path = (*path, step)
                if _keep(reached.setdefault(node, {}), now_taken, now_path):
                    waiting.append((node, now_taken, now_path))
    return reached


def _keep(found: _Found, taken: frozenset[str], path: tuple[str, ...]) -> bool:
    """Note a way unless one with no more ruled triggers is known; breadth first, so the known one is no longer."""
    if any(known <= taken for known in found):
        return False
    for worse in [known for known in found if taken <= known]:
        del found[worse]
    found[taken] = path
    return True


def _base(name: str) -> str:
    return name.partition("[")[0]


def _is_active(state: str) -> bool:
    return state == "active"


def _is_confirmed(state: str) -> bool:
    return state.endswith("/confirmed")
