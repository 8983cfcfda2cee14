"""The files of the log's own key: `keys/log.key` signs, `keys/log-next.key` waits to be named by the log.

Once the log names the key that waits, it takes the place of the old one, which is then gone from here: in two steps,
each of which the next start can find done or not. `log.pub` says which key that is, to whoever is handed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.proofs import keys, note
from interlock.service.durable import replace_file, sync_file, sync_folder
from interlock.service.keyfiles import KeyFileError, load_signing_key
from interlock.service.ledger.checkpoints import CheckpointSigner

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY: Final = "keys/log.key"
NEXT: Final = "keys/log-next.key"
PUBLIC: Final = "log.pub"


@dataclass(frozen=True, slots=True)
class LogKeyFiles:
    """The files in a server's folder, and the passphrase that they share."""

    data: Path
    passphrase: bytes | None = field(repr=False)

    def load_signer(self) -> CheckpointSigner:
        """Load the log's key and the name it signs under. Raises KeyFileError, or NoteError for a bad ``log.pub``."""
        key = load_signing_key(self.data / KEY, self.passphrase)
        verifier = note.NoteVerifier.from_vkey((self.data / PUBLIC).read_text("utf-8").strip())
        signer = CheckpointSigner(verifier.name, key, self._find_next)
        if not signer.has(verifier.public_key):
            raise KeyFileError(f"{self.data / KEY} is not the key that {PUBLIC} names")
        return signer

    def settle(self, origin: str, named: bytes) -> bool:
        """Put the key that the log names in its place, where it waits; say whether it did. Raises OSError."""
        waits = self._find_next()
        if waits is None or keys.public_bytes(waits) != named:
            return False
        sync_file(self.data / NEXT)
        replace_file(self.data / PUBLIC, f"{note.vkey_of(origin, named)}\n".encode())
        (self.data / NEXT).replace(self.data / KEY)
        sync_folder((self.data / KEY).parent)
        return True

    def _find_next(self) -> Ed25519PrivateKey | None:
        """Return the key that waits; None where there is none that can be opened: whoever needs it is told so."""
        try:
            return load_signing_key(self.data / NEXT, self.passphrase) if (self.data / NEXT).exists() else None
        except KeyFileError:
            return None
