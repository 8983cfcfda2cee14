"""A log that has changed its key, judged by whoever pins the old key or the new one, and against who stole the old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.client.verify import LOG, Trust, VerifyReport
from interlock.proofs import note
from interlock.statemachine import codec
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine.decide import Accepted
from tests.support.bundles import NAME, VKEY, Parts, codes, judged, signed_head, trust_in
from tests.support.excerpts import Cut
from tests.support.log_keys import QUORUM, document, hand_in, head, new_key
from tests.support.parted import M, must, state
from tests.support.rekeyed import LAST, SECOND, rekeyed, whole
from tests.support.stories import sign
from tests.support.world import World, key_of, public_of


def trust(**parts: object) -> Trust:
    """Return what an auditor holds it to: the first key, the founding."""
    return replace(trust_in(rekeyed()[0]), **parts)  # type: ignore[arg-type]


def judge(parts: Parts | Cut, **pins: object) -> VerifyReport:
    """Return what the verifier says."""
    return judged(parts.data, trust(**pins))


@pytest.mark.parametrize("key", [VKEY, SECOND])
@pytest.mark.parametrize("pinned", [True, False])
def test_it_verifies_under_the_old_key_and_under_the_new(key: str, *, pinned: bool) -> None:
    """Either leads to the other: entry by entry, from a founding that the pinned key signed."""
    report = judge(whole(), log_key=key, **({} if pinned else {"genesis_digest": b"", "log_id": b""}))

    assert report.findings == ()
    assert [(row.last_size, row.retired_by) for row in report.retired] == [(LAST, rekeyed()[1]["named"])]
    assert [key.public_key for key in report.keys] == [public_of("log", "log"), public_of("second", "log")]


def test_the_old_key_extends_nothing_after_its_end() -> None:
    """A thief of it signs the log as it is, entry that ended it included: found by whoever reads that entry."""
    world, _ = rekeyed()

    report = judge(replace(whole(), head=signed_head(world.encoded())))

    assert codes(report) == [("checkpoint", LOG, "LOG_KEY_ENDED")]


def test_the_old_key_signs_no_checkpoint_past_its_end() -> None:
    """Nor between its end and the entry that says so: what it signed there may be the thief's."""
    world, _ = rekeyed()
    parts = whole()
    parts.heads[LAST + 1] = signed_head(world.encoded()[: LAST + 1])

    assert codes(judge(parts)) == [("history", LOG, "LOG_KEY_ENDED")]


def test_a_thief_rewrites_nothing_before_whoever_holds_a_later_checkpoint() -> None:
    """The old key signs another log from before its end: alone it looks like a log; beside a later head it does not."""
    world, _ = rekeyed()
    fork = World.found(countersigned_by=["owner-a"])
    must(fork, "evaluator", f.ModelRegister(M))
    for _ in range(20):
        must(fork, "owner-a", f.HoldPlace(M))
    forged, later = Parts.of(fork), signed_head(world.encoded(), "second")

    assert judge(forged).verified
    assert codes(judge(forged, notes=(later,))) == [
        ("history", LOG, "LOG_FORKED"),
        ("history", LOG, "NOTE_NOT_SIGNED"),
    ]
    assert codes(judge(forged, log_key=SECOND)) == [("genesis", 0, "OTHER_LOG_KEY")]


def test_a_stranger_names_a_key_of_their_own() -> None:
    """Anybody can found a log with the old public key and a quorum of their own: that key vouches for none of it."""
    parts = replace(whole(), heads={})
    unpinned = {"genesis_digest": b"", "log_id": b""}

    assert codes(judge(parts, **unpinned)) == [("genesis", 0, "KEY_NOT_VOUCHED")]
    assert judge(parts).verified  # who pins the founding knows the quorum


def test_a_key_that_the_log_never_had() -> None:
    """As before: pinned is another log's key."""
    other = note.vkey_of(NAME, public_of("other", "log"))

    assert codes(judge(whole(), log_key=other)) == [("genesis", 0, "OTHER_LOG_KEY")]


def test_a_head_by_both_keys() -> None:
    """A line by the old key does no harm beside one by the new."""
    world, _ = rekeyed()
    text = note.Checkpoint.from_text(note.split_note(whole().head).text).to_text()
    both = note.sign_note(text, NAME, key_of("log", "log")) + whole().head.partition("\n\n")[2]

    assert judge(replace(whole(), head=both)).verified
    assert world.entries


