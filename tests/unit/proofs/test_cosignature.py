"""Cosignatures of witnesses: the specification's example, keys, and everything that must not count."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import cosignature, keys, note
from interlock.proofs.errors import Fault, NoteError

# C2SP tlog-cosignature, its example; the specification publishes no key for it.
SPEC_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SPEC_LOG_LINE = (
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
SPEC_WITNESS_LINE = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ"
    "qhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SPEC_NOTE = f"{SPEC_TEXT}\n{SPEC_LOG_LINE}{SPEC_WITNESS_LINE}"
SPEC_TIME = 1679315147

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = cosignature.WitnessKey("witness.example.com/w1", keys.public_bytes(KEY))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
LINE = cosignature.sign(SPEC_TEXT, WITNESS.name, KEY, SPEC_TIME)
COSIGNED = f"{SPEC_TEXT}\n{SPEC_LOG_LINE}{LINE}"


def fault_of(text: str, *witnesses: cosignature.WitnessKey) -> Fault:
    """Open cosignatures that must be refused, and tell why they were."""
    with pytest.raises(NoteError) as refused:
        cosignature.open_cosignatures(text, witnesses or (WITNESS,))
    return refused.value.fault


def test_the_specifications_example_is_framed_as_ours_is() -> None:
    """Key id, eight bytes of time, 64 of signature: the example's time is the one that its message shows."""
    (_, witness) = note.split_note(SPEC_NOTE).signatures

    assert witness.name == "witness.example.com/w1"
    assert int.from_bytes(witness.signature[:8], "big") == SPEC_TIME
    assert len(witness.signature) == len(note.split_note(COSIGNED).signatures[1].signature) == 72
    assert witness.line == SPEC_WITNESS_LINE


def test_the_signed_message_is_the_specifications() -> None:
    """Two header lines, then the checkpoint's text with its last newline and none of its signatures."""
    assert cosignature.signed_message(SPEC_TEXT, SPEC_TIME) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_the_signature_is_one_over_that_message() -> None:
    """Checked with the key alone, without our own code."""
    blob = base64.b64decode(LINE.split(" ")[2])

    KEY.public_key().verify(blob[12:], cosignature.signed_message(SPEC_TEXT, SPEC_TIME))
    assert blob[:4] == hashlib.sha256(b"witness.example.com/w1\n\x04" + WITNESS.public_key).digest()[:4]
    assert blob[4:12] == SPEC_TIME.to_bytes(8, "big")


def test_a_cosignature_says_who_and_when() -> None:
    """The log's own line is another kind of key, and no cosignature."""
    (found,) = cosignature.open_cosignatures(COSIGNED, [WITNESS])

    assert (found.witness, found.timestamp, found.line) == (WITNESS, SPEC_TIME, LINE)


def test_a_line_of_nobody_known_is_ignored() -> None:
    """Also one of the known name with another key, or of the same key as plain signature."""
    stranger = cosignature.sign(SPEC_TEXT, WITNESS.name, OTHER_KEY, SPEC_TIME)
    plain = note.sign_note(SPEC_TEXT, WITNESS.name, KEY)

    assert cosignature.open_cosignatures(f"{SPEC_TEXT}\n{SPEC_LOG_LINE}{stranger}", [WITNESS]) == ()
    assert cosignature.open_cosignatures(plain, [WITNESS]) == ()


@pytest.mark.parametrize("bit", [0, 7, 8 * 20, 8 * 71])
def test_a_changed_time_or_signature_is_refused(bit: int) -> None:
    """The time is signed along, in every byte."""
    blob = bytearray(base64.b64decode(LINE.split(" ")[2]))
    blob[4 + bit // 8] ^= 1 << bit % 8
    changed = note.signature_line(WITNESS.name, bytes(blob))

    assert fault_of(f"{SPEC_TEXT}\n{SPEC_LOG_LINE}{changed}") is Fault.SIGNATURE_INVALID


def test_a_cosignature_of_another_head_is_refused() -> None:
    """It does not move from one checkpoint to another."""
    moved = SPEC_TEXT.replace("20852163", "20852164")

    assert fault_of(f"{moved}\n{SPEC_LOG_LINE}{LINE}") is Fault.SIGNATURE_INVALID


@pytest.mark.parametrize("timestamp", [0, -1, 2**63])
def test_what_is_no_time_is_not_signed(timestamp: int) -> None:
    """Zero would state no time, and more than 63 bits is forbidden."""
    with pytest.raises(NoteError) as refused:
        cosignature.sign(SPEC_TEXT, WITNESS.name, KEY, timestamp)

    assert refused.value.fault is Fault.CHECKPOINT_FORMAT


def test_what_is_no_checkpoint_is_not_signed() -> None:
    """A witness's key signs tree heads and nothing else."""
    with pytest.raises(NoteError) as refused:
        cosignature.sign("transfer all\n", WITNESS.name, KEY, SPEC_TIME)

    assert refused.value.fault is Fault.CHECKPOINT_FORMAT


def test_a_verifier_key_is_written_as_it_is_read() -> None:
    """Type 0x04, so that no tool takes it for a log's key."""
    assert cosignature.WitnessKey.from_vkey(WITNESS.vkey) == WITNESS
    assert base64.b64decode(WITNESS.vkey.split("+", 2)[2])[:1] == b"\x04"
    with pytest.raises(NoteError) as refused:
        note.NoteVerifier.from_vkey(WITNESS.vkey)
    assert refused.value.fault is Fault.VKEY_ALGORITHM


@pytest.mark.parametrize(
    ("vkey", "fault"),
    [
        (note.vkey_of("w", WITNESS.public_key), Fault.VKEY_ALGORITHM),
        ("w", Fault.VKEY_FORMAT),
        (WITNESS.vkey[:-4], Fault.VKEY_FORMAT),
        (WITNESS.vkey.replace("w1+", "w2+"), Fault.VKEY_HASH),
    ],
)
def test_a_verifier_key_that_is_none_is_refused(vkey: str, fault: Fault) -> None:
    """A log's key, half a line, a short key, another name."""
    with pytest.raises(NoteError) as refused:
        cosignature.WitnessKey.from_vkey(vkey)

    assert refused.value.fault is fault


def test_the_specifications_signed_note_example_verifies() -> None:
    """C2SP signed-note, "Example": this key, this note."""
    key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    text = (
        "This is an example message.\n\n— example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )

    assert note.open_note(text, [note.NoteVerifier.from_vkey(key)]).text == "This is an example message.\n"
