"""The verifier finds whatever differs from what the rules and the signatures give, and says where."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import LOG, STEPS, Trust, VerifyReport, verify_log
from interlock.proofs import merkle, note
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from tests.support.world import LOG_ID, World, envelope, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "log.example/test"
VKEY = note.vkey_of(NAME, public_of("log", "log"))


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the stream brings it."""

    entry: bytes
    objects: tuple[bytes, ...]


def _root(entries: Sequence[bytes], size: int) -> bytes:
    return merkle.Frontier().extend(map(merkle.leaf_hash, entries[:size])).root()


def _note(entries: Sequence[bytes], size: int | None = None, signer: str = "log") -> str:
    """Return a signed checkpoint over the first entries: what an operator who has the key can make of any entries."""
    count = len(entries) if size is None else size
    head = note.Checkpoint(NAME, count, _root(entries, count))
    return note.sign_checkpoint(head, NAME, key_of(signer, "log"))


def _sign(world: World, who: str, change: str, *, root: bytes | None = None) -> e.Entry:
    """Sign as a client does: naming the head that the signer has seen."""
    entries = world.encoded()
    statement = replace(
        world.statement(who, change),
        checkpoint_size=len(entries),
        checkpoint_root=(root or _root(entries, len(entries))).hex(),
    )
    return world.must(who, c.SignOffChange(change), envelopes=(envelope(who, statement),))


def _story() -> World:
    world = World.found(countersigned_by=["owner-a"])
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    report = world.upload("evaluator", "evaluation_results")
    change = world.propose("evaluator", f.DeterminationRuleOut("models/m/determinations/misuse"), evidence=[report])
    _sign(world, "owner-a", change)
    _sign(world, "reviewer-a", change)
    world.must("owner-a", c.Fire(f.HoldPlace("models/m")))
    return world


@lru_cache(maxsize=1)
def _log() -> tuple[tuple[Row, ...], Trust]:
    return _rows(_story()), _trust(_story())


def _rows(world: World) -> tuple[Row, ...]:
    return tuple(
        Row(data, tuple(world.objects[digest] for digest in codec.content_digests(data))) for data in world.encoded()
    )


def _trust(world: World) -> Trust:
    genesis = world.entries[0].command
    assert isinstance(genesis, c.Genesis)
    return Trust(VKEY, LOG_ID, hashlib.sha256(genesis.document).digest())


def _verify(rows: Iterable[Row], trust: Trust, text: str | None = None) -> VerifyReport:
    rows = tuple(rows)
    return verify_log(rows, _note([row.entry for row in rows]) if text is None else text, trust)


def _codes(report: VerifyReport) -> list[tuple[str, int, str]]:
    return [(finding.step, finding.position, finding.code) for finding in report.findings]


def test_a_good_log_is_verified() -> None:
    """Every step passes, and the last line names size and root."""
    rows, trust = _log()

    report = _verify(rows, trust)

    assert report.verified
    assert report.last_line == f"verified: {len(rows)} entries, root {_root([r.entry for r in rows], len(rows)).hex()}"
    assert [step.name for step in report.steps] == list(STEPS)
    assert all(step.passed for step in report.steps)
    assert (report.development, report.countersigned, report.sign_offs) == (True, ("principals/owner-a",), 2)


def test_progress_is_told_entry_by_entry() -> None:
    """The callback hears how many of how many entries are judged."""
    rows, trust = _log()
    heard: list[tuple[int, int]] = []

    verify_log(rows, _note([row.entry for row in rows]), trust, lambda done, total: heard.append((done, total)))

    assert heard == [(number, len(rows)) for number in range(1, len(rows) + 1)]


def test_entries_past_the_checkpoint_are_not_looked_at() -> None:
    """What nothing vouches for yet is no part of the answer."""
    rows, trust = _log()

    report = _verify([*rows, Row(b"junk", ())], trust, _note([row.entry for row in rows]))

    assert report.verified
    assert report.entries == len(rows)


