"""Recovery: what the quorum of the founding may do when nobody else can, and what it may not."""

from __future__ import annotations

import pytest

from interlock.proofs import dsse, keys
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.recovery import build_consent
from interlock.statemachine.unmet import Code, Refused
from tests.support.world import DAY_US, LOG_ID, World, codes, key_of, public_of

OWNER, REVIEWER = "principals/owner-b", "principals/reviewer-b"
BOTH = ("recovery-1", "recovery-2")


def document(world: World, *triggers: f.Firing, log_id: bytes = LOG_ID, lasts: int = DAY_US) -> bytes:
    """Return the bytes of a recovery; no two are the same."""
    world.nonces += 1
    end = max(world.now, world.state.time) + lasts
    return codec.encode_recovery(e.RecoveryDocument(log_id, triggers, end, b"%d" % world.nonces))


def signed(who: str, data: bytes, *, as_whom: str = "", use: str = "recovery") -> bytes:
    """Return somebody's envelope over a recovery."""
    payload = build_consent(data, f"principals/{as_whom or who}")
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of(f"principals/{who}", use)).to_json()


def recover(world: World, data: bytes, envelopes: tuple[bytes, ...], who: str = "recovery-1") -> Accepted | Refused:
    """Hand a recovery in, in the name of one of the quorum."""
    name = f"principals/{who}"
    actor = c.Actor(name, keys.fingerprint(public_of(name, "recovery")))
    return world.attempt(actor, c.Recover(data), envelopes=envelopes)


def by_both(world: World, *triggers: f.Firing) -> Accepted | Refused:
    """Have both people of the quorum sign and hand in."""
    data = document(world, *triggers)
    return recover(world, data, tuple(signed(who, data) for who in BOTH))


def taken(world: World) -> None:
    """Let a rogue administrator remove everybody else's account, and hold everything."""
    for account in sorted(item.name for item in world.state.all_of(r.Principal)):
        if not account.startswith("principals/recovery") and account != "principals/admin":
            world.must("admin", c.Fire(f.PrincipalRemove(account)))


def back(world: World, who: str, role: str) -> tuple[f.Firing, ...]:
    """Return what brings an account back with new keys and a role of before."""
    name = f"principals/{who}"
    return (
        f.PrincipalRestore(name),
        world.registration(who, "login", word="-2"),
        world.registration(who, "signoff", word="-2"),
        f.GrantGive(name, role, "*"),
    )


def test_after_any_loss_the_quorum_brings_people_back(world: World) -> None:
    """Invariant 6: accounts, keys and roles that a rogue administrator took; and everything is held."""
    taken(world)

    done = by_both(world, *back(world, "owner-b", "owner"), *back(world, "reviewer-b", "reviewer"))

    assert isinstance(done, Accepted), done
    assert {world.state.need(name, r.Principal).state for name in (OWNER, REVIEWER)} == {"active"}
    holds = world.state.holds_on("models/m")
    assert [world.state.need(name, r.Hold).target for name in holds] == ["-"]
    assert [grant.role for grant in world.state.grants(OWNER) if grant.state == "active"] == ["owner"]


@pytest.mark.parametrize("who", [("recovery-1",), ("recovery-1", "recovery-1"), ("recovery-2",)])
def test_one_person_recovers_nothing(who: tuple[str, ...], world: World) -> None:
    """The founding's threshold of people, each once."""
    data = document(world, f.PrincipalRestore(OWNER))

    decided = recover(world, data, tuple(signed(one, data) for one in who), who[0])

    assert Code.SIGN_OFF_MISSING in codes(decided)


def test_signatures_that_are_none(world: World) -> None:
    """By a sign-off key, in another's name, or over another document: refused whoever else signed."""
    world.fire("admin", f.PrincipalSuspend(OWNER))
    data, other = (document(world, f.PrincipalRestore(OWNER)) for _ in range(2))
    good = signed("recovery-1", data)

    for bad in (
        signed("owner-a", data, use="signoff"),
        signed("recovery-2", data, as_whom="recovery-1"),
        signed("recovery-2", other),
        b"{}",
    ):
        assert codes(recover(world, data, (good, bad))) == [Code.SIGN_OFF_SIGNATURE]


def test_a_recovery_is_done_once_in_its_time_and_in_its_log(world: World) -> None:
    """What was done is not done again; nor what is over, nor what another log's quorum signed."""
    world.fire("admin", f.PrincipalSuspend(OWNER))
    data = document(world, f.PrincipalRestore(OWNER))
    envelopes = tuple(signed(who, data) for who in BOTH)
    assert isinstance(recover(world, data, envelopes), Accepted)
    world.fire("admin", f.PrincipalSuspend(OWNER))
    assert codes(recover(world, data, envelopes)) == [Code.SIGN_OFF_REPLAYED]

    for odd, code in (
        (document(world, f.PrincipalRestore(OWNER), lasts=-1), Code.SIGN_OFF_ENDED),
        (document(world, f.PrincipalRestore(OWNER), log_id=bytes(16)), Code.SIGN_OFF_SUBJECT),
    ):
        assert codes(recover(world, odd, tuple(signed(who, odd) for who in BOTH))) == [code]


@pytest.mark.parametrize(
    ("firing", "code"),
    [
        (f.HoldLift("holds/1"), Code.RECOVERY_ONLY),
        (f.PrincipalCreate("principals/new", "human", "persons/new"), Code.RECOVERY_ONLY),
        (f.PrincipalSuspend(OWNER), Code.RECOVERY_ONLY),
        (f.GrantGive(OWNER, "reviewer", "*"), Code.NEVER_HELD),
        (f.GrantGive("principals/owner-of-m", "owner", "*"), Code.NEVER_HELD),
        (f.GrantGive("principals/recovery-1", "owner", "*"), Code.NEVER_HELD),
    ],
)
def test_what_it_may_not(firing: f.Firing, code: Code, world: World) -> None:
    """It gives back what was taken: no other trigger, no role that was never held, none on more models."""
    assert codes(by_both(world, firing)) == [code]


def test_all_or_nothing(world: World) -> None:
    """A trigger that can't fire stops the whole of it, and no hold is placed."""
    decided = by_both(world, f.PrincipalRestore(OWNER))

    assert codes(decided) == [Code.NO_SUCH_EDGE]
    assert world.state.holds_on("models/m") == ()


def test_somebody_else_as_the_actor(world: World) -> None:
    """The entry names one of those who signed."""
    world.fire("admin", f.PrincipalSuspend(OWNER))
    data = document(world, f.PrincipalRestore(OWNER))
    envelopes = tuple(signed(who, data) for who in BOTH)

    decided = world.attempt("admin", c.Recover(data), envelopes=envelopes)

    assert codes(decided) == [Code.SIGN_OFF_SIGNER]


def test_it_gives_no_admin_an_approving_role(world: World) -> None:
    """Nor the other way round: what a change may not give, recovery may not either."""
    world.enact(f.GrantGive("principals/engineer", "owner", "*"))
    world.must("admin", c.Fire(f.GrantEnd(world.state.grants("principals/engineer")[-1].name)))
    world.enact(f.GrantGive("principals/engineer", "admin", "*"))

    assert codes(by_both(world, f.GrantGive("principals/engineer", "owner", "*"))) == [Code.ADMIN_CONFLICT]
