"""The log's key rotates: by a change, with the words of both keys, and the old one signs no tree with that entry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.proofs.log_keys import LogKey
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import forms
from interlock.statemachine import resources as r
from interlock.statemachine.codec import encode_entry
from interlock.statemachine.decide import Accepted
from interlock.statemachine.log_keys import history, proof_bytes, rotation_bytes
from interlock.statemachine.names import credential_name
from interlock.statemachine.replay import Replay
from interlock.statemachine.taint import judge_all
from interlock.statemachine.unmet import Code
from tests.support.log_keys import QUORUM, document, hand_in, head, new_key, rotation
from tests.support.world import LOG_ID, World, codes, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "principals/owner-a"


def unmet(world: World, *firings: f.Firing) -> list[str]:
    """Return why nobody can propose these together."""
    return codes(world.attempt("evaluator", c.ProposeChange(world.content(*firings))))


def test_the_entry_that_applies_it_ends_the_old_key(world: World) -> None:
    """Of what was there before it the old key may have signed heads, of a tree with this entry it signs none."""
    world.enact(rotation())

    at = world.state.head
    log = world.state.log
    assert log.log_key == public_of("second", "log")
    assert log.retired == (r.RetiredKey(public_of("log", "log"), at, at),)
    assert history(log, "x").keys == (LogKey(public_of("log", "log"), at), LogKey(public_of("second", "log")))


def test_nothing_is_held_and_no_verdict_moves(world: World) -> None:
    """That is what a recovery does: here nobody lost anything."""
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    before = world.verdict("models/m", "internal")

    world.enact(rotation())

    assert world.verdict("models/m", "internal").reasons == before.reasons
    assert world.state.holds_on("models/m") == ()


def test_nobody_does_it_alone(world: World) -> None:
    """One word is not enough, and there is no way without a change."""
    assert codes(world.attempt("admin", c.Fire(rotation()))) == [Code.CHANGE_REQUIRED]

    change = world.propose("evaluator", rotation())
    world.sign("owner-a", change)

    assert world.state.log.log_key == public_of("log", "log")
    assert Code.SIGN_OFF_MISSING in codes(world.attempt("evaluator", c.ApplyApprovedChange(change)))


def test_it_is_decided_again_alike(world: World) -> None:
    """A replay from nothing comes to the same keys."""
    world.enact(rotation())

    replay = Replay(world.resolve)
    for entry in world.entries:
        replay.feed(encode_entry(entry))

    assert replay.findings == []
    assert replay.state.log == world.state.log


def persons() -> f.LogRotateKey:
    """Return a rotation to the sign-off key of a person, who says both words."""
    public, private = public_of(OWNER, "signoff"), key_of(OWNER, "signoff")
    word = key_of("log", "log").sign(rotation_bytes(LOG_ID, public))
    return f.LogRotateKey(public, private.sign(proof_bytes(LOG_ID, public)), word)


def decisions() -> f.LogRotateKey:
    """Return a rotation to the key that signs decisions."""
    public, private = public_of("log", "decision"), key_of("log", "decision")
    word = key_of("log", "log").sign(rotation_bytes(LOG_ID, public))
    return f.LogRotateKey(public, private.sign(proof_bytes(LOG_ID, public)), word)


ODD: dict[str, tuple[Callable[[], f.LogRotateKey], Code]] = {
    "without the new key's proof": (lambda: replace(rotation(), proof=bytes(64)), Code.POSSESSION),
    "without the old key's word": (lambda: replace(rotation(), replaces_proof=bytes(64)), Code.POSSESSION),
    "the new key says both": (lambda: rotation("second", "second"), Code.POSSESSION),
    "the word of a key that it never had": (lambda: rotation("second", "third"), Code.POSSESSION),
    "the words exchanged": (
        lambda: replace(rotation(), proof=rotation().replaces_proof, replaces_proof=rotation().proof), Code.POSSESSION,
    ),
    "proven for another log": (lambda: rotation(proven_in=bytes(16)), Code.POSSESSION),
    "another log's word of the old key": (
        lambda: replace(rotation(), replaces_proof=rotation(proven_in=bytes(16)).replaces_proof), Code.POSSESSION,
    ),
    "words for another key": (
        lambda: replace(rotation(), replaces_proof=rotation("third").replaces_proof), Code.POSSESSION,
    ),
    "no key": (lambda: replace(rotation(), public_key=bytes(32)), Code.POSSESSION),
    "a key of another curve": (lambda: replace(rotation(), public_key=b"\x02" + bytes(32)), Code.POSSESSION),
    "the present one": (lambda: rotation("log"), Code.KEY_TAKEN),
    "a person's": (persons, Code.KEY_TAKEN),
    "the one that signs decisions": (decisions, Code.KEY_TAKEN),
    "half a key": (lambda: replace(rotation(), public_key=bytes(31)), Code.MALFORMED),
    "half a proof": (lambda: replace(rotation(), proof=bytes(1)), Code.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_what_it_may_not_rotate_to(odd: str, world: World) -> None:
    """A key that nobody has shown to have, one that somebody has, and one for which the old key says no word."""
    make, code = ODD[odd]
    if code is Code.MALFORMED:
        assert [row.code for row in forms.malformed(make())] == [code]
        return

    assert unmet(world, make()) == [code]
    assert world.state.log.log_key == public_of("log", "log")


def test_twice_in_a_row(world: World) -> None:
    """Each ends where the next one was put in force; none of them ever comes back."""
    world.enact(rotation("second"))
    first = world.state.head
    world.enact(rotation("third", "second"))

    assert [row.last_size for row in world.state.log.retired] == [first, world.state.head]
    assert unmet(world, rotation("log", "third")) == [Code.KEY_TAKEN]
    assert unmet(world, rotation("second", "third")) == [Code.KEY_TAKEN]
    assert unmet(world, rotation("fourth", "second")) == [Code.POSSESSION]


def test_not_twice_in_one_change(world: World) -> None:
    """A key that was in force at no head says no word for another."""
    assert unmet(world, rotation("second"), rotation("third", "second")) == [Code.KEY_TAKEN]


def test_two_that_wait_are_not_both_applied(world: World) -> None:
    """The second was written on a log with the old key: it has to be written anew, and the old key's word with it."""
    first, second = world.propose("evaluator", rotation("second")), world.propose("evaluator", rotation("third"))
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, first)
    world.sign("owner-a", second)

    done = world.sign("reviewer-a", second)

    assert Code.BASE_MOVED in codes(world.attempt("evaluator", c.ApplyApprovedChange(second))), done
    assert world.state.log.log_key == public_of("second", "log")


