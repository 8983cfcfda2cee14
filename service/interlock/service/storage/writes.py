"""What one batch puts into the database: collected row by row, written with few statements a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from interlock.service.storage import schema as s
from interlock.service.storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Table

    from interlock.service.storage.rows import SessionRow, SnapshotRow, StoredEntry, StoredRequest, Text

Row = dict[str, Any]

_LOOKUPS: Final = (
    (s.ENTRY_RESOURCES, "resource"),
    (s.ENTRY_TRIGGERS, "trigger"),
    (s.ENTRY_MODELS, "model"),
)


class Writes:
    """Rows that wait for their transaction. Nothing is in the database before ``flush`` and the caller's commit."""

    def __init__(self) -> None:
        self._rows: dict[Table, list[Row]] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._objects: dict[bytes, bytes] = {}
        self._forgotten: list[bytes] = []
        self._renewed: list[Row] = []

    def __bool__(self) -> bool:
        return bool(self._rows or self._tiles or self._objects)

    def add_entry(
        self,
        entry: StoredEntry,
        *,
        resources: Iterable[str],
        triggers: Iterable[str],
        models: Iterable[str],
    ) -> None:
        """Append an entry, found later under each of these words."""
        row = {"seq": entry.seq, "time": entry.time, "actor": entry.actor, "bytes": entry.data}
        self._add(s.ENTRIES, row)
        for (table, key), words in zip(_LOOKUPS, (resources, triggers, models), strict=True):
            for word in words:
                self._add(table, {key: word, "seq": entry.seq})

    def add_snapshot(self, row: SnapshotRow) -> None:
        """Keep a resource as an entry left it."""
        self._add(
            s.SNAPSHOTS,
            {"resource": row.resource, "seq": row.seq, "fold_version": row.fold_version, "bytes": row.data},
        )

    def add_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles by (level, index), whole; a later one of the same place replaces an earlier."""
        self._tiles.update(tiles)

    def add_object(self, digest: bytes, data: bytes) -> None:
        """Keep an object under its digest."""
        self._objects[digest] = data

    def find_object(self, digest: bytes) -> bytes | None:
        """Return an object that waits to be written."""
        return self._objects.get(digest)

    def add_text(self, text: Text) -> None:
        """Keep a text under its digest."""
        self._add(s.TEXTS, {"digest": text.digest, "salt": text.salt, "text": text.text, "field": text.field})

    def forget_text(self, digest: bytes) -> None:
        """Erase a text and its salt; that there was one stays."""
        self._forgotten.append(digest)

    def renew_checkpoint(self, size: int, note: str) -> None:
        """Put a signed tree head in the place of the one that another key signed."""
        self._renewed.append({"size": size, "note": note})

    def add_request(self, request: StoredRequest) -> None:
        """Remember what was answered."""
        self._add(
            s.REQUESTS,
            {
                "principal": request.key.principal,
                "method": request.key.method,
                "request_id": request.key.request_id,
                "request_digest": request.digest,
                "reply": request.reply,
                "seq": request.seq,
                "time": request.time,
            },
        )

    def flush(self, connection: Connection) -> None:
        """Write everything, in the caller's transaction."""
        if rows := self._rows.pop(s.ENTRIES, None):  # before what refers to them
            insert(connection, s.ENTRIES, rows)
        if self._tiles:
            rows = [{"level": at[0], "tile_index": at[1], "bytes": data} for at, data in self._tiles.items()]
            replace(connection, s.TILES, rows)
        if self._objects:
            rows = [{"sha256": digest, "bytes": data} for digest, data in self._objects.items()]
            add_missing(connection, s.OBJECTS, rows)
        for table, rows in self._rows.items():
            _HOW.get(table, insert)(connection, table, rows)
        if self._forgotten:  # after what may have been kept in the same transaction
            gone = update(s.TEXTS).where(s.TEXTS.c.digest.in_(self._forgotten))
            connection.execute(gone.values(salt=None, text=None))
        if self._renewed:
            replace(connection, s.CHECKPOINTS, self._renewed)
        self._rows, self._tiles, self._objects, self._forgotten, self._renewed = {}, {}, {}, [], []

    def _add(self, table: Table, row: Row) -> None:
        self._rows.setdefault(table, []).append(row)


