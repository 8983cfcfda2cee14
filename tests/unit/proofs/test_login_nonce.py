"""The nonce of a login at a provider: one value for each server, log and secret, and a form that says so."""

from __future__ import annotations

import pytest

from interlock.proofs.login_nonce import is_bound, login_nonce

LOG = bytes(range(16))
SECRET = bytes(range(32))


def test_the_form_stays_as_it_is() -> None:
    """Clients and servers of different versions make the same."""
    assert login_nonce(LOG, "interlock", SECRET) == "interlock-1.k4nqNZtEDcOTcngqRtpVHGPnBok70IehNl9wMHnu0BA"


def test_each_part_counts() -> None:
    """Another log, another server or another secret is another nonce."""
    parts = ((LOG, "interlock", SECRET), (LOG[::-1], "interlock", SECRET), (LOG, "other", SECRET))
    made = {login_nonce(*part) for part in (*parts, (LOG, "interlock", SECRET[::-1]))}

    assert len(made) == 4
    assert all(map(is_bound, made))


@pytest.mark.parametrize(
    "nonce", [None, "", "n-1", 7, ["interlock-1.x"], {"interlock-1.": 1}, "Interlock-1.x"], ids=str
)
def test_a_nonce_of_somebody_elses(nonce: object) -> None:
    """Whatever else a token says there binds it to nothing here."""
    assert not is_bound(nonce)
