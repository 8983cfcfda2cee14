"""The fold of a log that is being verified, kept on disk where it grows with the log.

What people still work with (models, levels, safeguards, principals, grants) stays in memory. Numbered records (changes,
documents, holds, decisions …) and the indexes by digest pile up: these go to a temporary database, in their canonical
form, and the few that are asked for come back. The rules notice nothing: a map is a map.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass, fields, replace
from heapq import merge
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from immutables import Map

from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

K = TypeVar("K", str, bytes, int)
V = TypeVar("V")

SETTLE_EVERY: Final = 1024
"""Entries after which what they wrote goes to disk."""

KEPT: Final = 2048
"""Values of each map that stay in memory because they were used last."""

_CACHE_KIB: Final = 16 * 1024
_COLD: Final = (r.Change, r.Evidence, r.Hold, r.Decision, r.Assessment, r.Deployment, r.ErasedText)


_NOTES: Final = (
    "documents (sha256 TEXT, name TEXT, size INTEGER)",
    "texts (digest BLOB, position INTEGER, field TEXT, given INTEGER)",
    "erasures (digest BLOB PRIMARY KEY, position INTEGER)",
)
"""Tables of what entries record and name, which is asked for at the end."""


def _is_cold(item: object) -> bool:
    return isinstance(item, _COLD)


@dataclass(frozen=True, slots=True)
class _SpilledState(State):
    """A state whose maps are spilled. Kinds that never are on disk are found without going there."""

    def all_of(self, kind: type[Any]) -> Iterator[Any]:
        """Every resource of a kind, in no particular order."""
        items = cast("Spilled[str, r.Resource]", self.items)
        rows = items.values() if issubclass(kind, _COLD) else items.recent.values()
        return (item for item in rows if isinstance(item, kind))

    def in_order(self, encode: Callable[[r.Resource], bytes]) -> Iterator[tuple[str, bytes]]:
        """Every resource's name and its form, by name; those on disk are there in their form already."""
        items = cast("Spilled[str, r.Resource]", self.items)
        recent = ((name, encode(items.recent[name])) for name in sorted(items.recent))
        return merge(recent, items.stored())


