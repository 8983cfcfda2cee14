"""Cosignatures of checkpoints by witnesses: cosignature/v1 with Ed25519 (C2SP tlog-cosignature).

A witness signs that, at a time, the largest tree that it has seen of a log has this head, and that
every smaller one which it has seen is consistent with it. Lives here: keys, signing and checking,
as pure functions. Not here: when a witness may sign (the client's witness keeps its heads), whose
cosignatures are asked for (whoever relies on them).

Sources: C2SP tlog-cosignature ("Format", "Ed25519 signed message") and C2SP signed-note (type
0x04). The message does not name the witness, so a key must never serve two witnesses.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import _base64, keys, note
from interlock.proofs.errors import Fault, KeyMaterialError, NoteError, SignatureError

ALGORITHM_COSIGNATURE: Final = b"\x04"
"""Signature type byte of timestamped Ed25519 cosignatures (C2SP signed-note, "Signature types")."""

TIMESTAMP_BYTES: Final = 8
"""Length of the time, a big-endian number of POSIX seconds, before the signature."""

MAX_TIMESTAMP: Final = 2**63 - 1
"""Greatest time (C2SP tlog-cosignature, "Format"); 0 is kept for signatures that state no time."""

CLOCKS_APART_SECONDS: Final = 300
"""How far the clocks of a log, a witness and a reader may be apart before a time is held to be none."""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A named public key of a witness.

    Raises `NoteError` KEY_NAME, and what `keys.load_public_key` raises, for impossible ones.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse a name or a key under which nothing could be signed."""
        note.check_key_name(self.name)
        keys.load_public_key(self.public_key)

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """Read `<name>+<key id>+<base64 of 0x04 and key>`: one line without its newline.

        Raises `NoteError`: VKEY_FORMAT, VKEY_ALGORITHM, VKEY_HASH or KEY_NAME.
        """
        name, key_id, public_key = note.split_vkey(vkey, ALGORITHM_COSIGNATURE)
        try:
            witness = cls(name, public_key)
        except KeyMaterialError as error:
            raise NoteError(Fault.VKEY_FORMAT, str(error)) from error
        if witness.key_id != key_id:
            raise NoteError(Fault.VKEY_HASH, f"the hash of this key is {witness.key_id.hex()}")
        return witness

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public key)."""
        return note.key_id_of(self.name, ALGORITHM_COSIGNATURE, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key: one line, to be handed to those who rely on this witness."""
        return f"{self.name}+{self.key_id.hex()}+{_base64.encode(ALGORITHM_COSIGNATURE + self.public_key)}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Who saw a checkpoint, and when (POSIX seconds): made by `open_cosignatures` alone.

    `line` is the signature line as it stands in the note, with its newline.
    """

    witness: WitnessKey
    timestamp: int
    line: str


def signed_message(text: str, timestamp: int) -> bytes:
    """Give the bytes that a witness signs: two header lines, then the checkpoint's whole text."""
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def sign(text: str, witness_name: str, private_key: Ed25519PrivateKey, timestamp: int) -> str:
    """Cosign a checkpoint's text; the signature line, to be appended to the note.

    The caller owes that it verified this head against every one it cosigned before, and that it
    has stored it durably. Raises `NoteError` CHECKPOINT_FORMAT for what is no checkpoint or no
    time, KEY_NAME.
    """
    note.Checkpoint.from_text(text)
    if not 0 < timestamp <= MAX_TIMESTAMP:
        raise NoteError(Fault.CHECKPOINT_FORMAT, f"{timestamp} is not a time")
    witness = WitnessKey(witness_name, keys.public_bytes(private_key))
    signature = private_key.sign(signed_message(text, timestamp))
    blob = witness.key_id + timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature
    return note.signature_line(witness_name, blob)


def open_cosignatures(signed: str | bytes, witnesses: Iterable[WitnessKey]) -> tuple[Cosignature, ...]:
    """Check every cosignature of the witnesses that the caller knows, in the note's order.

    Lines of unknown keys are ignored; nobody's line is needed: counting is the caller's. That the
    log itself signed the note is `note.open_checkpoint`'s. Raises `NoteError`: as `note.split_note`,
    CHECKPOINT_FORMAT, KEY_AMBIGUOUS, or SIGNATURE_INVALID where a known key's line is no good.
    """
    known: dict[tuple[str, bytes], WitnessKey] = {}
    for witness in witnesses:
        if known.setdefault((witness.name, witness.key_id), witness) != witness:
            raise NoteError(Fault.KEY_AMBIGUOUS, f"two keys of {witness.name} share an id")
    parts = note.split_note(signed)
    note.Checkpoint.from_text(parts.text)
    return tuple(
        _open(parts.text, found, known[found.name, found.key_id])
        for found in parts.signatures
        if (found.name, found.key_id) in known
    )


def _open(text: str, found: note.SignatureLine, witness: WitnessKey) -> Cosignature:
    timestamp = int.from_bytes(found.signature[:TIMESTAMP_BYTES], "big")
    if not 0 < timestamp <= MAX_TIMESTAMP:
        raise NoteError(Fault.SIGNATURE_INVALID, f"{found.name}: {timestamp} is not a time")
    try:
        keys.verify(witness.public_key, signed_message(text, timestamp), found.signature[TIMESTAMP_BYTES:])
    except SignatureError as error:
        raise NoteError(Fault.SIGNATURE_INVALID, f"{found.name}: {error.detail}") from error
    return Cosignature(witness, timestamp, found.line)
