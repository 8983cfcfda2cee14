"""Which witnesses a reader relies on, as the command line says it."""

from __future__ import annotations

from interlock.cli.witness_keys import with_witnesses
from interlock.proofs import keys
from interlock.proofs.cosignature import WitnessKey
from tests.support.stories import whole_trust
from tests.support.world import key_of


def test_a_time_within_a_second_counts_no_cosignature_of_that_second() -> None:
    """A cosignature says its second only: it may have been made before what is asked for."""
    key = WitnessKey("witness.example/w1", keys.public_bytes(key_of("w1", "witness"))).vkey

    whole = with_witnesses(whole_trust(), [key], None, "2026-05-22T10:00:07Z")
    within = with_witnesses(whole_trust(), [key], None, "2026-05-22T10:00:07.000001Z")

    assert WitnessKey.from_vkey(key) in whole.witnesses
    assert within.cosigned_since == whole.cosigned_since + 1
