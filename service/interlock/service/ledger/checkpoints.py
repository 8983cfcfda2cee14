"""Signed tree heads: made of roots that this process computed, and kept from the moment that one is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.proofs import keys, note

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class CheckpointSigner:
    """The log's key and the name it signs under, which is also the checkpoints' origin (C2SP tlog-checkpoint)."""

    origin: str
    private_key: Ed25519PrivateKey

    @property
    def verifier(self) -> note.NoteVerifier:
        """What anyone needs to check the signature."""
        return note.NoteVerifier(self.origin, keys.public_bytes(self.private_key))

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note of a tree head: always the same for the same head."""
        checkpoint = note.Checkpoint(self.origin, size, root)
        return note.sign_checkpoint(checkpoint, self.origin, self.private_key)
