"""C2SP signed notes with Ed25519, and the checkpoints of transparency logs that they carry.

Lives here: verifier keys, notes and checkpoints as text. Not here: which root may be signed (the
ledger signs only what it computed itself), proofs between roots (merkle.py), cosignatures
(cosignature.py).

Sources: C2SP signed-note ("Format", "Signatures", "Ed25519 signatures") and C2SP tlog-checkpoint
("Note text"). The form of verifier keys is that of golang.org/x/mod/sumdb/note.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import _base64, keys
from interlock.proofs.errors import Fault, KeyMaterialError, NoteError, SignatureError
from interlock.proofs.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE

ALGORITHM_ED25519: Final = b"\x01"
"""Signature type byte of plain Ed25519 (C2SP signed-note, "Signature types")."""

KEY_ID_BYTES: Final = 4
"""Length of a key id: a hint which key signed, no digest to rely on."""

MAX_NOTE_BYTES: Final = 1_000_000
"""Greatest length of a note, in bytes: 100 post-quantum signatures and a checkpoint fit."""

MAX_SIGNATURES: Final = 100
"""Greatest number of signature lines; the specification asks for at least 16."""

_SIGNATURE_MARK: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_TREE_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID_HEX: Final = re.compile(r"[0-9a-f]{8}")
_CHECKPOINT_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A named public key that notes are checked against: the content of `log.pub`.

    Raises `NoteError` KEY_NAME, and what `keys.load_public_key` raises, for impossible ones.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse a name or a key under which no note could be signed."""
        check_key_name(self.name)
        keys.load_public_key(self.public_key)

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """Read `<name>+<key id>+<base64 of type byte and key>`: one line without its newline.

        Raises `NoteError`: VKEY_FORMAT, VKEY_ALGORITHM, VKEY_HASH or KEY_NAME.
        """
        name, key_id, public_key = split_vkey(vkey, ALGORITHM_ED25519)
        try:
            verifier = cls(name, public_key)
        except KeyMaterialError as error:
            raise NoteError(Fault.VKEY_FORMAT, str(error)) from error
        if verifier.key_id != key_id:
            raise NoteError(Fault.VKEY_HASH, f"the hash of this key is {verifier.key_id.hex()}")
        return verifier

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)."""
        return key_id_of(self.name, ALGORITHM_ED25519, self.public_key)


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a note, not yet checked against any key; `line` ends in its newline."""

    name: str
    key_id: bytes
    signature: bytes
    line: str


