"""Signed tree heads: made of roots that this process computed, and kept from the moment that one is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.proofs import keys, note

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.service.ledger.view import View


@dataclass(frozen=True, slots=True)
class CheckpointSigner:
    """The log's key and the name it signs under, which is also the checkpoints' origin (C2SP tlog-checkpoint)."""

    origin: str
    private_key: Ed25519PrivateKey

    @property
    def verifier(self) -> note.NoteVerifier:
        """What anyone needs to check the signature."""
        return note.NoteVerifier(self.origin, keys.public_bytes(self.private_key))

    def sign(self, view: View) -> str:
        """Return the signed note of a view's tree head: always the same for the same head."""
        checkpoint = note.Checkpoint(self.origin, view.state.size, view.root)
        return note.sign_checkpoint(checkpoint, self.origin, self.private_key)
