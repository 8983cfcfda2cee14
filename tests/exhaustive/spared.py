"""Whether a step spares a later DENY: two runs side by side, one that took it and one that did not.

"May turn some DENY into ALLOW, now *or later*" (domain design, "Directions") is read so: a trigger loosens if there is
a reachable state and a sequence of what single people can do (↓ and = triggers) and of time after which a question is
ALLOW where the trigger was fired first, and DENY where it was not. What a quorum does afterwards is left out: its
changes name the positions of what they were signed over, so they were signed knowing of the trigger. A step that is
refused in one of the two runs leaves that run where it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine.ruling import direction_at
from interlock.statemachine.triggers import Direction
from tests.exhaustive.explore import Graph, Node, Slice, ends_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from interlock.statemachine import firings as f

Pair = tuple[Node, Node]
"""(without the trigger, with it), at one instant."""


def sparing(graph: Graph, direction: Direction) -> set[str]:
    """Return the triggers of a direction that spare a later DENY somewhere."""
    found: set[str] = set()
    seen: set[Hashable] = set()
    for node in graph.nodes:
        later = replace(node, now=node.now + 1)
        for firing in graph.slice.offers(later):
            way = direction_at(graph.slice.policy, later.state, firing)
            if way is not direction or firing.trigger.value in found:
                continue
            fired = graph.slice.fired(later, firing)
            if fired is not None and _is_spared(graph.slice, (later, fired), seen):
                found.add(firing.trigger.value)
    return found


def _is_spared(slice_: Slice, start: Pair, seen: set[Hashable]) -> bool:
    """Say whether some continuation ends in DENY without and ALLOW with; skips what was looked at before."""
    waiting = [start]
    while waiting:
        pair = waiting.pop()
        key = _key(slice_, pair)
        if key in seen:
            continue
        seen.add(key)
        without, with_ = (slice_.verdicts(node) for node in pair)
        if any(after and not before for before, after in zip(without, with_, strict=True)):
            return True
        if any(with_):  # nothing that a single person or time does turns DENY into ALLOW: another test
            waiting += _continued(slice_, pair)
    return False


def _key(slice_: Slice, pair: Pair) -> Hashable:
    instants = sorted({end for node in pair for end in ends_of(node.state) if end > node.now})
    order = tuple(tuple(instants.index(end) for end in ends_of(node.state) if end > node.now) for node in pair)
    return tuple(slice_.key(node) for node in pair), order


def _continued(slice_: Slice, pair: Pair) -> Iterator[Pair]:
    now = pair[0].now
    ahead = [end for node in pair for end in ends_of(node.state) if end > now]
    if ahead:
        yield _at(pair, min(ahead))
    pause = min([1, *((end - now) // 2 for end in ahead)])
    later = _at(pair, now + pause)
    for firing in _alone(slice_, later):
        one, other = (slice_.fired(node, firing) or node for node in later)
        yield one, other


def _alone(slice_: Slice, pair: Pair) -> Iterator[f.Firing]:
    offered = {firing: node for node in pair for firing in slice_.offers(node)}
    ways = ((firing, direction_at(slice_.policy, node.state, firing)) for firing, node in offered.items())
    return (firing for firing, way in ways if way is not Direction.LOOSENS)


def _at(pair: Pair, now: int) -> Pair:
    return replace(pair[0], now=now), replace(pair[1], now=now)
