"""What this process decided, in digests: whatever comes out of the database later is held against it.

Of each entry its time and leaf hash, of each snapshot a digest: about 200 MB for a million entries, as measured.
Filled by the start, which decides every entry again, and by every commit after it. So a row edited under a running
server is never believed: an answer about the past is made of snapshots that have these digests, and an entry that is
handed out is known for a forged one.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from interlock.proofs.merkle import HASH_BYTES, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.service.ledger.concerns import EntryRows
    from interlock.service.storage.rows import SnapshotRow, StoredEntry

_DIGEST_BYTES: Final = 16
"""Of a SHA-256 cut short: finding other bytes for a given one takes 2**128 steps."""

_Row = tuple["array[int]", bytearray]


class Remembered:
    """Digests by position and by resource. One thread adds; any thread may ask about what was added before."""

    def __init__(self) -> None:
        self._times: array[int] = array("q")
        self._leaves = bytearray()
        self._snapshots: dict[str, _Row] = {}

    @property
    def size(self) -> int:
        """How many entries are remembered."""
        return len(self._times)

    def add(self, rows: EntryRows, leaf: bytes) -> None:
        """Remember the next entry, whose leaf hash this is."""
        for row in rows.snapshots:
            seqs, digests = self._snapshots.setdefault(row.resource, (array("q"), bytearray()))
            digests += _digest(row.data)
            seqs.append(row.seq)  # last: whoever asks meanwhile counts by positions
        self._leaves += leaf
        self._times.append(rows.entry.time)

    def time_of(self, position: int) -> int:
        """Return when an entry was made (microseconds)."""
        return self._times[position]

    def position_at(self, time: int) -> int:
        """Return the position of the last entry made at or before ``time`` (microseconds); -1 for none."""
        return bisect_right(self._times, time) - 1

    def leaf(self, position: int) -> bytes:
        """Return an entry's leaf hash."""
        return bytes(self._leaves[position * HASH_BYTES : (position + 1) * HASH_BYTES])

    def entry_fault(self, position: int, stored: StoredEntry | None) -> str:
        """Say what is wrong with the entry that the database has at a position; empty for nothing."""
        if position >= self.size:
            return ""
        if stored is None:
            return f"entry {position} is not in the database any more"
        if stored.seq != position or leaf_hash(stored.data) != self.leaf(position):
            return f"entry {position} is not the one that was decided"
        return ""

    def snapshots_fault(self, position: int, rows: Iterable[SnapshotRow]) -> str:
        """Say what is wrong with each resource's newest snapshot up to a position, as read; empty for nothing."""
        found = {row.resource: row for row in rows}
        for resource, (seqs, digests) in list(self._snapshots.items()):
            index = bisect_right(seqs, position) - 1
            row = found.pop(resource, None)
            if index < 0 and row is None:
                continue
            if index < 0 or row is None or row.seq != seqs[index]:
                return f"the snapshots of {resource} are not those that were written"
            if _digest(row.data) != digests[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]:
                return f"the snapshot of {resource} at {row.seq} is not what the fold gives"
        return f"a snapshot of {min(found)} that no entry wrote" if found else ""

    def step_fault(self, row: SnapshotRow) -> str:
        """Say what is wrong with one snapshot; empty for nothing."""
        seqs, digests = self._snapshots.get(row.resource, (array("q"), bytearray()))
        index = bisect_right(seqs, row.seq) - 1
        kept = digests[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES] if index >= 0 else b""
        if index < 0 or seqs[index] != row.seq or _digest(row.data) != kept:
            return f"the snapshot of {row.resource} at {row.seq} is not what the fold gives"
        return ""


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_DIGEST_BYTES]
