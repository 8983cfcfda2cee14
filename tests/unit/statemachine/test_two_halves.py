"""An approval that completes the quorum gives what applying the approved change gives: one judgement, made two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Transition

KINDS = ("evaluation_results", "red_team_report", "risk_report")


def _lift(world: World) -> f.Firing:
    hold = world.state.next_name("holds")
    world.must("owner-a", c.Fire(f.HoldPlace("models/m")))
    return f.HoldLift(hold)


def _assign(_world: World) -> f.Firing:
    return f.LevelAssign("models/m/levels/deployment", "basic")


def _artifact(_world: World) -> f.Firing:
    return f.ModelAddArtifact("models/m", "ab" * 32)


def _played(firing_of: Callable[[World], f.Firing], *, apart: bool) -> tuple[World, tuple[Transition, ...], str]:
    """Return a world in which a change was approved and applied, in one entry or in two, what moved, and the change."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    firing = firing_of(world)
    papers = [world.upload("evaluator", kind) for kind in KINDS]
    change = world.propose("evaluator", firing, evidence=papers, apply_separately=apart)
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)
    if apart:
        world.must("owner-a", c.ApplyApprovedChange(change))
    moved = world.entries[-1].transitions
    return world, tuple(row for row in moved if row.trigger != "change.sign"), change


@pytest.mark.parametrize("firing_of", [_lift, _assign, _artifact])
def test_applied_with_the_last_approval_is_applied_alone(firing_of: Callable[[World], f.Firing]) -> None:
    """Transitions and filled slots are the same: no trigger reads the sign-off that completes the quorum."""
    at_once, moved, change = _played(firing_of, apart=False)
    apart, moved_apart, _ = _played(firing_of, apart=True)

    assert moved == moved_apart
    one, other = (world.state.need(change, r.Change) for world in (at_once, apart))
    assert one.state == other.state == "applied"
    assert one.applied_slots == other.applied_slots


def test_the_envelope_of_the_last_approval_is_used_up() -> None:
    """The state that was rehearsed before it was signed knows the envelope all the same."""
    world, _, change = _played(_assign, apart=False)

    last = world.state.need(change, r.Change).sign_offs[-1]
    assert world.state.envelopes[last.envelope_digest] == last.position == world.state.head
