"""Subjects of OpenID providers: whose they are, under every record of the same provider."""

from __future__ import annotations

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.replay import Replay
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, World, codes

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


def binding(who: str, issuer: str) -> f.CredentialBind:
    """Return what binds the engineer's subject to an account."""
    return f.CredentialBind(f"principals/{who}", f"issuers/{issuer}", "4711")


def bound(world: World, who: str, issuer: str) -> list[str]:
    """Have somebody propose to bind the engineer's subject; return why that is refused."""
    firing = binding(who, issuer)
    return codes(world.attempt("evaluator", c.ProposeChange(world.content(firing))))


def test_regression_a_subject_is_nobody_elses_for_another_audience(world: World) -> None:
    """Else one person would log in as two accounts, by two records of one provider."""
    assert bound(world, "owner-a", "sso") == [Code.KEY_TAKEN]
    assert bound(world, "owner-a", "again") == [Code.KEY_TAKEN]


def test_the_same_account_for_another_audience(world: World) -> None:
    """It is theirs there too; and at another provider the same word is somebody else."""
    assert bound(world, "engineer", "again") == []
    assert bound(world, "owner-a", "other") == []


# After an issuer was distrusted --------------------------------------------------------------------------------------

CLAIMS = ("ref=main", "repository=acme/aurora")


@pytest.fixture
def anew(world: World) -> World:
    """Give the log after the first record was distrusted and the same provider was trusted anew for that audience."""
    world.enact(f.PrincipalCreate("principals/ci", "service"), f.PrincipalCreate("principals/ci-2", "service"))
    world.enact(f.CredentialBind("principals/ci", "issuers/sso", "", CLAIMS))
    world.must("admin", c.Fire(f.IssuerDistrust("issuers/sso")))
    world.enact(f.IssuerTrust("issuers/sso-2", URL, "here", "RS256"))
    return world


def test_regression_the_same_account_is_bound_again(anew: World) -> None:
    """By a change, under the new record, as another credential: what the old one opened stays shut."""
    before = anew.state.need("principals/engineer", r.Principal).credentials[-1]

    anew.enact(binding("engineer", "sso-2"))

    *_, old, new = anew.state.need("principals/engineer", r.Principal).credentials
    assert (old, old.state) == (before, "revoked")
    assert (new.state, new.subject, new.issuer) == ("active", "4711", "issuers/sso-2")
    assert new.fingerprint != old.fingerprint


def test_nobody_binds_it_alone(anew: World) -> None:
    """Trusting anew and binding again are changes, like the first time."""
    for who in ("admin", "owner-a", "engineer"):
        assert codes(anew.fire(who, binding("engineer", "sso-2"))) == [Code.CHANGE_REQUIRED]
        assert codes(anew.fire(who, f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))) == [Code.CHANGE_REQUIRED]


@pytest.mark.parametrize("who", ["owner-a", "evaluator"])
def test_it_stays_nobody_elses(who: str, anew: World) -> None:
    """Before and after it was bound again, and after it was distrusted again."""
    assert bound(anew, who, "sso-2") == [Code.KEY_TAKEN]

    anew.enact(binding("engineer", "sso-2"))
    assert bound(anew, who, "sso-2") == [Code.KEY_TAKEN]

    anew.must("admin", c.Fire(f.IssuerDistrust("issuers/sso-2")))
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))
    assert bound(anew, who, "sso-3") == [Code.KEY_TAKEN]
    assert bound(anew, "engineer", "sso-3") == []


def test_claims_stay_the_pipelines(anew: World) -> None:
    """What has no subject is held to the claims: this account again, no other one."""
    mine = f.CredentialBind("principals/ci", "issuers/sso-2", "", CLAIMS[::-1])
    theirs = f.CredentialBind("principals/ci-2", "issuers/sso-2", "", CLAIMS)

    assert codes(anew.attempt("evaluator", c.ProposeChange(anew.content(theirs)))) == [Code.KEY_TAKEN]
    anew.enact(mine)
    assert codes(anew.attempt("evaluator", c.ProposeChange(anew.content(theirs)))) == [Code.KEY_TAKEN]


