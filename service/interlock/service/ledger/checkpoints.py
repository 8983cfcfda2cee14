"""Signed tree heads: made of roots that this process computed, and kept from the moment that one is shown.

A log may change its key (`interlock.statemachine.log_keys`). Which key signs is what the log says where the head is
signed; a server that has no private half of that one signs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.proofs import keys, note
from interlock.proofs.errors import RefusedError
from interlock.proofs.tiles import TileReader
from interlock.service.errors import LedgerUnhealthy
from interlock.service.ledger.proving import Head, prove_head
from interlock.service.ledger.tree import tile_reader
from interlock.service.storage import queries
from interlock.statemachine import log_keys
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import Connection

    from interlock.proofs.log_keys import LogKeys
    from interlock.statemachine.resources import Log


class CheckpointSigner:
    """The log's private keys and the name it signs under, which is also the checkpoints' origin (C2SP tlog-checkpoint).

    ``find_next`` gives the private key that waits to be named, None where there is none: it may come while this runs.
    It is loaded when the log names it, and at a start that comes before it was put in its place.
    """

    def __init__(
        self,
        origin: str,
        private_key: Ed25519PrivateKey,
        find_next: Callable[[], Ed25519PrivateKey | None] = lambda: None,
    ) -> None:
        self.origin = origin
        self._find_next = find_next
        self._keys = {keys.public_bytes(private_key): private_key}

    def history(self, log: Log) -> LogKeys:
        """Return the keys that checkpoints of this log are checked against."""
        return log_keys.history(log, self.origin)

    def has(self, public_key: bytes) -> bool:
        """Say whether the private half of a key is here; the one that waits is looked for once more."""
        return public_key in self._keys or self.waits(public_key)

    def waits(self, public_key: bytes) -> bool:
        """Say whether the private half of a key waits to be named: looked up, for it may be gone from the disk."""
        found = self._find_next()
        if found is None or keys.public_bytes(found) != public_key:
            return False
        self._keys[public_key] = found
        return True

    def sign(self, public_key: bytes, size: int, root: bytes) -> str:
        """Return the signed note of a tree head: always the same for the same head. Raises LedgerUnhealthy."""
        private_key = self._keys.get(public_key)
        if private_key is None:
            raise LedgerUnhealthy(Code.LEDGER)
        return note.sign_checkpoint(note.Checkpoint(self.origin, size, root), self.origin, private_key)


def no_private_half() -> Unmet:
    """Return why a key can't be the log's: after such an entry nothing could be signed."""
    wish = "the private half of the new log key as keys/log-next.key in the server's folder, 0600"
    return Unmet(Code.LOG_KEY_FILE, wish, "none, another one, or one that can't be opened", "log")


def signed_anew(connection: Connection, signer: CheckpointSigner, log: Log, newest: Head) -> dict[int, str]:
    """Return the shown checkpoints that the key before the one in force may no longer have signed, signed by this one.

    What a checkpoint of the database says is believed by nobody: the head is the one that ``newest`` extends. Raises
    TileError or ProofError where the tiles don't lead to it.
    """
    read_node = TileReader(tile_reader(connection)).read_node
    shown = queries.checkpoints_between(connection, log.retired[-1].last_size + 1, newest.size)
    heads = (prove_head(size, newest, read_node) for size, _ in shown)
    return {head.size: signer.sign(log.log_key, head.size, head.root) for head in heads}


def opens(keys_known: LogKeys, text: str, size: int, root: bytes) -> bool:
    """Say whether a note is a checkpoint of this head, by a key of the log that had not ended there."""
    try:
        found, _ = keys_known.open(text)
    except RefusedError:
        return False
    return (found.size, found.root) == (size, root)
