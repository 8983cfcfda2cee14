"""Which rows an accepted entry puts into the tables. Pure: the committer writes them, start-up compares them.

Lives here also which models an entry concerns: a hold, an assessment or a change has a name of its own, and whoever
reads a model's trail must meet it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.service.storage.rows import SnapshotRow, StoredEntry
from interlock.statemachine import changes, names, snapshot
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import model_concerned

if TYPE_CHECKING:
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.state import State


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


def models_concerned(state: State, written: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that an entry concerns which wrote these resources, each once, sorted.

    That is a model or anything of one, a hold on it, an assessment of it, a decision on it, a deployment of it, and a
    change with a trigger on any of these.
    Holds on everything and shared safeguards are no one model's.
    """
    return tuple(sorted({model for name in written for model in _models_of(state, name)}))


def _models_of(state: State, name: str) -> set[str]:
    match state.items.get(name):
        case (
            r.Hold(target=subject)
            | r.Assessment(model=subject)
            | r.Decision(model=subject)
            | r.Deployment(model=subject)
        ):
            found = {names.model_of(subject)}
        case r.Change(content=content):
            firings = changes.content_of(content).triggers
            found = {model_concerned(state, firing) for firing in firings}
        case _:
            found = {names.model_of(name)}
    return {model for model in found if model is not None}
