"""Cosignatures in a bundle: those of the witnesses that its reader trusts are counted, and a bad one is found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.proofs import cosignature, keys, note
from interlock.v1 import ledger_pb2
from tests.support.bundles import codes, judged, signed_head
from tests.support.stories import whole_bundle, whole_trust
from tests.support.world import key_of

if TYPE_CHECKING:
    from interlock.client.verify import VerifyReport

NAMES = ("witness.example/w1", "witness.example/w2", "witness.example/w3")
WITNESSES = tuple(cosignature.WitnessKey(name, keys.public_bytes(key_of(name, "witness"))) for name in NAMES)


APART = cosignature.CLOCKS_APART_SECONDS


def last_entry() -> int:
    """Return when the last entry of the bundle was made, in seconds."""
    return ledger_pb2.LedgerEntry.FromString(whole_bundle().entries[-1]).time // 1_000_000


def line(text: str, name: str, *, key: str = "", after: int = 60) -> str:
    """Return a witness's line under a note, made so many seconds after the last entry."""
    made = last_entry() + after
    return cosignature.sign(note.split_note(text).text, name, key_of(key or name, "witness"), made)


def judge(
    *lines: str,
    least: int,
    known: tuple[cosignature.WitnessKey, ...] = WITNESSES,
    since: int = 0,
    until: int = cosignature.MAX_TIMESTAMP,
) -> VerifyReport:
    """Judge the bundle whose head has these lines of witnesses, made between two times."""
    parts = whole_bundle()
    trust = replace(whole_trust(), witnesses=known, least_witnesses=least, cosigned_since=since, cosigned_until=until)
    return judged(replace(parts, head=parts.head + "".join(lines)).data, trust)


def test_enough_witnesses_are_enough() -> None:
    """Two of three, and the report says which."""
    head = whole_bundle().head

    report = judge(line(head, NAMES[0]), line(head, NAMES[2]), least=2)

    assert report.verified, report.findings
    assert report.witnessed == (NAMES[0], NAMES[2])
    assert f"2 of 3 witnesses ({NAMES[0]}, {NAMES[2]})" in report.steps[0].detail


def test_too_few_witnesses_are_a_finding() -> None:
    """It says how many are asked for, and who was there."""
    report = judge(line(whole_bundle().head, NAMES[1]), least=2)

    assert codes(report) == [("checkpoint", -1, "COSIGNATURES_MISSING")]
    assert NAMES[1] in report.findings[0].detail


def test_none_is_a_finding_where_one_is_asked_for() -> None:
    """A bundle that was never shown to a witness."""
    assert codes(judge(least=1)) == [("checkpoint", -1, "COSIGNATURES_MISSING")]


def test_without_a_number_a_cosignature_is_no_duty() -> None:
    """Witnesses that are known and not asked for are told of."""
    report = judge(least=0)

    assert (report.verified, report.witnessed) == (True, ())


def test_one_witness_counts_once() -> None:
    """Two lines of one key, made at two times."""
    head = whole_bundle().head

    report = judge(line(head, NAMES[0]), line(head, NAMES[0], after=61), least=2)

    assert codes(report) == [("checkpoint", -1, "COSIGNATURES_MISSING")]


def test_one_key_under_two_names_is_one_witness() -> None:
    """A message does not say whose it is, so one key could sign for both names."""
    head, twin = whole_bundle().head, cosignature.WitnessKey("witness.example/twin", WITNESSES[0].public_key)

    report = judge(
        line(head, NAMES[0]), line(head, twin.name, key=NAMES[0]), least=2, known=(WITNESSES[0], WITNESSES[1], twin)
    )

    assert codes(report) == [("checkpoint", -1, "COSIGNATURES_MISSING")]
    with pytest.raises(ValueError, match="1 are known"):
        replace(whole_trust(), witnesses=(WITNESSES[0], twin), least_witnesses=2)


def test_a_strangers_cosignature_does_not_count() -> None:
    """Whoever can make keys can make witnesses: only the reader's count."""
    report = judge(line(whole_bundle().head, "witness.example/stranger"), least=1)

    assert codes(report) == [("checkpoint", -1, "COSIGNATURES_MISSING")]


def test_a_line_over_another_head_is_a_finding() -> None:
    """A trusted witness's line that was moved here from a smaller head: it signed that one, and not this."""
    other = signed_head(whole_bundle().entries[:9])

    report = judge(line(other, NAMES[0]), line(whole_bundle().head, NAMES[1]), least=1)

    assert ("checkpoint", -1, "SIGNATURE_INVALID") in codes(report)


def test_a_bad_line_on_an_earlier_checkpoint_is_a_finding() -> None:
    """Nobody has to have cosigned these, and who did has to have done so."""
    parts = whole_bundle()
    heads = {**parts.heads, 9: parts.heads[9] + line(parts.head, NAMES[0])}
    trust = replace(whole_trust(), witnesses=WITNESSES)

    report = judged(replace(parts, heads=heads).data, trust)

    assert codes(report) == [("history", -1, "SIGNATURE_INVALID")]


# When it was made ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "counts"), [(-APART - 1, False), (-APART, True), (0, True), (2**40, True)])
def test_a_cosignature_from_before_an_entry_of_the_tree_does_not_count(after: int, counts: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Who knew of no larger tree at a time had not seen an entry that was made later; clocks may be apart a little."""
    report = judge(line(whole_bundle().head, NAMES[0], after=after), least=1)

    assert report.verified is counts
    assert report.witnessed == ((NAMES[0],) if counts else ())
    if not counts:
        assert codes(report) == [("checkpoint", -1, "COSIGNATURES_MISSING")]
        assert f"that of {NAMES[0]} does not count" in report.findings[0].detail


@pytest.mark.parametrize(("after", "counts"), [(99, False), (100, True), (200, True), (201, False)])
def test_a_cosignature_counts_between_the_times_that_the_reader_gives(after: int, counts: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """No older than is asked for, and not to come by the reader's clock, which is told beforehand: no clock is read."""
    since, until = last_entry() + 100, last_entry() + 200

    report = judge(line(whole_bundle().head, NAMES[0], after=after), least=1, since=since, until=until)

    assert report.verified is counts


def test_a_witness_counts_by_any_of_its_lines_that_is_in_time() -> None:
    """A note may have two lines of one key: the one that is good for this head is good."""
    head = whole_bundle().head

    assert judge(line(head, NAMES[0], after=-APART - 1), line(head, NAMES[0]), least=1).verified


def test_times_of_earlier_checkpoints_are_not_asked_about() -> None:
    """Nobody has to have cosigned these: only that a trusted witness's line is good."""
    parts = whole_bundle()
    heads = {**parts.heads, 9: parts.heads[9] + line(parts.heads[9], NAMES[0], after=-APART - 1)}

    assert judged(replace(parts, heads=heads).data, replace(whole_trust(), witnesses=WITNESSES)).verified