class Fold:
    """Makes an empty state with maps on disk, and settles it from time to time. `close` it.

    ``in_memory`` is for who keeps states of the past: then each state is a value that lasts, and nothing is settled.
    """

    def __init__(self, *, in_memory: bool = False) -> None:
        self._in_memory = in_memory
        # A temporary file, gone when it is closed. One thread at a time uses it, not always the one that made it.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("BEGIN")  # and no end: nobody else reads it, and nothing of it outlives this
        for table in _NOTES:
            self._database.execute(f"CREATE TABLE {table}")
        self._noted: dict[str, list[tuple[Any, ...]]] = {}
        as_it_is: Callable[[Any], Any] = lambda value: value  # noqa: E731  # the identity
        self._tables: dict[str, _Table[Any, Any]] = {
            "items": _Table(self._database, "items", snapshot.encode, snapshot.decode, _is_cold),
            **{
                name: _Table(self._database, name, as_it_is, as_it_is, lambda _: True)
                for name in ("positions", "first_uploads", "envelopes", "applied")
            },
        }

    def begin(self) -> State:
        """Return the state of an empty log."""
        if self._in_memory:
            return State()
        maps: dict[str, Any] = {name: Spilled(table, Map()) for name, table in self._tables.items()}
        return _SpilledState(**maps)

    def begin_with(self, state: State) -> State:
        """Return a state that is given whole, in memory, as one that can be settled."""
        if self._in_memory:
            return state
        maps: dict[str, Any] = {name: Spilled(table, getattr(state, name)) for name, table in self._tables.items()}
        others = {item.name: getattr(state, item.name) for item in fields(State) if item.name not in maps}
        return self._settled(_SpilledState(**{**others, **maps}))

    def settle(self, state: State) -> State:
        """Return the same state with what piled up put on disk. Earlier states must not be used any more."""
        if self._in_memory or state.size % SETTLE_EVERY:
            return state
        return self._settled(state)

    def keep(self, state: State, path: Path) -> tuple[State, list[r.Resource]]:
        """Write to a new file what is on disk, all of it; return the state, and the resources that stay in memory.

        The state's other maps are the caller's to keep: they are all in memory. `resume` takes both back.
        """
        self._put_notes()
        settled = self._settled(state)
        self._database.execute("COMMIT")
        with closing(sqlite3.connect(path, isolation_level=None)) as target:
            self._database.backup(target)
        self._database.execute("BEGIN")
        return settled, list(cast("Spilled[str, r.Resource]", settled.items).recent.values())

    def resume(self, path: Path, warm: Iterable[r.Resource], others: Mapping[str, Any]) -> State:
        """Return the state of a fold that was kept: its file, its resources in memory, its other fields by name.

        Raises sqlite3.Error for a file that is no such thing.
        """
        self._database.execute("COMMIT")
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as source:
            source.backup(self._database)
        for table in self._tables.values():
            table.forget()
        self._database.execute("BEGIN")
        maps: dict[str, Any] = {name: Spilled(table, Map()) for name, table in self._tables.items()}
        maps["items"] = Spilled(self._tables["items"], Map({item.name: item for item in warm}))
        return _SpilledState(**{**others, **maps})

    @property
    def on_disk(self) -> frozenset[str]:
        """The fields of a state that are on disk."""
        return frozenset(self._tables)

    def _settled(self, state: State) -> State:
        maps: dict[str, Any] = {name: getattr(state, name).settled() for name in self._tables}
        return replace(state, **maps)

    def note_document(self, sha256: str, name: str, size: int) -> None:
        """Remember a document that an entry recorded."""
        self._note("documents", (sha256, name, size))

    def documents(self, sha256: str) -> list[tuple[str, int]]:
        """Return name and size of each document recorded with these bytes, the first one first."""
        self._put_notes()
        self._database.execute("CREATE INDEX IF NOT EXISTS by_sha256 ON documents (sha256)")  # made when it is needed
        wanted = "SELECT name, size FROM documents WHERE sha256 = ? ORDER BY rowid"
        return list(self._database.execute(wanted, (sha256,)))

    def note_text(self, digest: bytes, position: int, field: str, *, given: bool) -> None:
        """Remember a text that an entry names."""
        self._note("texts", (digest, position, field, given))

    def note_erasure(self, digest: bytes, position: int) -> None:
        """Remember that an entry erased a text."""
        self._note("erasures", (digest, position))

    def texts(self, question: str, limit: int) -> list[tuple[Any, ...]]:
        """Answer one of `texts.QUESTIONS` about texts and erasures, with as many rows at most."""
        self._put_notes()
        self._database.execute("CREATE INDEX IF NOT EXISTS by_digest ON texts (digest, position)")
        return list(self._database.execute(f"{question} LIMIT ?", (limit,)))

    def close(self) -> None:
        """Give the disk back."""
        self._database.close()

    def _note(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._noted.setdefault(table, [])
        rows.append(row)
        if len(rows) >= SETTLE_EVERY:
            self._put_notes()

    def _put_notes(self) -> None:
        for table, rows in self._noted.items():
            places = ", ".join("?" * len(rows[0])) if rows else ""
            self._database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608  # names of our own
        self._noted.clear()


class _Table(Generic[K, V]):
    """One map's part on disk, and the values of it that were used last."""

    def __init__(
        self,
        database: sqlite3.Connection,
        name: str,
        write: Callable[[V], Any],
        read: Callable[[Any], V],
        is_cold: Callable[[V], bool],
    ) -> None:
        database.execute(f"CREATE TABLE {name} (key PRIMARY KEY, value) WITHOUT ROWID")
        self._database = database
        self._write = write
        self._read = read
        self.is_cold = is_cold
        self._get = f"SELECT value FROM {name} WHERE key = ?"  # noqa: S608  # names of our own
        self._put = f"REPLACE INTO {name} VALUES (?, ?)"  # noqa: S608  # same
        self._all = f"SELECT key, value FROM {name}"  # noqa: S608  # same
        self._used: OrderedDict[K, V] = OrderedDict()
        self._absent: set[K] = set()  # asked for since the last `put`, and not there

    def get(self, key: K) -> V | None:
        """Return a value; None where there is none (no map holds None)."""
        value = self._used.get(key)
        if value is None:
            if key in self._absent:
                return None
            row = self._database.execute(self._get, (key,)).fetchone()
            if row is None:
                if len(self._absent) < KEPT:
                    self._absent.add(key)
                return None
            value = self._read(row[0])
            self._keep(key, value)
        return value

    def forget(self) -> None:
        """Know nothing of what is stored: it is another database now."""
        self._used.clear()
        self._absent.clear()

    def put(self, rows: Mapping[K, V]) -> None:
        """Store values."""
        self._absent.clear()
        self._database.executemany(self._put, ((key, self._write(value)) for key, value in rows.items()))
        for key, value in rows.items():
            self._keep(key, value)

    def rows(self) -> Iterator[tuple[K, V]]:
        """Yield all that is stored."""
        for key, value in self._database.execute(self._all):
            yield key, self._read(value)

    def stored(self) -> Iterator[tuple[K, Any]]:
        """Yield all that is stored in the order of the keys (text in UTF-8's, as by code points), not read."""
        return iter(self._database.execute(f"{self._all} ORDER BY key"))

    def _keep(self, key: K, value: V) -> None:
        self._used[key] = value
        self._used.move_to_end(key)
        if len(self._used) > KEPT:
            self._used.popitem(last=False)


class Spilled(Generic[K, V]):
    """A map as ``immutables.Map`` is one, as far as the fold uses it, whose settled part is on disk."""

    __slots__ = ("_table", "recent")

    def __init__(self, table: _Table[K, V], recent: Map[K, V]) -> None:
        self._table: _Table[K, V] = table
        self.recent: Map[K, V] = recent

    def get(self, key: K, default: V | None = None) -> V | None:
        """Return the value of a key."""
        found = self.recent.get(key)
        if found is None:  # no map holds None
            found = self._table.get(key)
        return default if found is None else found

    def set(self, key: K, value: V) -> Spilled[K, V]:
        """Return the map with one value more, or another one."""
        return Spilled(self._table, self.recent.set(key, value))

    def settled(self) -> Spilled[K, V]:
        """Return the same map with what piles up on disk."""
        cold = {key: value for key, value in self.recent.items() if self._table.is_cold(value)}
        if not cold:
            return self
        self._table.put(cold)
        warm = self.recent.mutate()
        for key in cold:
            del warm[key]
        return Spilled(self._table, warm.finish())

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield keys with values, in no particular order."""
        yield from self.recent.items()
        yield from ((key, value) for key, value in self._table.rows() if key not in self.recent)

    def stored(self) -> Iterator[tuple[K, Any]]:
        """Yield what is on disk and was not set again, in the order of the keys, each value as it is stored."""
        return ((key, value) for key, value in self._table.stored() if key not in self.recent)

    def values(self) -> Iterator[V]:
        """Yield values."""
        return (value for _, value in self.items())

    def __getitem__(self, key: K) -> V:
        """Return the value of a key. Raises KeyError."""
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        """Say whether there is a value."""
        return self.get(cast("K", key)) is not None

    def __iter__(self) -> Iterator[K]:
        """Yield keys."""
        return (key for key, _ in self.items())
