"""Everything that can happen to one account, state by state: the directions of identity's triggers."""

from __future__ import annotations

import pytest

from interlock.statemachine.rights import IDENTITY
from interlock.statemachine.triggers import DIRECTIONS, Direction, Trigger
from tests.exhaustive.identity import DELEGATOR, Explored, explore

TAKING = IDENTITY - {"principal.link"}
"""Linking takes no power from an account, but a word from a person: ``tests/properties/test_taint.py`` derives that."""
GIVING = {
    "principal.create", "principal.restore", "credential.register", "credential.bind", "issuer.trust", "grant.give",
}  # fmt: skip


@pytest.fixture(scope="module")
def explored() -> Explored:
    """Everything that one account can come to."""
    return explore()


def test_every_trigger_of_identity_fires_somewhere(explored: Explored) -> None:
    """The exploration leaves none out, and reaches every state of an account."""
    assert {step.trigger for step in explored.steps} == TAKING | GIVING | {"delegation.give", "delegation.end"}
    assert len(explored.states) > 1000


def test_what_gives_loosens_and_nothing_else_gives(explored: Explored) -> None:
    """The triggers that ever give an account a power are marked as loosening; two others make way for these."""
    giving = {
        step.trigger
        for step in explored.steps
        if (explored.powers(step.after) - explored.powers(step.before)) - explored.borrowed(step.after)
    }

    assert giving == GIVING - {"principal.create", "issuer.trust"}
    assert {DIRECTIONS[Trigger(name)] for name in GIVING} == {Direction.LOOSENS}


def test_what_takes_tightens(explored: Explored) -> None:
    """Each trigger of an administrator takes a power somewhere and gives none anywhere."""
    taking = {step.trigger for step in explored.steps if explored.powers(step.before) - explored.powers(step.after)}

    assert taking >= TAKING | {"delegation.end"}
    assert {DIRECTIONS[Trigger(name)] for name in IDENTITY | {"delegation.end"}} == {Direction.TIGHTENS}


def test_what_is_lent_is_the_lenders(explored: Explored) -> None:
    """Delegating is neutral: all that it ever gives is to sign where its delegator could, as one person with them.

    That this lets no fewer people approve anything is ``tests/properties/test_quorum.py``.
    """
    given = [
        explored.powers(step.after) - explored.powers(step.before)
        for step in explored.steps
        if step.trigger == "delegation.give"
    ]

    assert set().union(*given) == {f"owner for {DELEGATOR}"}
    assert DIRECTIONS[Trigger.DELEGATION_GIVE] is Direction.NEUTRAL
