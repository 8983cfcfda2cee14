"""The keys that a log has had, each with the last tree size that it may sign, and checkpoints held to them.

Whoever has an old key can sign with it for ever. What makes that worthless is that the key ended: a checkpoint of a
larger tree by it is none of the log's. A later key may sign a smaller tree: proofs ask for heads that were never shown.
Lives here: keys and notes. Not here: who may name the next key (`interlock.statemachine.recovery`).
"""

from dataclasses import dataclass
from typing import Self

from interlock.proofs import note
from interlock.proofs.errors import Fault, NoteError


@dataclass(frozen=True, slots=True)
class LogKey:
    """A public key, raw, and the greatest tree whose head it may sign; None for the key in force."""

    public_key: bytes
    last_size: int | None = None

    def signs(self, size: int) -> bool:
        """Say whether a head of this size may be by this key."""
        return self.last_size is None or size <= self.last_size


@dataclass(frozen=True, slots=True)
class LogKeys:
    """A log's keys, oldest first; the last one is in force."""

    origin: str
    keys: tuple[LogKey, ...]

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """Return the one key that a verifier key names. Raises `NoteError`."""
        verifier = note.NoteVerifier.from_vkey(vkey)
        return cls(verifier.name, (LogKey(verifier.public_key),))

    @property
    def vkey(self) -> str:
        """The verifier key of the key in force."""
        return self.vkey_of(self.keys[-1])

    def vkey_of(self, key: LogKey) -> str:
        """The verifier key of one of these."""
        return note.vkey_of(self.origin, key.public_key)

    def has(self, public_key: bytes) -> bool:
        """Say whether a key is one of these."""
        return any(key.public_key == public_key for key in self.keys)

    def open(self, text: str | bytes) -> tuple[note.Checkpoint, tuple[bytes, ...]]:
        """Return a checkpoint and the public keys of these that signed it.

        Raises `NoteError` as `note.open_checkpoint`, and LOG_KEY_ENDED where each of them ended before that size.
        """
        known = {note.NoteVerifier(self.origin, key.public_key): key for key in self.keys}
        opened = note.open_note(text, known)
        checkpoint = note.Checkpoint.from_text(opened.text)
        if checkpoint.origin != self.origin:
            raise NoteError(Fault.CHECKPOINT_ORIGIN, f"a checkpoint of {checkpoint.origin}, not of {self.origin}")
        signers = [known[signer] for signer in opened.signers]
        good = tuple(key.public_key for key in signers if key.signs(checkpoint.size))
        if not good:
            ended = max(key.last_size or 0 for key in signers)
            detail = f"{checkpoint.size} entries, signed by a key of this log that ended at {ended}"
            raise NoteError(Fault.LOG_KEY_ENDED, detail)
        return checkpoint, good
