"""Signed notes and checkpoints: the Go implementation's vectors, and everything malformed."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs import keys
from interlock.proofs.errors import Fault, KeyMaterialError, NoteError
from interlock.proofs.merkle import EMPTY_ROOT, MAX_SIZE
from interlock.proofs.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    NoteVerifier,
    open_checkpoint,
    open_note,
    sign_checkpoint,
    sign_note,
    vkey_of,
)

# golang.org/x/mod/sumdb/note, note_test.go: published test keys and signatures.
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_BLOB = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
ENOCH_BLOB = "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ="
PETER_LINE = f"— PeterNeumann {PETER_BLOB}\n"
ENOCH_LINE = f"— EnochRoot {ENOCH_BLOB}\n"
BAD_PETER_LINE = PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]
NOTE = f"{TEXT}\n{PETER_LINE}"

PETER = NoteVerifier.from_vkey(PETER_VKEY)
ENOCH = NoteVerifier.from_vkey(ENOCH_VKEY)
PETER_KEY = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_SKEY.split("+", 4)[4])[1:])

ORIGIN = "interlock/0123456789abcdef0123456789abcdef"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = NoteVerifier(ORIGIN, keys.public_bytes(LOG_KEY))
ROOT = hashlib.sha256(b"root").digest()
HEAD = Checkpoint(ORIGIN, 70_000, ROOT)


def fault_of(note: str | bytes, *verifiers: NoteVerifier) -> Fault:
    """Open a note that must be refused, and tell why it was."""
    with pytest.raises(NoteError) as refused:
        open_note(note, verifiers or (PETER,))
    return refused.value.fault


def test_the_published_note_opens() -> None:
    """Go's example note verifies under its key, and its text keeps the final newline."""
    opened = open_note(NOTE, [PETER])

    assert opened.text == TEXT
    assert opened.signers == (PETER,)


def test_signing_reproduces_the_published_note() -> None:
    """Go's example private key signs the example text into exactly the published note."""
    assert sign_note(TEXT, "PeterNeumann", PETER_KEY) == NOTE


@pytest.mark.parametrize("vkey", [PETER_VKEY, ENOCH_VKEY])
def test_a_verifier_key_is_written_as_it_was_read(vkey: str) -> None:
    """Reading and writing a verifier key gives the published line back."""
    verifier = NoteVerifier.from_vkey(vkey)

    assert vkey_of(verifier.name, verifier.public_key) == vkey


def test_the_key_id_is_that_of_the_specification() -> None:
    """The id is SHA-256(name, newline, 0x01, key), cut to four bytes."""
    expected = hashlib.sha256(b"PeterNeumann\n\x01" + PETER.public_key).digest()[:4]

    assert PETER.key_id == expected == bytes.fromhex("c74f20a3")


def test_no_part_of_a_verifier_key_is_one() -> None:
    """Every proper substring of the published verifier key is refused."""
    for begin in range(len(PETER_VKEY)):
        for end in range(begin, len(PETER_VKEY) + 1):
            if (begin, end) != (0, len(PETER_VKEY)):
                with pytest.raises(NoteError):
                    NoteVerifier.from_vkey(PETER_VKEY[begin:end])


@pytest.mark.parametrize("at", range(len(PETER_VKEY)))
def test_no_character_of_a_verifier_key_can_change(at: int) -> None:
    """The published verifier key with one character moved on by one is refused."""
    mangled = PETER_VKEY[:at] + chr(ord(PETER_VKEY[at]) + 1) + PETER_VKEY[at + 1 :]

    with pytest.raises(NoteError):
        NoteVerifier.from_vkey(mangled)


@pytest.mark.parametrize(
    ("vkey", "fault"),
    [
        ("", Fault.VKEY_FORMAT),
        (PETER_VKEY + "\n", Fault.VKEY_FORMAT),
        (PETER_VKEY.replace("c74f20a3", "C74F20A3"), Fault.VKEY_FORMAT),
        (PETER_VKEY.replace("c74f20a3", "c74f20a4"), Fault.VKEY_HASH),
        (PETER_VKEY.replace("Peter", "Pater"), Fault.VKEY_HASH),
        # Go's own: a key of the wrong length and one of an unknown type, with hashes that fit.
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", Fault.VKEY_FORMAT),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", Fault.VKEY_ALGORITHM),
        (PETER_VKEY.replace("PeterNeumann", ""), Fault.KEY_NAME),
        (PETER_VKEY.replace("PeterNeumann", "Peter Neumann"), Fault.KEY_NAME),
        (PETER_VKEY.replace("PeterNeumann", "Peter\u2003Neumann"), Fault.KEY_NAME),
        # The neutral point: anybody could sign for it.
        ("x+00000000+" + base64.b64encode(bytes([1, 1, *bytes(31)])).decode(), Fault.VKEY_FORMAT),
    ],
)
def test_malformed_verifier_keys_are_refused(vkey: str, fault: Fault) -> None:
    """A verifier key has one form, and says which part of it is wrong."""
    with pytest.raises(NoteError) as refused:
        NoteVerifier.from_vkey(vkey)

    assert refused.value.fault is fault


