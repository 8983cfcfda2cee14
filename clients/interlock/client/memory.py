"""What this profile has seen of its log: the highest position and checkpoint, kept in `seen.json`.

A server whose log is shorter than what its clients saw was rolled back or forked (ledger design, "High-water mark"), so
the first answer from below is an error and nothing is believed. Lives here: keeping and comparing. Not here: what was
signed by whom; a checkpoint comes here verified.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from interlock.client import files
from interlock.client.errors import ForkError, RollbackError

if TYPE_CHECKING:
    from pathlib import Path

NEVER: Final = -1
_FILE: Final = "seen.json"
_LOCK: Final = "seen.lock"


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest position in any answer (-1: none), and the largest checkpoint (size 0: none; root in hex).

    ``note`` is that checkpoint as it was signed; empty where an earlier version kept none.
    """

    position: int = NEVER
    size: int = 0
    root: str = ""
    note: str = ""

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
            text = self._file.read_bytes()
        except FileNotFoundError:
            return self._seen
        except OSError as error:
            raise RollbackError(f"{self._file} can't be read: {error.strerror}", reason="MEMORY") from error
        try:
            kept = json.loads(text)
            if kept["log_id"] != self._log_id:
                return self._seen
            stored = Seen(int(kept["position"]), int(kept["size"]), str(kept["root"]), str(kept.get("note", "")))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
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
                f"{before.least_position}: the log was rolled back or is another one. Nothing it says can be relied on"
                "; whether the recovery quorum accepted a restore, `interlock audit verify` says",
                reason="LOG_ROLLED_BACK",
            )
        if position > self._seen.position:
            self._keep(replace(self._seen, position=position))

    def note_position(self, position: int) -> None:
        """Remember that the log reaches this far, as a stream of it showed."""
        if position > self.load().position:
            self._keep(replace(self._seen, position=position))

    def check_checkpoint(self, size: int, root: bytes, text: str, before: Seen | None = None) -> None:
        """Take a checkpoint whose signature was checked: its tree's size and root, and its note as received.

        ``before`` is what was seen when it was asked for; by default, what is seen now. That a larger tree extends the
        one that was seen is for the caller to have proven. Raises RollbackError where it is smaller than what was seen,
        ForkError where it is of the same size with another root.
        """
        now = self.load()
        before = before or now
        if size - 1 < before.least_position:
            raise RollbackError(
                f"the server's checkpoint covers {size} entries, but this profile has seen "
                f"{before.least_position + 1}: the log was rolled back",
                reason="LOG_ROLLED_BACK",
            )
        if size == now.size and root.hex() != now.root:
            raise self.fork(now.note, text, f"two checkpoints of {size} entries have different roots")
        if size > now.size:
            self._keep(Seen(now.position, size, root.hex(), text))

    def accept_loss(self, size: int, root: bytes, text: str) -> str:
        """Take a checkpoint in place of what was seen, which whoever verified has accepted as lost.

        Returns the file that keeps both heads; empty where only a position was seen.
        """
        now = self.load()
        kept = keep_fork(self._file.parent, now.note, text) if now.note else ""
        self._write(Seen(size - 1, size, root.hex(), text))
        return kept

    def fork(self, first: str, second: str, what: str) -> ForkError:
        """Keep two signed heads that disagree, and return the error that says so."""
        kept = keep_fork(self._file.parent, first, second)
        return ForkError(f"{what}: the log was forked", notes=(first, second), kept=kept)

    def _keep(self, seen: Seen) -> None:
        """Write what was seen unless another process has seen more."""
        self._seen = _later(self._seen, seen)
        with files.unless_read_only(), files.locked(self._lock):
            self._put(self.load())

    def _write(self, seen: Seen) -> None:
        """Write what was seen, whatever was there."""
        self._seen = seen
        with files.unless_read_only(), files.locked(self._lock):
            self._put(seen)

    def _put(self, seen: Seen) -> None:
        kept = {"log_id": self._log_id, "position": seen.position, "size": seen.size, "root": seen.root}
        kept["note"] = seen.note
        files.write_private(self._file, json.dumps(kept).encode() + b"\n")


def keep_fork(folder: Path, first: str, second: str) -> str:
    """Write two signed heads that disagree to a file of their own, and return its path; empty if that can't be."""
    digest = hashlib.sha256("\0".join(sorted((first, second))).encode()).hexdigest()
    path = folder / f"fork-{digest[:16]}.json"
    with files.unless_read_only():
        files.write_private(path, json.dumps({"notes": [first, second]}, indent=2).encode() + b"\n")
    return str(path) if path.is_file() else ""


def _later(one: Seen, other: Seen) -> Seen:
    largest = max(one, other, key=lambda seen: seen.size)
    return replace(largest, position=max(one.position, other.position))