@pytest.mark.parametrize("position", range(8))
def test_a_flipped_bit_in_any_entry_is_found(position: int) -> None:
    """With the operator's own checkpoint over the good entries, the root tells."""
    rows, trust = _log()
    data = bytearray(rows[position].entry)
    data[len(data) // 2] ^= 1
    bad = [*rows[:position], Row(bytes(data), rows[position].objects), *rows[position + 1 :]]

    report = _verify(bad, trust, _note([row.entry for row in rows]))

    assert ("tree", LOG, "ROOT_MISMATCH") in _codes(report)
    assert report.last_line.startswith("NOT VERIFIED: ")


@pytest.mark.parametrize("position", range(8))
def test_a_missing_entry_is_found_even_with_a_new_checkpoint(position: int) -> None:
    """An operator who signs a log without one of its entries is found by replay (or by size, for the last ones)."""
    rows, trust = _log()
    bad = [*rows[:position], *rows[position + 1 :]]

    report = _verify(bad, replace(trust, least_size=len(rows)))

    assert not report.verified
    assert ("checkpoint", LOG, "LOG_ROLLED_BACK") in _codes(report)
    if position < len(rows) - 1:
        assert "replay" in {row.step for row in report.findings}


def test_a_stream_that_ends_early_is_found() -> None:
    """Fewer entries than the checkpoint covers are truncation."""
    rows, trust = _log()

    report = _verify(rows[:-1], trust, _note([row.entry for row in rows]))

    assert _codes(report) == [("tree", LOG, "TRUNCATED")]


def test_a_checkpoint_by_another_key_is_no_checkpoint() -> None:
    """Only the pinned log key vouches, and one that this very log has named: all of it is read to see that none is."""
    rows, trust = _log()

    report = _verify(rows, trust, _note([row.entry for row in rows], signer="mallory"))

    assert _codes(report) == [("checkpoint", LOG, "NOTE_NOT_SIGNED")]
    assert report.last_line.startswith("NOT VERIFIED")


@pytest.mark.parametrize("text", ["", "junk", "\x00", "log.example/test\n1\nAA==\n"])
def test_a_malformed_checkpoint_is_a_finding(text: str) -> None:
    """Bad data is never an exception."""
    rows, trust = _log()

    report = _verify(rows, trust, text)

    assert not report.verified
    assert report.findings[0].step == "checkpoint"


def test_a_head_seen_before_must_be_one_of_this_log() -> None:
    """A log rewritten below what a client has seen is a fork."""
    rows, trust = _log()
    entries = [row.entry for row in rows]

    good = _verify(rows, replace(trust, heads=((4, _root(entries, 4)),)))
    forked = _verify(rows, replace(trust, heads=((4, bytes(32)),)))

    assert good.verified
    assert _codes(forked) == [("history", LOG, "LOG_FORKED")]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"genesis_digest": bytes(32)}, "GENESIS_DIFFERS"),
        ({"log_id": bytes(16)}, "OTHER_LOG"),
    ],
    ids=["genesis", "log id"],
)
def test_another_founding_is_not_the_pinned_one(changed: dict[str, bytes], code: str) -> None:
    """A whole other log, however good in itself, is not the one that was pinned."""
    rows, trust = _log()

    report = _verify(rows, replace(trust, **changed))  # type: ignore[arg-type]  # a field of Trust

    assert _codes(report) == [("genesis", 0, code)]


def test_a_sign_off_over_a_head_of_another_log_is_found() -> None:
    """A signer who was shown a forked log proves it with their own signature."""
    world = _story()
    change = world.propose("evaluator", f.HoldLift("holds/1"))
    _sign(world, "owner-a", change, root=bytes(range(32)))

    report = _verify(_rows(world), _trust(world))

    assert _codes(report) == [("sign-offs", len(world.entries) - 1, "SIGN_OFF_CHECKPOINT")]


def _forged(position: int, **changed: object) -> tuple[list[Row], Trust]:
    """Return the log with one entry rewritten by an operator who then signs a new checkpoint over everything."""
    world = _story()
    rows = list(_rows(world))
    entry = replace(world.entries[position], **changed)  # type: ignore[arg-type]  # fields of Entry
    rows[position] = Row(codec.encode_entry(entry), rows[position].objects)
    return rows, _trust(world)


SIGNED = 5


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"actor": c.Actor("principals/owner-b", "")}, "NOT_DECIDABLE_SO"),
        ({"transitions": ()}, "ENTRY_DIFFERS"),
        ({"prev": ()}, "ENTRY_DIFFERS"),
        ({"time": 0}, "ENTRY_DIFFERS"),
        ({"rules_version": 99}, "RULES_UNKNOWN"),
        ({"command": c.ApplyApprovedChange("changes/1")}, "NOT_DECIDABLE_SO"),
    ],
    ids=["actor", "transitions", "prev", "time", "rules", "command"],
)
def test_an_entry_that_the_rules_do_not_give_is_found(changed: dict[str, object], code: str) -> None:
    """Rewriting an entry and signing over it does not help: replay decides it again."""
    rows, trust = _forged(SIGNED, **changed)

    assert ("replay", SIGNED, code) in _codes(_verify(rows, trust))


def test_a_sign_off_by_another_key_is_found() -> None:
    """A signature that the signer's own key did not make does not count, whoever signed the checkpoint."""
    world = _story()
    entry = world.entries[SIGNED]
    statement = world.fork().statement("owner-a", "changes/1")
    forged = c.Facts(entry.facts.instant, (envelope("mallory", statement),))
    rows, trust = _forged(SIGNED, facts=forged)

    assert ("replay", SIGNED, "NOT_DECIDABLE_SO") in _codes(_verify(rows, trust))


def test_content_under_another_digest_is_found() -> None:
    """Bytes beside an entry that do not have the digest which it names are not there at all."""
    rows, trust = _log()
    proposed = next(index for index, row in enumerate(rows) if row.objects and index > 0)
    swapped = [*rows]
    swapped[proposed] = Row(rows[proposed].entry, (rows[proposed].objects[0] + b"\x18\x01",))

    assert ("replay", proposed, "ENTRY_UNREADABLE") in _codes(_verify(swapped, trust))


def test_a_pack_under_another_digest_is_found() -> None:
    """The rules of sign-offs come from the pack that the genesis names, byte for byte."""
    rows, trust = _log()
    other = codec.encode_pack({"policy.yaml": b"format: 1\n"})

    report = _verify([Row(rows[0].entry, (other,)), *rows[1:]], trust)

    assert ("replay", 0, "POLICY_UNREADABLE") in _codes(report)


def test_an_empty_log_is_not_verified() -> None:
    """A checkpoint over nothing has no genesis: nothing is verified by it."""
    _, trust = _log()

    report = _verify([], trust)

    assert _codes(report) == [("genesis", LOG, "NO_GENESIS")]