def test_what_is_bound_is_not_bound_twice(anew: World) -> None:
    """Not while it stands, under the same record or a second one; else whoever ends one would end half of it."""
    anew.enact(binding("engineer", "sso-2"))
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))

    assert bound(anew, "engineer", "sso-2") == [Code.KEY_TAKEN]
    assert bound(anew, "engineer", "sso-3") == [Code.KEY_TAKEN]


def revoke(world: World, issuer: str, since: int = 0) -> None:
    """Revoke the engineer's binding to an issuer."""
    [key] = [
        key for key in world.state.need("principals/engineer", r.Principal).credentials
        if key.issuer == f"issuers/{issuer}" and key.state == "active"
    ]  # fmt: skip
    name = names.credential_name("principals/engineer", key.fingerprint)
    world.must("admin", c.Fire(f.CredentialRevoke(name, since)))


def test_a_binding_that_was_revoked_by_itself(anew: World) -> None:
    """While its issuer is trusted, revoked is for ever, by whichever record; it was that person who was shut out."""
    anew.enact(binding("engineer", "sso-2"))
    revoke(anew, "sso-2")
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))

    assert bound(anew, "engineer", "sso-2") == [Code.KEY_TAKEN]
    assert bound(anew, "engineer", "sso-3") == [Code.KEY_TAKEN]


def test_a_subject_that_was_somebody_elses_word(anew: World) -> None:
    """One that is known to have been compromised is bound to nobody any more, whatever was distrusted."""
    anew.enact(binding("engineer", "sso-2"))
    revoke(anew, "sso-2", anew.now)
    anew.must("admin", c.Fire(f.IssuerDistrust("issuers/sso-2")))
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))

    assert bound(anew, "engineer", "sso-3") == [Code.KEY_TAKEN]


def until(issuer: str, end: int) -> f.CredentialBind:
    """Return what binds the engineer until then."""
    return f.CredentialBind("principals/engineer", f"issuers/{issuer}", "4711", (), end)


def test_regression_a_binding_that_ran_out_is_made_again(anew: World) -> None:
    """Under another record of the provider, by a change; else its person could not log in by it any more."""
    end = anew.state.time + DAY_US
    anew.enact(until("sso-2", end))
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))
    early = bound(anew, "engineer", "sso-3")
    anew.wait(2 * DAY_US)

    assert early == [Code.KEY_TAKEN]
    assert bound(anew, "engineer", "sso-2") == [Code.KEY_TAKEN]
    assert bound(anew, "owner-a", "sso-3") == [Code.KEY_TAKEN]
    anew.enact(binding("engineer", "sso-3"))
    *_, old, new = anew.state.need("principals/engineer", r.Principal).credentials
    assert (old.active_at(anew.now), new.active_at(anew.now)) == (False, True)


def test_a_binding_that_was_revoked_and_then_would_have_ended(anew: World) -> None:
    """It was that person who was shut out: no time brings them back."""
    anew.enact(until("sso-2", anew.state.time + DAY_US))
    revoke(anew, "sso-2")
    anew.enact(f.IssuerTrust("issuers/sso-3", URL, "here", "RS256"))
    anew.wait(2 * DAY_US)

    assert bound(anew, "engineer", "sso-3") == [Code.KEY_TAKEN]


def test_under_the_distrusted_record(anew: World) -> None:
    """Its id means what it meant; nothing is bound to it any more."""
    assert bound(anew, "engineer", "sso") == [Code.ISSUER_DISTRUSTED]


def test_a_verifier_decides_alike(anew: World) -> None:
    """The whole story is decided again from its bytes."""
    anew.enact(binding("engineer", "sso-2"))

    again = Replay(anew.objects.__getitem__)
    for data in anew.encoded():
        again.feed(data)

    assert again.findings == []
    assert again.state.size == anew.state.size