def test_a_key_of_another_length_makes_no_verifier() -> None:
    """A verifier holds a raw key of 32 bytes, and no line is written for another."""
    for make in (NoteVerifier, vkey_of):
        with pytest.raises(KeyMaterialError) as refused:
            make("name", PETER.public_key[:31])
        assert refused.value.fault is Fault.KEY_LENGTH


def test_signatures_of_unknown_keys_are_ignored() -> None:
    """A note with a known and an unknown signature opens, signed by the known key alone."""
    note = TEXT + "\n" + PETER_LINE + ENOCH_LINE

    assert open_note(note, [PETER]).signers == (PETER,)
    assert open_note(note, [ENOCH]).signers == (ENOCH,)
    assert open_note(note, [PETER, ENOCH]).signers == (PETER, ENOCH)


def test_a_bad_signature_of_an_unknown_key_is_ignored_too() -> None:
    """Nothing can be said about a signature by a key that is not known."""
    assert open_note(NOTE + ENOCH_LINE[:60] + "ABCD" + ENOCH_LINE[60:], [PETER]).signers == (PETER,)


def test_a_known_name_with_another_key_id_is_an_unknown_key() -> None:
    """Name and id together find a key, not the name alone."""
    blob = base64.b64encode(b"\0\0\0\0" + base64.b64decode(PETER_BLOB)[4:]).decode()

    assert fault_of(f"{TEXT}\n— PeterNeumann {blob}\n") is Fault.NOTE_NOT_SIGNED


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    """A note is refused for one bad signature of a known key, whoever else signed it."""
    note = TEXT + "\n" + ENOCH_LINE + BAD_PETER_LINE

    assert fault_of(note, PETER, ENOCH) is Fault.SIGNATURE_INVALID
    assert fault_of(NOTE + BAD_PETER_LINE) is Fault.SIGNATURE_INVALID
    assert open_note(note, [ENOCH]).signers == (ENOCH,)


def test_repeating_a_good_signature_adds_nothing() -> None:
    """A key that signed twice is one signer, so that it cannot fill a quorum of witnesses."""
    assert open_note(NOTE + PETER_LINE, [PETER, PETER]).signers == (PETER,)


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    """Without a known signature the text must not be looked at."""
    assert fault_of(NOTE, ENOCH) is Fault.NOTE_NOT_SIGNED
    with pytest.raises(NoteError) as refused:
        open_note(NOTE, [])
    assert refused.value.fault is Fault.NOTE_NOT_SIGNED


def test_two_keys_that_share_name_and_id_are_refused() -> None:
    """A colliding key among the trusted ones is a mistake or an attack, not a choice."""

    class Colliding(NoteVerifier):
        """A verifier whose id collides, which would take about 2^32 keys to find."""

        @property
        def key_id(self) -> bytes:
            """Pretend."""
            return PETER.key_id

    assert fault_of(NOTE, PETER, Colliding(PETER.name, ENOCH.public_key)) is Fault.KEY_AMBIGUOUS


