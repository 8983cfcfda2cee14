"""Cosignatures in a bundle: those of the witnesses that its reader trusts are counted, and a bad one is found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.proofs import cosignature, keys, note
from tests.support.bundles import codes, judged, signed_head
from tests.support.stories import whole_bundle, whole_trust
from tests.support.world import key_of

if TYPE_CHECKING:
    from interlock.client.verify import VerifyReport

NAMES = ("witness.example/w1", "witness.example/w2", "witness.example/w3")
WITNESSES = tuple(cosignature.WitnessKey(name, keys.public_bytes(key_of(name, "witness"))) for name in NAMES)


def line(text: str, name: str, *, key: str = "", at: int = 1_700_000_000) -> str:
    """Return a witness's line under a note."""
    return cosignature.sign(note.split_note(text).text, name, key_of(key or name, "witness"), at)


def judge(*lines: str, least: int, known: tuple[cosignature.WitnessKey, ...] = WITNESSES) -> VerifyReport:
    """Judge the bundle whose head has these lines of witnesses."""
    parts = whole_bundle()
    trust = replace(whole_trust(), witnesses=known, least_witnesses=least)
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

    report = judge(line(head, NAMES[0]), line(head, NAMES[0], at=1_700_000_001), least=2)

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