def test_a_recovery_goes_before_a_rotation_that_waits(world: World) -> None:
    """Who signed for a rotation had not heard of the recovery."""
    change = world.propose("evaluator", rotation("second"))
    assert isinstance(hand_in(world, document(world, new_key("third", head(world))), *QUORUM), Accepted)
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)

    assert world.state.log.log_key == public_of("third", "log")
    assert Code.BASE_MOVED in codes(world.attempt("evaluator", c.ApplyApprovedChange(change)))


def test_a_recovery_after_it_ends_the_new_key_no_earlier(world: World) -> None:
    """The quorum chooses among the heads that the key in force may have signed alone."""
    world.enact(rotation("second"))
    at = world.state.head

    assert codes(hand_in(world, document(world, new_key("third", head(world, at - 1))), *QUORUM)) == [Code.LOG_HEAD]
    assert isinstance(hand_in(world, document(world, new_key("third", head(world, at))), *QUORUM), Accepted)


def test_the_key_that_was_rotated_away_is_nobodys(world: World) -> None:
    """No account registers it, before the change is applied or after it."""
    world.enact(rotation("second"))
    old = replace(world.registration("owner-b", "login"), public_key=public_of("log", "log"))

    assert unmet(world, old) == [Code.KEY_TAKEN]


def test_a_key_that_was_registered_meanwhile(world: World) -> None:
    """It became somebody's after the rotation was proposed: it is not applied."""
    change = world.propose("evaluator", persons_to_be(world))
    world.enact(world.registration("owner-b", "login", word="-2"))
    world.sign("owner-a", change)

    world.sign("reviewer-a", change)

    assert world.state.log.log_key == public_of("log", "log")
    assert Code.KEY_TAKEN in codes(world.attempt("evaluator", c.ApplyApprovedChange(change)))


def persons_to_be(world: World) -> f.LogRotateKey:
    """Return a rotation to the very key that an account registers next."""
    private = key_of("principals/owner-b", "login-2")
    public = world.registration("owner-b", "login", word="-2").public_key
    word = key_of("log", "log").sign(rotation_bytes(LOG_ID, public))
    return f.LogRotateKey(public, private.sign(proof_bytes(LOG_ID, public)), word)


# Taint ------------------------------------------------------------------------------------------------------------


def tainted(world: World) -> str:
    """Rotate the key, then learn that a signer's key was somebody else's by then; return the change."""
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    change = world.enact(rotation("second"))
    keys = world.state.need(OWNER, r.Principal).credentials
    stolen = next(key.fingerprint for key in keys if key.use == "signoff")
    world.must("admin", c.Fire(f.CredentialRevoke(credential_name(OWNER, stolen), 1)))
    assert world.state.tainted
    assert judge_all(world.state).tainted == world.state.tainted
    return change


def denied(world: World) -> bool:
    """Say whether the gate denies because of the log's key."""
    reasons = world.verdict("models/m", "internal").reasons
    return any((reason.code, reason.resource) == (Code.TAINTED, "log") for reason in reasons)


def test_a_tainted_rotation_denies_everything(world: World) -> None:
    """Nobody validly said whose key speaks for this log; the entries stay as they are."""
    tainted(world)

    assert denied(world)
    assert world.state.log.log_key == public_of("second", "log")


def test_it_is_ratified_like_any_change(world: World) -> None:
    """By the rules that it was asked, by people whose keys are good."""
    change = tainted(world)

    digest = world.state.need(change, r.Change).content_digest
    world.enact(f.ChangeRatify(change, digest), signers=("owner-b", "reviewer-a"))

    assert not denied(world)


def test_or_the_key_is_rotated_once_more(world: World) -> None:
    """By a change that stands; what the key before it signed is a prefix of this log all the same."""
    tainted(world)

    world.enact(rotation("third", "second"), signers=("owner-b", "reviewer-a"))

    assert not denied(world)


def test_or_the_recovery_quorum_names_another(world: World) -> None:
    """Which rests on no change."""
    tainted(world)

    assert isinstance(hand_in(world, document(world, new_key("third", head(world))), *QUORUM), Accepted)

    assert not denied(world)