def test_an_end_that_is_no_head_of_this_log() -> None:
    """What the quorum signed names a root; that the log had it nobody but a verifier can see."""
    world = World.found(countersigned_by=["owner-a"])
    data = document(world, new_key("second", e.TreeHead(2, bytes(32))))
    assert isinstance(hand_in(world, data, *QUORUM), Accepted)
    entries = world.encoded()
    parts = replace(Parts.of(world), head=signed_head(entries, "second"))

    assert codes(judged(parts.data, trust_in(world))) == [("sign-offs", 2, "LOG_HEAD")]


@pytest.mark.parametrize("key", [VKEY, SECOND])
def test_parts_of_it_verify_too(key: str) -> None:
    """A range that begins after the change of key, and a selection: the recovery is in both, and is judged."""
    world, at = rekeyed()
    for cut in (
        Cut.range(world, at["digest"], at["digest"] + 2),
        Cut.range(world, 0, at["lifted"]),
        Cut.selection(world, at["digest"], M),
    ):
        report = judge(replace(cut, signer="second"), log_key=key, partial_ok=True)
        assert report.findings == ()
        assert [row.last_size for row in report.retired] == [LAST]


def test_a_range_whose_state_says_another_key_is_found() -> None:
    """The state that a range begins with says of the log what founding and recoveries said."""
    world, at = rekeyed()
    cut = replace(Cut.range(world, at["digest"], at["digest"] + 2), signer="second")
    row = cut.rows["log"].form.replace(public_of("second", "log").hex().encode(), bytes(32).hex().encode())

    found = codes(judge(cut.with_row("log", row)))

    assert ("state", at["digest"], "STATE_DIFFERS") in found


def test_a_range_without_the_recovery_is_not_decidable() -> None:
    """Who leaves the entry out that names the key leaves a gap in the log's own chain."""
    world, at = rekeyed()
    cut = replace(Cut.range(world, at["digest"], at["digest"] + 2), signer="second")

    assert not judge(cut.without(at["named"])).verified


def test_a_recovery_in_a_range_by_too_few() -> None:
    """Before the begin nothing is decided again; the quorum's signatures are checked all the same."""
    world, at = rekeyed()
    entry = world.entries[at["named"]]
    poor = replace(entry, facts=replace(entry.facts, envelopes=entry.facts.envelopes[:1]))
    cut = replace(Cut.range(world, at["digest"], at["digest"] + 2), signer="second")
    entries = list(cut.entries)
    entries[at["named"]] = codec.encode_entry(poor)

    found = codes(judge(replace(cut, entries=tuple(entries))))

    assert ("sign-offs", at["named"], "RECOVERY_DIFFERS") in found


def test_keys_given_by_a_recovery_are_known_in_a_range() -> None:
    """A key that the quorum registered signs later; the range has the recovery that gave it."""
    world = World.found(countersigned_by=["owner-a"])
    world.fire("admin", f.PrincipalSuspend("principals/owner-b"))
    data = document(
        world,
        new_key("second", head(world)),
        f.PrincipalRestore("principals/owner-b"),
        world.registration("owner-b", "signoff", word="-2"),
    )
    assert isinstance(hand_in(world, data, *QUORUM), Accepted)
    change = world.propose("evaluator", f.HoldLift("holds/1"))
    sign(world, "owner-a", change)
    begin = state(world)

    report = judged(replace(Cut.range(world, begin, begin + 1), signer="second").data, trust_in(world))

    assert report.findings == ()


def test_no_byte_of_the_entry_that_names_a_key_can_change() -> None:
    """Whoever has the new key signs the log again: what the quorum signed is still what it signed."""
    world, at = rekeyed()
    data = world.encoded()[at["named"]]
    for place in range(3, len(data), len(data) // 12):
        entries = world.encoded()
        entries[at["named"]] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        parts = whole().with_row(at["named"], entry=entries[at["named"]])
        heads = {2: whole().heads[2], LAST: whole().heads[LAST]}

        assert not judge(replace(parts, head=signed_head(entries, "second"), heads=heads)).verified, place
