"""Which rows an accepted entry puts into the tables. Pure: the committer writes them, start-up compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.service.storage.rows import SnapshotRow, StoredEntry
from interlock.statemachine import snapshot
from interlock.statemachine.concerned import models_concerned

if TYPE_CHECKING:
    from interlock.statemachine.decide import Accepted


@dataclass(frozen=True, slots=True)
class EntryRows:
    """All that an entry puts into the tables, its tiles aside."""

    entry: StoredEntry
    resources: tuple[str, ...]
    triggers: tuple[str, ...]
    models: tuple[str, ...]
    snapshots: tuple[SnapshotRow, ...]


def rows_of(accepted: Accepted, data: bytes) -> EntryRows:
    """Return the rows of an accepted entry whose stored bytes are ``data``."""
    entry, state = accepted.entry, accepted.state
    written = tuple(name for name, _ in entry.prev)
    return EntryRows(
        entry=StoredEntry(entry.seq, entry.time, entry.actor.principal, data),
        resources=written,
        triggers=tuple(dict.fromkeys(moved.trigger for moved in entry.transitions)),
        models=models_concerned(state, written),
        snapshots=tuple(
            SnapshotRow(name, entry.seq, snapshot.FOLD_VERSION, snapshot.encode(state.items[name])) for name in written
        ),
    )