@pytest.mark.parametrize(
    ("note", "fault"),
    [
        pytest.param("", Fault.NOTE_FORMAT, id="empty"),
        pytest.param(TEXT, Fault.NOTE_FORMAT, id="text alone"),
        pytest.param(TEXT + "\n", Fault.NOTE_FORMAT, id="no signature"),
        pytest.param(NOTE[:-1], Fault.NOTE_FORMAT, id="no final newline"),
        pytest.param(NOTE + "\n", Fault.NOTE_FORMAT, id="empty line at the end"),
        pytest.param(TEXT + PETER_LINE, Fault.NOTE_FORMAT, id="no empty line between"),
        pytest.param(NOTE + "Unexpected line.\n", Fault.NOTE_FORMAT, id="another line"),
        pytest.param("\x01" + NOTE, Fault.NOTE_ENCODING, id="control character"),
        pytest.param(NOTE.replace("\n", "\r\n"), Fault.NOTE_ENCODING, id="carriage returns"),
        pytest.param(NOTE.replace(" is ", "\tis "), Fault.NOTE_ENCODING, id="tab"),
        pytest.param(b"\xff" + NOTE.encode(), Fault.NOTE_ENCODING, id="not UTF-8"),
        pytest.param("\ud800" + NOTE, Fault.NOTE_ENCODING, id="lone surrogate"),
        pytest.param("a" * MAX_NOTE_BYTES + NOTE, Fault.NOTE_TOO_LARGE, id="too large"),
        pytest.param(NOTE.replace("— ", "- "), Fault.NOTE_FORMAT, id="hyphen"),
        pytest.param(NOTE.replace("— ", "—"), Fault.NOTE_FORMAT, id="no space after the dash"),
        pytest.param(NOTE.replace("PeterNeumann", ""), Fault.NOTE_FORMAT, id="no name"),
        pytest.param(NOTE.replace("PeterNeumann", "Bad Name"), Fault.NOTE_FORMAT, id="space in name"),
        pytest.param(NOTE.replace("PeterNeumann", "a+b"), Fault.NOTE_FORMAT, id="plus in name"),
        pytest.param(NOTE.replace("PeterNeumann", "a\u00a0b"), Fault.NOTE_FORMAT, id="Unicode space"),
        pytest.param(NOTE.replace(PETER_BLOB, ""), Fault.NOTE_FORMAT, id="no signature bytes"),
        pytest.param(NOTE.replace(PETER_BLOB, "x08gow=="), Fault.NOTE_FORMAT, id="key id alone"),
        pytest.param(NOTE.replace("=", ""), Fault.NOTE_FORMAT, id="no padding"),
        pytest.param(NOTE.replace("AM=", "AN="), Fault.NOTE_FORMAT, id="stray bits in base64"),
        pytest.param(NOTE.replace("/", "_"), Fault.NOTE_FORMAT, id="URL-safe base64"),
        pytest.param(NOTE.replace("=", "= "), Fault.NOTE_FORMAT, id="trailing space"),
        pytest.param(NOTE.replace(PETER_BLOB, "x08gowAA"), Fault.SIGNATURE_INVALID, id="short signature"),
    ],
)
def test_malformed_notes_are_refused(note: str | bytes, fault: Fault) -> None:
    """A note has one form; anything else is refused before or instead of a signature check."""
    assert fault_of(note) is fault


def test_the_text_may_have_empty_lines() -> None:
    """The last empty line parts text and signatures, so earlier ones belong to the text."""
    text = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n"

    note = sign_note(text, "quasimodo.example/salvatore", LOG_KEY)

    verifier = NoteVerifier("quasimodo.example/salvatore", LOG.public_key)
    assert open_note(note.encode(), [verifier]).text == text


@pytest.mark.parametrize("count", [16, MAX_SIGNATURES - 1])
def test_many_signatures_are_accepted(count: int) -> None:
    """At least 16 signatures must be accepted, and up to 100 are."""
    assert open_note(NOTE + ENOCH_LINE * count, [PETER]).signers == (PETER,)


def test_too_many_signatures_are_refused() -> None:
    """A 101st signature line is too much, known or not."""
    assert fault_of(TEXT + "\n" + PETER_LINE * 101) is Fault.NOTE_TOO_MANY_SIGNATURES
    assert fault_of(TEXT + "\n" + ENOCH_LINE * 101) is Fault.NOTE_TOO_MANY_SIGNATURES


@pytest.mark.parametrize(
    ("text", "name", "fault"),
    [
        ("no newline", "name", Fault.NOTE_FORMAT),
        ("a\tb\n", "name", Fault.NOTE_ENCODING),
        ("\udc00\n", "name", Fault.NOTE_ENCODING),
        (TEXT, "", Fault.KEY_NAME),
        (TEXT, "a b", Fault.KEY_NAME),
        (TEXT, "a+b", Fault.KEY_NAME),
        (TEXT, "a\nb", Fault.KEY_NAME),
        (TEXT, "a\x00b", Fault.KEY_NAME),
    ],
)
def test_what_could_not_be_opened_is_not_signed(text: str, name: str, fault: Fault) -> None:
    """A text or name without a place in a note is refused before signing."""
    with pytest.raises(NoteError) as refused:
        sign_note(text, name, LOG_KEY)

    assert refused.value.fault is fault


def test_a_checkpoint_is_origin_size_and_root_a_line_each() -> None:
    """The text of a checkpoint is that of the specification's example."""
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")

    text = Checkpoint("example.com/behind-the-sofa", 20_852_163, root).to_text()

    assert text == "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


@settings(deadline=None)
@given(
    size=st.integers(1, MAX_SIZE),
    root=st.binary(min_size=32, max_size=32),
    extensions=st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1), max_size=3),
)
def test_a_signed_checkpoint_opens_to_itself(size: int, root: bytes, extensions: list[str]) -> None:
    """Signing and opening gives the same checkpoint, extension lines included."""
    checkpoint = Checkpoint(ORIGIN, size, root, tuple(extensions))

    note = sign_checkpoint(checkpoint, ORIGIN, LOG_KEY)

    assert open_checkpoint(note, LOG) == checkpoint


