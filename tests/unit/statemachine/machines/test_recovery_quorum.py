"""Taking from the recovery quorum: by a change and never by one person, and never so that nobody could recover."""

from __future__ import annotations

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.names import credential_name
from interlock.statemachine.unmet import Code
from tests.support.log_keys import document, hand_in, head, new_key
from tests.support.world import MINIMAL_CAST, Member, World, codes

FIRST, THIRD = "principals/recovery-1", "principals/recovery-3"


@pytest.fixture(scope="module")
def _founded() -> World:
    return World.found(cast=(*MINIMAL_CAST, Member("recovery-3", recovery=True)))


@pytest.fixture
def world(_founded: World) -> World:
    """Return a log whose recovery takes two of three people."""
    return _founded.fork()


def key_name(world: World, who: str) -> str:
    """Return the name of a member's key."""
    return credential_name(who, world.state.need(who, r.Principal).credentials[0].fingerprint)


def named(world: World, *who: str) -> list[str]:
    """Have members sign a recovery; return what stands against it."""
    data = document(world, new_key(f"key-{world.state.size}", head(world)))
    done = hand_in(world, data, *who)
    return [] if isinstance(done, Accepted) else codes(done)


def test_a_suspended_member_recovers_nothing(world: World) -> None:
    """Until a change brings them back, with the key that they had."""
    world.enact(f.RecoverySuspend(THIRD))

    assert named(world, "recovery-1", "recovery-3") == [Code.SIGN_OFF_SIGNATURE]
    assert named(world, "recovery-1", "recovery-2") == []
    world.enact(f.PrincipalRestore(THIRD))
    assert named(world, "recovery-1", "recovery-3") == []


def test_a_revoked_key_recovers_nothing(world: World) -> None:
    """For ever: restoring its holder brings no key back."""
    world.enact(f.RecoveryRevoke(key_name(world, THIRD)))

    assert named(world, "recovery-1", "recovery-3") == [Code.SIGN_OFF_SIGNATURE]
    assert named(world, "recovery-1", "recovery-2") == []


def test_nobody_does_it_alone(world: World) -> None:
    """An administrator is told to propose it; what takes an ordinary account or key does not take one of these."""
    for firing in (f.RecoverySuspend(THIRD), f.RecoveryRevoke(key_name(world, THIRD))):
        assert codes(world.attempt("admin", c.Fire(firing))) == [Code.CHANGE_REQUIRED]
    for taking in (f.PrincipalSuspend(THIRD), f.PrincipalRemove(THIRD), f.CredentialRevoke(key_name(world, THIRD))):
        assert codes(world.attempt("admin", c.Fire(taking))) == [Code.RECOVERY_QUORUM]


def test_so_many_are_left_that_a_log_can_be_recovered(world: World) -> None:
    """The third may go, the second may not: neither by their account nor by their key, in one change or in two."""
    assert unmet(world, f.RecoverySuspend(THIRD), f.RecoverySuspend(FIRST)) == {Code.RECOVERY_QUORUM}
    world.enact(f.RecoverySuspend(THIRD))

    for firing in (f.RecoverySuspend(FIRST), f.RecoveryRevoke(key_name(world, FIRST))):
        assert unmet(world, firing) == {Code.RECOVERY_QUORUM}


def test_what_is_none_of_the_quorums(world: World) -> None:
    """Other accounts and keys have triggers of their own, and what is taken is not taken twice."""
    owner = "principals/owner-b"

    assert unmet(world, f.RecoverySuspend(owner)) == {Code.RECOVERY_QUORUM}
    assert unmet(world, f.RecoveryRevoke(key_name(world, owner))) == {Code.RECOVERY_QUORUM}
    assert unmet(world, f.RecoverySuspend("principals/nobody")) == {Code.NOT_FOUND}
    world.enact(f.RecoverySuspend(THIRD))
    assert unmet(world, f.RecoverySuspend(THIRD)) == {Code.NO_SUCH_EDGE}


def unmet(world: World, *firings: f.Firing) -> set[str]:
    """Return why nobody can propose these together."""
    return set(codes(world.attempt("evaluator", c.ProposeChange(world.content(*firings)))))
