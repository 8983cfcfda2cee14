"""A log that was set back and went on once that was accepted, and what somebody holds who saw more of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from interlock.statemachine import firings as f
from interlock.statemachine.decide import Accepted
from tests.support.bundles import Parts, signed_head
from tests.support.log_keys import QUORUM, document, hand_in, head, new_key
from tests.support.parted import M, N, must
from tests.support.world import World

KEPT: Final = 4
LOST: Final = 7


@lru_cache(maxsize=1)
def timelines() -> tuple[World, World]:
    """Return the log as it was before its database was set back, and as it went on."""
    world = World.found(countersigned_by=["owner-a"])
    must(world, "evaluator", f.ModelRegister(M))
    must(world, "evaluator", f.ModelRegister(N))
    before = world.fork()
    for _ in range(LOST - KEPT):
        must(before, "owner-a", f.HoldPlace(M))
    assert (world.state.size, before.state.size) == (KEPT, LOST)
    data = document(world, new_key("second", head(world)), lost=head(before))
    assert isinstance(hand_in(world, data, *QUORUM), Accepted)
    for _ in range(5):
        must(world, "owner-b", f.HoldPlace(N))
    return before, world


def parts(size: int | None = None) -> Parts:
    """Return the bundle of the log as it went on, up to a size."""
    _, world = timelines()
    whole, entries = Parts.of(world), world.encoded()[:size]
    return Parts(whole.rows[:size], signed_head(entries, "second"), {2: signed_head(entries[:2])})


def seen(size: int) -> str:
    """Return a checkpoint of before the loss."""
    before, _ = timelines()
    return signed_head(before.encoded()[:size])
