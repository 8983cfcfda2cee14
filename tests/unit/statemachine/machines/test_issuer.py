"""Subjects of OpenID providers: whose they are, under every record of the same provider."""

from __future__ import annotations

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.unmet import Code
from tests.support.world import World, codes

URL = "https://sso.example"


@pytest.fixture
def world() -> World:
    """Give a log that trusts one provider for two audiences, and another one; an engineer is bound to the first."""
    made = World.found()
    made.enact(
        f.IssuerTrust("issuers/sso", URL, "here", "RS256"), f.IssuerTrust("issuers/again", URL, "there", "RS256")
    )
    made.enact(f.IssuerTrust("issuers/other", "https://other.example", "here", "RS256"))
    made.enact(f.CredentialBind("principals/engineer", "issuers/sso", "4711"))
    return made


def bound(world: World, who: str, issuer: str) -> list[str]:
    """Have somebody propose to bind the engineer's subject; return why that is refused."""
    firing = f.CredentialBind(f"principals/{who}", f"issuers/{issuer}", "4711")
    return codes(world.attempt("evaluator", c.ProposeChange(world.content(firing))))


def test_regression_a_subject_is_nobody_elses_for_another_audience(world: World) -> None:
    """Else one person would log in as two accounts, by two records of one provider."""
    assert bound(world, "owner-a", "sso") == [Code.KEY_TAKEN]
    assert bound(world, "owner-a", "again") == [Code.KEY_TAKEN]


def test_the_same_account_for_another_audience(world: World) -> None:
    """It is theirs there too; and at another provider the same word is somebody else."""
    assert bound(world, "engineer", "again") == []
    assert bound(world, "owner-a", "other") == []
