"""A new key of the log: what the recovery quorum may name, and where the old one ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import possession
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.log_keys import proof_bytes
from interlock.statemachine.unmet import Code
from tests.support.log_keys import QUORUM, document, hand_in, head, name_key, new_key
from tests.support.world import World, codes, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "principals/owner-b"


@pytest.fixture
def grown(world: World) -> World:
    """Return a log of a few entries."""
    for number in range(4):
        world.must("evaluator", c.Fire(f.ModelRegister(f"models/m{number}")))
    return world


def test_the_quorum_names_a_key_and_everything_is_held(grown: World) -> None:
    """From its entry on the new key is the log's; the old one ends where the quorum said."""
    at = grown.state.size

    done = hand_in(grown, document(grown, new_key("second", head(grown, 3))), *QUORUM)

    assert isinstance(done, Accepted), done
    log = grown.state.log
    assert log.log_key == public_of("second", "log")
    assert log.retired == (r.RetiredKey(public_of("log", "log"), 3, at),)
    assert [grown.state.need(name, r.Hold).target for name in grown.state.holds_on("models/m0")] == ["-"]


def test_it_may_give_back_as_well(grown: World) -> None:
    """One document, one entry: whoever lost everything signs once."""
    grown.fire("admin", f.PrincipalSuspend(OWNER))

    done = hand_in(grown, document(grown, new_key("second", head(grown)), f.PrincipalRestore(OWNER)), *QUORUM)

    assert isinstance(done, Accepted), done
    assert grown.state.need(OWNER, r.Principal).state == "active"


def test_one_person_names_no_key(grown: World) -> None:
    """The founding's threshold of people."""
    data = document(grown, new_key("second", head(grown)))

    assert codes(hand_in(grown, data, "recovery-1")) == [Code.SIGN_OFF_MISSING]


ODD: dict[str, tuple[Callable[[World], e.NewLogKey], Code]] = {
    "without proof": (lambda w: replace(new_key("second", head(w)), proof=bytes(64)), Code.POSSESSION),
    "proven elsewhere": (lambda w: new_key("second", head(w), proven_in=bytes(16)), Code.POSSESSION),
    "no key": (lambda w: e.NewLogKey(b"x", b"", head(w)), Code.POSSESSION),
    "of small order": (lambda w: e.NewLogKey(bytes(32), bytes(64), head(w)), Code.POSSESSION),
    "the present one": (lambda w: new_key("log", head(w)), Code.KEY_TAKEN),
    "before the founding's end": (lambda w: new_key("second", head(w, 1)), Code.LOG_HEAD),
    "past the head": (lambda w: new_key("second", e.TreeHead(w.state.size + 1, bytes(32))), Code.LOG_HEAD),
    "no root": (lambda w: new_key("second", replace(head(w), root=b"")), Code.LOG_HEAD),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_it_may_not_name(odd: str, grown: World) -> None:
    """A key that nobody has shown to have, one of before, and an end that is no head of this log."""
    make, code = ODD[odd]

    assert codes(hand_in(grown, document(grown, make(grown)), *QUORUM)) == [code]
    assert grown.state.log.log_key == public_of("log", "log")


def test_everything_unmet_is_told_at_once(grown: World) -> None:
    """One signer, a key without proof, an end of nowhere."""
    data = document(grown, replace(new_key("second", e.TreeHead(99, bytes(32))), proof=b""))

    found = codes(hand_in(grown, data, "recovery-1"))

    assert set(found) == {Code.SIGN_OFF_MISSING, Code.POSSESSION, Code.LOG_HEAD}


def test_a_key_never_comes_back(grown: World) -> None:
    """Not as the log's own, nor as anybody's; and no key of somebody's becomes the log's."""
    name_key(grown)
    assert codes(hand_in(grown, document(grown, new_key("log", head(grown))), *QUORUM)) == [Code.KEY_TAKEN]

    private = key_of("principals/owner-a", "signoff")
    public = public_of("principals/owner-a", "signoff")
    taken = e.NewLogKey(public, private.sign(proof_bytes(grown.state.log.log_id, public)), head(grown))
    assert codes(hand_in(grown, document(grown, taken), *QUORUM)) == [Code.KEY_TAKEN]


def test_no_account_gets_an_old_key_of_the_log(grown: World) -> None:
    """Whoever has the old key is nobody."""
    name_key(grown)
    old = key_of("log", "log")
    public = public_of("log", "log")
    proof = old.sign(possession.registration_bytes(grown.state.log.log_id, OWNER, "login", keys.fingerprint(public)))

    done = hand_in(grown, document(grown, None, f.CredentialRegister(OWNER, "login", public, proof)), *QUORUM)

    assert codes(done) == [Code.KEY_TAKEN]


def test_an_end_never_lies_before_an_earlier_one(grown: World) -> None:
    """The second key ends no earlier than the first did: its heads are of larger trees."""
    name_key(grown, "second", 5)

    early = hand_in(grown, document(grown, new_key("third", head(grown, 4))), *QUORUM)
    assert codes(early) == [Code.LOG_HEAD]

    name_key(grown, "third", 5)
    assert [key.last_size for key in grown.state.log.retired] == [5, 5]


# Restores ---------------------------------------------------------------------------------------------------------


def restoring(world: World, **changes: object) -> bytes:
    """Return a document that accepts the loss of a longer log."""
    parts: dict[str, object] = {"lost": e.TreeHead(world.state.size + 3, bytes(32)), **changes}
    key = parts.pop("key", new_key("second", head(world)))
    return document(world, key, **parts)  # type: ignore[arg-type]  # what it takes


def test_a_loss_is_accepted_with_a_new_key(grown: World) -> None:
    """The log says what was kept and what was lost, and the old key ends there: who saw more finds it here."""
    size, kept = grown.state.size, head(grown)

    done = hand_in(grown, restoring(grown), *QUORUM)

    assert isinstance(done, Accepted), done
    assert grown.state.log.restores == (r.Restore(size, kept.root, size + 3, bytes(32), size),)
    assert grown.state.log.retired[-1].last_size == size
    assert grown.state.holds_on("models/m0")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lost": e.TreeHead(4, bytes(32))}, Code.NOT_ROLLED_BACK),
        ({"lost": e.TreeHead(99, b"")}, Code.NOT_ROLLED_BACK),
        ({"key": None}, Code.LOG_HEAD),
        ({"lasts": -1}, Code.SIGN_OFF_ENDED),
    ],
)
def test_what_is_no_acceptance(changes: dict[str, object], code: Code, grown: World) -> None:
    """Of a log that was no longer, without a new key, out of its time."""
    found = codes(hand_in(grown, restoring(grown, **changes), *QUORUM))

    assert code in found


def test_an_acceptance_is_for_one_head_and_one_time(grown: World) -> None:
    """Not of another head than the one that the log has; not a second time; not by one person."""
    early = restoring(grown, key=new_key("second", head(grown, 4)))
    assert codes(hand_in(grown, early, *QUORUM)) == [Code.LOG_HEAD]
    good = restoring(grown)
    assert codes(hand_in(grown, good, "recovery-2")) == [Code.SIGN_OFF_MISSING]

    assert isinstance(hand_in(grown, good, *QUORUM), Accepted)

    assert Code.SIGN_OFF_REPLAYED in codes(hand_in(grown, good, *QUORUM))
