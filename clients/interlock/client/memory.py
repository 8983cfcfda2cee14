"""What this profile has seen of its log: the highest position and checkpoint, kept in `seen.json`.

A server whose log is shorter than what its clients saw was rolled back or forked (ledger design, "High-water mark"), so
the first answer from below is an error and nothing is believed. Lives here: keeping and comparing. Not here: what was
signed by whom; a checkpoint comes here verified.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.client import files
from interlock.client.errors import RollbackError

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.proofs.note import Checkpoint

NEVER: Final = -1
_FILE: Final = "seen.json"
_LOCK: Final = "seen.lock"


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest position in any answer (-1: none), and the largest checkpoint (size 0: none; root in hex)."""

    position: int = NEVER
    size: int = 0
    root: str = ""

    @property
    def least_position(self) -> int:
        """The log's last entry can't be before this one."""
        return max(self.position, self.size - 1)


class Memory:
    """The memory of one profile; several processes may share it. In a read-only folder only this process remembers."""

    def __init__(self, folder: Path, log_id: bytes) -> None:
        """Keep the memory in ``folder``, for the log with this id only."""
        self._file = folder / _FILE
        self._lock = folder / _LOCK
        self._log_id = log_id.hex()
        self._seen = Seen()

    def load(self) -> Seen:
        """Return what was seen, by this process or another one. Raises RollbackError for a file that can't be read."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return self._seen
        except OSError as error:
            raise RollbackError(f"{self._file} can't be read: {error.strerror}", reason="MEMORY") from error
        try:
            kept = json.loads(text)
            if kept["log_id"] != self._log_id:
                return self._seen
            stored = Seen(int(kept["position"]), int(kept["size"]), str(kept["root"]))
        except (ValueError, KeyError, TypeError) as error:
            raise RollbackError(
                f"{self._file} is damaged; what this profile has seen of the log is lost. Remove it to start anew",
                reason="MEMORY",
            ) from error
        self._seen = _later(self._seen, stored)
        return self._seen

    def check_position(self, position: int, before: Seen) -> None:
        """Take the position of an answer; ``before`` is what was seen when it was asked for.

        Raises RollbackError where the answer comes from a shorter log.
        """
        if position < before.least_position:
            raise RollbackError(
                f"the server's log ends at position {position}, but this profile has seen position "
                f"{before.least_position}: the log was rolled back or is another one. Nothing it says can be relied on",
                reason="LOG_ROLLED_BACK",
            )
        if position > self._seen.position:
            self._keep(Seen(position, self._seen.size, self._seen.root))

    def note_position(self, position: int) -> None:
        """Remember that the log reaches this far, as a stream of it showed."""
        if position > self.load().position:
            self._keep(Seen(position, self._seen.size, self._seen.root))

    def check_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint whose signature was checked.

        Raises RollbackError where it is smaller than what was seen, or of the same size with another root.
        """
        before = self.load()
        if checkpoint.size - 1 < before.least_position:
            raise RollbackError(
                f"the server's checkpoint covers {checkpoint.size} entries, but this profile has seen "
                f"{before.least_position + 1}: the log was rolled back",
                reason="LOG_ROLLED_BACK",
            )
        if checkpoint.size == before.size and checkpoint.root.hex() != before.root:
            raise RollbackError(
                f"two checkpoints of {checkpoint.size} entries with different roots: the log was forked",
                reason="LOG_FORKED",
            )
        if checkpoint.size > before.size:
            self._keep(Seen(before.position, checkpoint.size, checkpoint.root.hex()))

    def _keep(self, seen: Seen) -> None:
        """Write what was seen unless another process has seen more."""
        self._seen = _later(self._seen, seen)
        with files.unless_read_only(), files.locked(self._lock):
            seen = self.load()
            kept = {"log_id": self._log_id, "position": seen.position, "size": seen.size, "root": seen.root}
            files.write_private(self._file, json.dumps(kept).encode() + b"\n")


def _later(one: Seen, other: Seen) -> Seen:
    largest = max(one, other, key=lambda seen: seen.size)
    return Seen(max(one.position, other.position), largest.size, largest.root)
