"""The permissions table against the contract, the rights and the directions."""

from __future__ import annotations

import pytest

from interlock.service.identity.permissions import METHODS, Entrance
from interlock.statemachine.rights import ALL_RIGHTS
from interlock.statemachine.triggers import DIRECTIONS, Direction
from tests.support.service import contract


def test_every_method_has_a_row_and_every_row_a_method() -> None:
    """A method that nobody thought about can't be called, and the table names nothing that is gone."""
    assert set(METHODS) == set(contract())


@pytest.mark.parametrize("method", METHODS)
def test_every_row_asks_for_a_right_that_exists(method: str) -> None:
    """A right that nobody can hold, or none where one is asked for, would be a wall or a hole."""
    permission = METHODS[method]

    assert (permission.right in ALL_RIGHTS) == (permission.entrance is Entrance.RIGHT)


def test_only_the_way_in_is_open_to_anyone() -> None:
    """Nothing but the login itself, an anonymous report and a signed recovery can be called without a session."""
    public = {method for method, permission in METHODS.items() if permission.entrance is Entrance.ANYONE}

    assert {method.rpartition("/")[2] for method in public} == {
        "Challenge",
        "Login",
        "LoginWithToken",
        "Recover",
        "ReportIncidentAnonymously",
    }


def test_no_method_fires_a_loosening_trigger() -> None:
    """No row's right is a trigger that may loosen: these happen in an applied change alone."""
    rights = {permission.right for permission in METHODS.values()}

    assert rights.isdisjoint({t.value for t, d in DIRECTIONS.items() if d is Direction.LOOSENS})


def test_every_tightening_and_neutral_trigger_has_exactly_one_method() -> None:
    """Whoever holds the right has a call for it, and one alone (api design)."""
    rights = [permission.right for permission in METHODS.values()]

    assert {t.value: rights.count(t.value) for t, d in DIRECTIONS.items() if d is not Direction.LOOSENS} == {
        t.value: 1 for t, d in DIRECTIONS.items() if d is not Direction.LOOSENS
    }