def test_the_empty_log_has_a_checkpoint() -> None:
    """Size 0 goes with the empty tree's root and with no other."""
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)

    assert open_checkpoint(sign_checkpoint(empty, ORIGIN, LOG_KEY), LOG) == empty
    with pytest.raises(NoteError) as refused:
        Checkpoint(ORIGIN, 0, ROOT)
    assert refused.value.fault is Fault.CHECKPOINT_FORMAT


@settings(deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_a_checkpoint_is_refused(data: st.DataObject) -> None:
    """No single bit of a signed checkpoint can change, whatever it turns into."""
    note = bytearray(sign_checkpoint(HEAD, ORIGIN, LOG_KEY).encode())
    bit = data.draw(st.integers(0, len(note) * 8 - 1))
    note[bit // 8] ^= 1 << bit % 8

    with pytest.raises(NoteError):
        open_checkpoint(bytes(note), LOG)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    """The origin must be the key's name, or the one that the caller names: one key, two logs."""
    elsewhere = Checkpoint("interlock/ffff", 70_000, ROOT)
    note = sign_checkpoint(elsewhere, ORIGIN, LOG_KEY)

    with pytest.raises(NoteError) as refused:
        open_checkpoint(note, LOG)

    assert refused.value.fault is Fault.CHECKPOINT_ORIGIN
    assert open_checkpoint(note, LOG, origin="interlock/ffff") == elsewhere


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n", id="empty"),
        pytest.param(f"{ORIGIN}\n5\n", id="two lines"),
        pytest.param(f"\n5\n{base64.b64encode(ROOT).decode()}\n", id="no origin"),
        pytest.param(f"{ORIGIN}\n\n{base64.b64encode(ROOT).decode()}\n", id="no size"),
        *(
            pytest.param(f"{ORIGIN}\n{size}\n{base64.b64encode(ROOT).decode()}\n", id=f"size {size}")
            for size in (
                "-1",
                "+5",
                "05",
                "00",
                "5 ",
                " 5",
                "5_0",
                "0x5",
                "5.0",
                "\u0665",
                str(MAX_SIZE + 1),
                "9" * 400,
            )
        ),
        pytest.param(f"{ORIGIN}\n0\n{base64.b64encode(ROOT).decode()}\n", id="not the empty root"),
        pytest.param(f"{ORIGIN}\n5\n{base64.b64encode(ROOT[:31]).decode()}\n", id="short root"),
        pytest.param(f"{ORIGIN}\n5\n{base64.b64encode(ROOT + b'a').decode()}\n", id="long root"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT.hex()}\n", id="hexadecimal root"),
        pytest.param(f"{ORIGIN}\n5\n{base64.b64encode(ROOT).decode().rstrip('=')}\n", id="no padding"),
        pytest.param(f"{ORIGIN}\n5\n{base64.b64encode(ROOT).decode()}\n\n", id="empty extension"),
        pytest.param(f"{ORIGIN}\n5\n{base64.b64encode(ROOT).decode()}\n\nmore\n", id="empty line within"),
    ],
)
def test_malformed_checkpoints_are_refused_though_signed(text: str) -> None:
    """What the log's key signed is still no checkpoint unless it has the one form."""
    note = sign_note(text, ORIGIN, LOG_KEY)

    with pytest.raises(NoteError) as refused:
        open_checkpoint(note, LOG)

    assert refused.value.fault is Fault.CHECKPOINT_FORMAT


@pytest.mark.parametrize("text", [HEAD.to_text()[:-1], HEAD.to_text() + "extension"], ids=["root", "extension"])
def test_a_checkpoint_text_without_final_newline_is_refused(text: str) -> None:
    """The last line ends as the others do."""
    with pytest.raises(NoteError) as refused:
        Checkpoint.from_text(text)

    assert refused.value.fault is Fault.CHECKPOINT_FORMAT


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 5, ROOT, ()),
        ("a\nb", 5, ROOT, ()),
        ("a\tb", 5, ROOT, ()),
        (ORIGIN, -1, ROOT, ()),
        (ORIGIN, MAX_SIZE + 1, ROOT, ()),
        (ORIGIN, 5, ROOT[:31], ()),
        (ORIGIN, 5, ROOT, ("",)),
        (ORIGIN, 5, ROOT, ("fine", "a\nb")),
    ],
)
def test_a_checkpoint_that_has_no_text_cannot_be_made(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    """No value could smuggle a line into what is signed."""
    with pytest.raises(NoteError) as refused:
        Checkpoint(origin, size, root, extensions)

    assert refused.value.fault is Fault.CHECKPOINT_FORMAT