@dataclass(frozen=True, slots=True)
class UncheckedNote:
    """A note taken apart: nobody has looked at its signatures."""

    text: str
    signatures: tuple[SignatureLine, ...]


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note's text and who of the known keys signed it: made by `open_note` alone."""

    text: str
    signers: tuple[NoteVerifier, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head. `extensions` are further lines, opaque, signed along.

    Raises `NoteError` CHECKPOINT_FORMAT for a value that has no text form.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be written and read back alike."""
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line or _CONTROL.search(line):
                raise NoteError(Fault.CHECKPOINT_FORMAT, f"not a line of a checkpoint: {line!r}")
        if not 0 <= self.size <= MAX_SIZE:
            raise NoteError(Fault.CHECKPOINT_FORMAT, f"{self.size} is not a tree size")
        if len(self.root) != HASH_BYTES:
            raise NoteError(Fault.CHECKPOINT_FORMAT, f"a root of {len(self.root)} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError(Fault.CHECKPOINT_FORMAT, "not the root of the empty tree")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a note; raises `NoteError` CHECKPOINT_FORMAT."""
        *lines, rest = text.split("\n")
        if rest or len(lines) < _CHECKPOINT_LINES:
            raise NoteError(Fault.CHECKPOINT_FORMAT, "a checkpoint has at least three lines")
        origin, size, root, *extensions = lines
        if not _TREE_SIZE.fullmatch(size):
            raise NoteError(Fault.CHECKPOINT_FORMAT, f"not a decimal tree size: {size!r}")
        try:
            return cls(origin, int(size), _base64.decode(root), tuple(extensions))
        except ValueError:
            raise NoteError(Fault.CHECKPOINT_FORMAT, "the root is not base64") from None

    def to_text(self) -> str:
        """Write the note text: origin, decimal size, base64 root, extensions, a line each."""
        lines = (self.origin, str(self.size), _base64.encode(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def key_id_of(name: str, algorithm: bytes, public_key: bytes) -> bytes:
    """Give the key id that the specification recommends for a signature type."""
    hashed = name.encode() + b"\n" + algorithm + public_key
    return hashlib.sha256(hashed).digest()[:KEY_ID_BYTES]


def split_vkey(vkey: str, algorithm: bytes) -> tuple[str, bytes, bytes]:
    """Split `<name>+<key id>+<base64 of type byte and key>` into name, key id and key.

    Raises `NoteError` VKEY_FORMAT, or VKEY_ALGORITHM for another signature type. That the id is
    the key's is for the caller to check.
    """
    name, _, rest = vkey.partition("+")
    key_id_hex, _, encoded = rest.partition("+")
    if not _KEY_ID_HEX.fullmatch(key_id_hex):
        raise NoteError(Fault.VKEY_FORMAT, "not of the form name+hash+key")
    try:
        material = _base64.decode(encoded)
    except ValueError:
        raise NoteError(Fault.VKEY_FORMAT, "the key is not base64") from None
    if material[:1] != algorithm:
        raise NoteError(Fault.VKEY_ALGORITHM, f"the key is not of signature type 0x{algorithm.hex()}")
    return name, bytes.fromhex(key_id_hex), material[1:]


def vkey_of(name: str, public_key: bytes) -> str:
    """Write a verifier key, the one line of `log.pub`; raises as `NoteVerifier` does."""
    verifier = NoteVerifier(name, public_key)
    material = _base64.encode(ALGORITHM_ED25519 + public_key)
    return f"{name}+{verifier.key_id.hex()}+{material}"


def sign_note(text: str, key_name: str, private_key: Ed25519PrivateKey) -> str:
    """Sign a text that ends in a newline; Ed25519 is deterministic, so the note is too.

    Raises `NoteError`: NOTE_ENCODING, NOTE_FORMAT or KEY_NAME.
    """
    if not text.endswith("\n"):
        raise NoteError(Fault.NOTE_FORMAT, "the text does not end in a newline")
    signed = _check_characters(text)
    verifier = NoteVerifier(key_name, keys.public_bytes(private_key))
    return f"{text}\n{signature_line(key_name, verifier.key_id + private_key.sign(signed))}"


def signature_line(name: str, blob: bytes) -> str:
    """Write a signature line, with its newline; `blob` is key id and signature."""
    return f"{_SIGNATURE_MARK}{name} {_base64.encode(blob)}\n"


def open_note(note: str | bytes, verifiers: Iterable[NoteVerifier]) -> OpenedNote:
    """Check a signed note against the keys that the caller trusts.

    Raises `NoteError` with the fault of the step that refuses it; SIGNATURE_INVALID also where
    another known key's signature is good, as the specification recommends.
    """
    # 1. One meaning for each (name, key id): a second key that collides is no key of ours.
    known: dict[tuple[str, bytes], NoteVerifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise NoteError(Fault.KEY_AMBIGUOUS, f"two keys of {verifier.name} share an id")
    # 2., 3. Text and signature lines.
    parts = split_note(note)
    # 4. Those of known keys verify, those of unknown keys are ignored.
    signers: list[NoteVerifier] = []
    for found in parts.signatures:
        signer = known.get((found.name, found.key_id))
        if signer is None:
            continue
        try:
            keys.verify(signer.public_key, parts.text.encode(), found.signature)
        except SignatureError as error:
            raise NoteError(Fault.SIGNATURE_INVALID, f"{found.name}: {error.detail}") from error
        if signer not in signers:
            signers.append(signer)
    # 5. At least one known key signed.
    if not signers:
        raise NoteError(Fault.NOTE_NOT_SIGNED, "no signature by a known key")
    return OpenedNote(parts.text, tuple(signers))


def split_note(note: str | bytes) -> UncheckedNote:
    """Take a note apart without believing any of it.

    Raises `NoteError`: NOTE_ENCODING, NOTE_TOO_LARGE, NOTE_FORMAT or NOTE_TOO_MANY_SIGNATURES.
    """
    # A bounded, valid UTF-8 text without control characters.
    text = _decode_note(note)
    # The last empty line parts text and signatures, which end in a newline.
    body, separator, tail = text.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteError(Fault.NOTE_FORMAT, "no signature lines after an empty line")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(Fault.NOTE_TOO_MANY_SIGNATURES, f"{len(lines)} signatures")
    return UncheckedNote(f"{body}\n", tuple(_parse_signature(line) for line in lines))


def sign_checkpoint(checkpoint: Checkpoint, key_name: str, private_key: Ed25519PrivateKey) -> str:
    """Sign a tree head. The caller owes that it computed the root itself (design, ledger)."""
    return sign_note(checkpoint.to_text(), key_name, private_key)


def open_checkpoint(note: str | bytes, verifier: NoteVerifier, *, origin: str | None = None) -> Checkpoint:
    """Check a signed tree head of the log `origin`, by default the verifier key's name.

    A log's key name should match its origin (C2SP tlog-checkpoint, "Signatures"); with one key in
    two logs only the origin tells their heads apart. Raises `NoteError`: as `open_note`, or
    CHECKPOINT_FORMAT, or CHECKPOINT_ORIGIN.
    """
    checkpoint = Checkpoint.from_text(open_note(note, (verifier,)).text)
    expected = verifier.name if origin is None else origin
    if checkpoint.origin != expected:
        raise NoteError(Fault.CHECKPOINT_ORIGIN, f"a checkpoint of {checkpoint.origin}, not of {expected}")
    return checkpoint


def _parse_signature(line: str) -> SignatureLine:
    """Split `— <name> <base64 of key id and signature>`."""
    marked = line.removeprefix(_SIGNATURE_MARK)
    name, _, encoded = marked.partition(" ")
    if marked == line:
        raise NoteError(Fault.NOTE_FORMAT, f"not a signature line: {line!r}")
    try:
        check_key_name(name)
        blob = _base64.decode(encoded)
    except (NoteError, ValueError):
        raise NoteError(Fault.NOTE_FORMAT, f"not a signature line: {line!r}") from None
    if len(blob) <= KEY_ID_BYTES:
        raise NoteError(Fault.NOTE_FORMAT, f"no signature after the key id: {line!r}")
    return SignatureLine(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:], f"{line}\n")


def _decode_note(note: str | bytes) -> str:
    try:
        text = note if isinstance(note, str) else note.decode()
    except UnicodeDecodeError:
        raise NoteError(Fault.NOTE_ENCODING, "not UTF-8") from None
    if len(_check_characters(text)) > MAX_NOTE_BYTES:
        raise NoteError(Fault.NOTE_TOO_LARGE, f"more than {MAX_NOTE_BYTES} bytes")
    return text


def _check_characters(text: str) -> bytes:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise NoteError(Fault.NOTE_ENCODING, "not expressible in UTF-8") from None
    if _CONTROL.search(text):
        raise NoteError(Fault.NOTE_ENCODING, "a control character")
    return encoded


def check_key_name(name: str) -> None:
    """Refuse spaces, plus signs, control characters and the empty name (C2SP, "Format").

    Raises `NoteError` KEY_NAME or NOTE_ENCODING.
    """
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise NoteError(Fault.KEY_NAME, f"not a key name: {name!r}")
    _check_characters(name)
