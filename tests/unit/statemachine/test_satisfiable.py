"""Rules that nobody who is left could meet: a tightening that comes to this is accepted, and seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import firings as f
from interlock.statemachine.decide import Accepted
from interlock.statemachine.satisfiable import find_unsatisfiable

if TYPE_CHECKING:
    from tests.support.world import World

REVIEWERS = ("reviewer-a", "reviewer-b", "owner-a-again", "both", "everything-but-admin")


def unsatisfiable(world: World) -> list[str]:
    """Return the triggers that nobody could have fired now."""
    found = find_unsatisfiable(world.policy, world.state, world.now)
    assert all(unmet.code == "QUORUM_UNSATISFIABLE" for unmet in found)
    return [trigger for unmet in found for trigger in unmet.trigger.split(", ")]


def test_a_founding_that_was_thought_of(world: World) -> None:
    """Every rule can be met by those who were founded."""
    assert unsatisfiable(world) == []


def test_without_reviewers_nothing_that_loosens_can_happen(world: World) -> None:
    """The last of them is suspended like the first, and every rule that asks for one is named."""
    for who in REVIEWERS:
        assert unsatisfiable(world) == []
        assert isinstance(world.fire("admin", f.PrincipalSuspend(f"principals/{who}")), Accepted)

    assert {"hold.lift", "grant.give", "level.raise"} <= set(unsatisfiable(world))


def test_two_roles_of_one_person_fill_one_slot(world: World) -> None:
    """Who is left with both roles can't be owner and reviewer at once."""
    for who in (
        "owner-a",
        "owner-b",
        "owner-of-m",
        "owner-a-again",
        "everything-but-admin",
        "reviewer-a",
        "reviewer-b",
    ):
        world.fire("admin", f.PrincipalSuspend(f"principals/{who}"))

    assert "hold.lift" in unsatisfiable(world)


def test_linking_can_leave_too_few(world: World) -> None:
    """Two people who turn out to be one are one."""
    for who in ("owner-b", "owner-of-m", "owner-a-again", "everything-but-admin", "both", "reviewer-b"):
        world.fire("admin", f.PrincipalSuspend(f"principals/{who}"))
    assert unsatisfiable(world) == []

    world.fire("admin", f.PrincipalLink("principals/owner-a", "principals/reviewer-a"))

    assert "hold.lift" in unsatisfiable(world)


def test_nobody_left_to_propose(world: World) -> None:
    """A rule whose slots are not the requester's takes a requester beside them."""
    for who in ("evaluator", "engineer", "everything-but-admin"):
        world.fire("admin", f.PrincipalSuspend(f"principals/{who}"))

    assert "hold.lift" in unsatisfiable(world)
