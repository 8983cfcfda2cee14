"""Reads a stored log from its first entry to its last, in bounded memory, deciding each entry again.

Lives here: what is compared entry by entry. Not here: what follows from a finding (``startup.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs.merkle import EMPTY_ROOT, MAX_SIZE, Frontier, leaf_hash
from interlock.service.ledger.concerns import EntryRows, rows_of
from interlock.service.ledger.policies import is_object_of
from interlock.service.ledger.remembered import Remembered
from interlock.service.storage import queries
from interlock.service.storage.writes import Writes, drop_snapshots
from interlock.statemachine.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from interlock.service.storage.rows import StoredEntry

PAGE: Final = 500
"""Entries in memory at a time."""


class Rereading:
    """One pass over a log. ``finding`` says what was wrong first, empty for nothing; the pass ends there."""

    def __init__(self, connection: Connection, sizes: Collection[int] = ()) -> None:
        """``sizes`` are those whose roots are wanted."""
        self._connection = connection
        self._sizes = frozenset(sizes)
        self.replay = Replay(self._resolve)
        self.remembered = Remembered()
        self.frontier = Frontier()
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.finding = ""

    def leaves(self) -> Iterator[bytes]:
        """Judge every entry, and give the leaf hashes of those that are good."""
        for page in pages(self._connection):
            rows: list[EntryRows] = []
            for stored in page:
                accepted = self.replay.feed(stored.data)
                if accepted is None:
                    found = self.replay.findings[-1]
                    self.finding = f"entry {found.position}: {found.code}: {found.detail}"
                    return
                rows.append(rows_of(accepted, stored.data))
                leaf = self._append(stored.data)
                self.remembered.add(rows[-1], leaf)
                yield leaf
            self.finding = self._compare(page, rows)
            if self.finding:
                return
        self.finding = self._compare_rest()

    def _append(self, data: bytes) -> bytes:
        leaf = leaf_hash(data)
        self.frontier = self.frontier.append(leaf)
        if self.frontier.size in self._sizes:
            self.roots[self.frontier.size] = self.frontier.root()
        return leaf

    def _compare(self, page: Sequence[StoredEntry], rows: Sequence[EntryRows]) -> str:
        """Say which row of a page's entries is not what the entries give; empty for none."""
        for stored, given in zip(page, (row.entry for row in rows), strict=True):
            if stored != given:
                return f"entry {given.seq}: its row names another position, time or actor"
        first, last = page[0].seq, page[-1].seq
        lookups = queries.lookups(self._connection, first, last)
        expected = {
            "entry_resources": {(word, row.entry.seq) for row in rows for word in row.resources},
            "entry_triggers": {(word, row.entry.seq) for row in rows for word in row.triggers},
            "entry_models": {(word, row.entry.seq) for row in rows for word in row.models},
        }
        for table, words in expected.items():
            if differs := lookups[table] ^ words:
                word, seq = min(differs, key=lambda row: (row[1], row[0]))
                return f"entry {seq}: {word} in {table} is missing, or one too many"
        snapshots = {(row.resource, row.seq): row for row in queries.snapshots_in(self._connection, first, last)}
        fold = {(row.resource, row.seq): row for entry in rows for row in entry.snapshots}
        for at in snapshots.keys() | fold.keys():
            if snapshots.get(at) != fold.get(at):
                return f"entry {at[1]}: the snapshot of {at[0]} is not what the fold gives"
        return ""

    def _compare_rest(self) -> str:
        """Say what refers to positions past the end; empty for nothing."""
        size = self.replay.state.size
        lookups = queries.lookups(self._connection, size, MAX_SIZE)
        surplus = [table for table, words in lookups.items() if words]
        if queries.snapshots_in(self._connection, size, MAX_SIZE):
            surplus.append("snapshots")
        return f"{', '.join(surplus)}: rows of entries that are not there" if surplus else ""

    def _resolve(self, digest: bytes) -> bytes:
        """Return a stored object. Raises LookupError for one that is missing or is not what its digest says."""
        data = queries.objects(self._connection, (digest,)).get(digest)
        if data is None or not is_object_of(digest, data):
            raise LookupError(f"object {digest.hex()} is {'missing' if data is None else 'not what its digest says'}")
        return data


def pages(connection: Connection) -> Iterator[tuple[StoredEntry, ...]]:
    """Give every entry in order, a bounded number at a time."""
    after = queries.NEVER
    while page := queries.entries_after(connection, after, limit=PAGE):
        yield page
        after = page[-1].seq


def remake_snapshots(connection: Connection) -> bool:
    """Replace every snapshot by what the entries fold to. False, and half done, where some entry is not good."""
    drop_snapshots(connection)
    rereading = Rereading(connection)
    for page in pages(connection):
        writes = Writes()
        for stored in page:
            accepted = rereading.replay.feed(stored.data)
            if accepted is None:
                return False
            for row in rows_of(accepted, stored.data).snapshots:
                writes.add_snapshot(row)
        writes.flush(connection)
    return True