def put_checkpoint(connection: Connection, size: int, note: str) -> None:
    """Keep a signed tree head; signing is deterministic, so a second one of the same size is the same."""
    add_missing(connection, s.CHECKPOINTS, [{"size": size, "note": note}])


def put_cosignature(connection: Connection, size: int, witness: str, time: int, line: str) -> None:
    """Keep what a witness said of a checkpoint at a time (seconds), instead of what it said before."""
    replace(connection, s.COSIGNATURES, [{"size": size, "witness": witness, "time": time, "line": line}])


def put_meta(connection: Connection, key: str, value: str) -> None:
    """Keep a word about the database itself."""
    replace(connection, s.META, [{"key": key, "value": value}])


def put_session(connection: Connection, session: SessionRow) -> None:
    """Write a session, or its new end."""
    replace(
        connection,
        s.SESSIONS,
        [
            {
                "digest": session.digest,
                "principal": session.principal,
                "credential": session.credential,
                "expires_at": session.expires_at,
            }
        ],
    )


def drop_sessions(connection: Connection, digests: Iterable[bytes]) -> None:
    """Delete sessions by digest."""
    if rows := [{"gone": digest} for digest in digests]:
        delete = s.SESSIONS.delete().where(s.SESSIONS.c.digest == bindparam("gone"))
        connection.execute(delete, rows)


def drop_requests_before(connection: Connection, time: int) -> None:
    """Forget requests that were answered before ``time`` (microseconds)."""
    connection.execute(s.REQUESTS.delete().where(s.REQUESTS.c.time < time))


def insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows."""
    _run(connection, table, "", rows)


def replace(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows, overwriting those that have the same primary key."""
    _run(connection, table, "update", rows)


def add_missing(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows whose primary key is not there yet."""
    _run(connection, table, "nothing", rows)


_HOW: Final = {s.TEXTS: add_missing, s.REQUESTS: replace}
"""An answer that is too old to count may still stand in the way of its id; the same text may come twice."""

_ROWS: Final = (64, 16, 4, 1)
"""How many rows one statement of SQLite's may insert: few sizes, so that the driver keeps every statement prepared."""


@dataclass(frozen=True, slots=True)
class _Insert:
    """The text of an INSERT in three parts, the second for each row, and its columns in their order."""

    head: str
    row: str
    tail: str
    columns: tuple[str, ...]


def _run(connection: Connection, table: Table, conflict: str, rows: list[Row]) -> None:
    """Insert rows, on a conflict of primary keys as told.

    SQLite's driver lets go of the interpreter at every row of an ``executemany`` and has to win it back from the event
    loop each time; a statement of many rows does so once.
    """
    match connection.dialect.name:
        case "sqlite":
            text, at = _sqlite_text(table, conflict), 0
            for size in _ROWS:
                while len(rows) - at >= size:
                    values = tuple(row[name] for row in rows[at : at + size] for name in text.columns)
                    statement = f"{text.head}{', '.join([text.row] * size)}{text.tail}"
                    connection.exec_driver_sql(statement, values)
                    at += size
        case "postgresql":
            connection.execute(_on_conflict(postgresql.insert(table), table, conflict), rows)
        case other:
            raise StorageError(f"no database of kind {other}")


@cache
def _sqlite_text(table: Table, conflict: str) -> _Insert:
    compiled = _on_conflict(sqlite.insert(table), table, conflict).compile(dialect=sqlite.dialect())
    head, values, rest = str(compiled).partition(" VALUES ")
    row, closed, tail = rest.partition(")")
    return _Insert(head + values, row + closed, tail, tuple(compiled.positiontup or ()))


def _on_conflict(
    statement: sqlite.Insert | postgresql.Insert, table: Table, conflict: str
) -> sqlite.Insert | postgresql.Insert:
    keys = table.primary_key.columns.keys()
    match conflict:
        case "update":
            news = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
            return statement.on_conflict_do_update(index_elements=keys, set_=news)
        case "nothing":
            return statement.on_conflict_do_nothing(index_elements=keys)
        case _:
            return statement


def drop_snapshots(connection: Connection) -> None:
    """Delete every snapshot; they are made anew in the same transaction."""
    connection.execute(s.SNAPSHOTS.delete())
