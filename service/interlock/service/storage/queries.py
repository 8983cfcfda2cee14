"""Questions to the tables: each a function of a connection, answered from one consistent view."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select

from interlock.service.storage import schema as s
from interlock.service.storage.rows import (
    EntryFilter,
    RequestKey,
    SessionRow,
    SnapshotRow,
    StoredEntry,
    StoredRequest,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Table

NEVER: Final = -1
_LAST_CHARACTER: Final = "\U0010ffff"
_MANY: Final = 500
"""How many digests one statement asks for."""

_ENTRY: Final = (s.ENTRIES.c.seq, s.ENTRIES.c.time, s.ENTRIES.c.actor, s.ENTRIES.c.bytes)

_KEYS: Final = (1, 4, 16, 64)
"""For how many request ids one statement asks: few sizes, so that each stays prepared."""

# Made once: they are asked at every batch, or several times for one answer, and putting a question together took longer
# than its answer.
_LAST_ENTRY: Final = select(*_ENTRY).order_by(s.ENTRIES.c.seq.desc()).limit(1)
_ENTRY_AT: Final = select(*_ENTRY).where(s.ENTRIES.c.seq == bindparam("wanted_seq"))
_TEXTS: Final = select(s.TEXTS.c.digest, s.TEXTS.c.salt, s.TEXTS.c.text, s.TEXTS.c.field).where(
    s.TEXTS.c.digest.in_(bindparam("wanted_digests", expanding=True))
)
_TILE: Final = select(s.TILES.c.bytes).where(
    s.TILES.c.level == bindparam("wanted_level"), s.TILES.c.tile_index == bindparam("wanted_index")
)


def damage(connection: Connection) -> str:
    """Say what is wrong with the database file itself, empty for nothing.

    SQLite answers from an index where that is enough, so a table and its index can each look right alone; only its own
    check compares the two. PostgreSQL has data checksums for this.
    """
    if connection.dialect.name != "sqlite":
        return ""
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    return "" if found == "ok" else f"the database file is damaged: {found}"


def head(connection: Connection) -> int:
    """Return the position of the last entry; -1 for none."""
    last: int | None = connection.execute(select(func.max(s.ENTRIES.c.seq))).scalar()
    return NEVER if last is None else last


def entry(connection: Connection, seq: int) -> StoredEntry | None:
    """Return the entry at a position."""
    row = connection.execute(_ENTRY_AT, {"wanted_seq": seq}).one_or_none()
    return None if row is None else StoredEntry(*row)


def last_entry(connection: Connection) -> StoredEntry | None:
    """Return the entry that the log ends with."""
    row = connection.execute(_LAST_ENTRY).one_or_none()
    return None if row is None else StoredEntry(*row)


def entries_after(
    connection: Connection, after: int, *, until: int | None = None, limit: int
) -> tuple[StoredEntry, ...]:
    """Return entries past position ``after``, up to and with ``until``, in order."""
    wanted = select(*_ENTRY).where(s.ENTRIES.c.seq > after).order_by(s.ENTRIES.c.seq).limit(limit)
    if until is not None:
        wanted = wanted.where(s.ENTRIES.c.seq <= until)
    return tuple(StoredEntry(*row) for row in connection.execute(wanted))


def list_entries(
    connection: Connection,
    wanted: EntryFilter,
    *,
    after: int | None = None,
    limit: int,
    head: int | None = None,
) -> tuple[StoredEntry, ...]:
    """Return one page of a listing: what comes after position ``after`` in the order asked for.

    A page never changes by later entries, nor does an ascending one's place in the sequence; ``head`` leaves out
    what lies past it.
    """
    query, seq = _filtered(wanted)
    order, beyond = (seq.desc(), seq.__lt__) if wanted.descending else (seq.asc(), seq.__gt__)
    query = query.order_by(order).limit(limit)
    if after is not None:
        query = query.where(beyond(after))
    if head is not None:
        query = query.where(seq <= head)
    return tuple(StoredEntry(*row) for row in connection.execute(query))


def _filtered(wanted: EntryFilter) -> tuple[Select[Any], ColumnElement[int]]:
    """Return the query of a filter, and the column of positions that a page is cut by.

    That is the first look-up table's where one is asked, so that few entries of a long log are found in few steps.
    """
    query: Select[Any] = select(*_ENTRY)
    seq: ColumnElement[int] = s.ENTRIES.c.seq
    exact = ((s.ENTRY_MODELS, wanted.model), (s.ENTRY_TRIGGERS, "" if wanted.trigger.endswith("*") else wanted.trigger))
    for table, word in exact:
        if word:
            query = query.join(table, table.c.seq == s.ENTRIES.c.seq).where(_key(table) == word)
            seq = table.c.seq if seq is s.ENTRIES.c.seq else seq
    if wanted.trigger.endswith("*"):
        prefix = wanted.trigger.removesuffix("*")
        query = query.where(_among(s.ENTRY_TRIGGERS, _begins(s.ENTRY_TRIGGERS.c.trigger, prefix)))
    if wanted.resource:
        query = query.where(_among(s.ENTRY_RESOURCES, _at_or_below(s.ENTRY_RESOURCES.c.resource, wanted.resource)))
    if wanted.actor:
        query = query.where(s.ENTRIES.c.actor == wanted.actor)
    # Time only grows with position, so a range of time is one of positions: no entry has to be looked at for it. An
    # empty range compares with NULL, which is never true.
    time, first = s.ENTRIES.c.time, select(s.ENTRIES.c.seq).limit(1)
    if wanted.since is not None:
        query = query.where(seq >= first.where(time >= wanted.since).order_by(time).scalar_subquery())
    if wanted.until is not None:
        query = query.where(seq <= first.where(time < wanted.until).order_by(time.desc()).scalar_subquery())
    return query, seq


def _among(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Say that a look-up table has a row of the entry that meets a condition; found by the table's own order."""
    return s.ENTRIES.c.seq.in_(select(table.c.seq).where(condition))


def _begins(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Say that a word begins so, as a range: nothing in ``prefix`` is a pattern."""
    return and_(column >= prefix, column < prefix + _LAST_CHARACTER)


def _at_or_below(column: ColumnElement[str], resource: str) -> ColumnElement[bool]:
    """Say that a name is ``resource`` or one below it, or begins with what stands before a closing ``*``."""
    if resource.endswith("*"):
        return _begins(column, resource.removesuffix("*"))
    return or_(column == resource, _begins(column, f"{resource}/"))


def written_by(connection: Connection, resources: Iterable[str], until: int) -> set[int]:
    """Return the positions of all entries up to and with ``until`` that wrote any of these resources."""
    names, found = list(resources), set[int]()
    for begin in range(0, len(names), _MANY):
        column = s.ENTRY_RESOURCES.c
        wanted = select(column.seq).where(column.resource.in_(names[begin : begin + _MANY]), column.seq <= until)
        found.update(connection.execute(wanted).scalars())
    return found


def entries_at(connection: Connection, positions: Iterable[int]) -> tuple[StoredEntry, ...]:
    """Return the entries at these positions, in order; what is not there is left out."""
    wanted, found = sorted(set(positions)), []
    for begin in range(0, len(wanted), _MANY):
        part = select(*_ENTRY).where(s.ENTRIES.c.seq.in_(wanted[begin : begin + _MANY])).order_by(s.ENTRIES.c.seq)
        found += [StoredEntry(*row) for row in connection.execute(part)]
    return tuple(found)


def position_at(connection: Connection, time: int) -> int:
    """Return the position of the last entry made at or before ``time`` (microseconds); -1 for none."""
    entries = s.ENTRIES.c
    newest = select(entries.seq).where(entries.time <= time).order_by(entries.time.desc()).limit(1)
    found: int | None = connection.execute(newest).scalar()
    return NEVER if found is None else found


def lookups(connection: Connection, first: int, last: int) -> Mapping[str, set[tuple[str, int]]]:
    """Return the rows of each look-up table for a range of positions, by the table's name."""
    tables = (s.ENTRY_RESOURCES, s.ENTRY_TRIGGERS, s.ENTRY_MODELS)
    return {
        table.name: {
            (word, seq)
            for word, seq in connection.execute(
                select(_key(table), table.c.seq).where(table.c.seq.between(first, last))
            )
        }
        for table in tables
    }


def tile(connection: Connection, level: int, index: int) -> bytes | None:
    """Return a stored tile."""
    found: bytes | None = connection.execute(_TILE, {"wanted_level": level, "wanted_index": index}).scalar()
    return found


def tile_ids(connection: Connection) -> Iterator[tuple[int, int]]:
    """Return the coordinates of every stored tile."""
    for row in connection.execute(select(s.TILES.c.level, s.TILES.c.tile_index)):
        yield row.level, row.tile_index


def written_between(connection: Connection, after: int, until: int) -> tuple[str, ...]:
    """Return the resources that entries past position ``after`` wrote, up to and with ``until``, each once."""
    t = s.ENTRY_RESOURCES.c
    return tuple(connection.execute(select(t.resource).distinct().where(t.seq > after, t.seq <= until)).scalars())


def snapshots_in(connection: Connection, first: int, last: int) -> tuple[SnapshotRow, ...]:
    """Return the snapshots of a range of positions."""
    t = s.SNAPSHOTS.c
    rows = connection.execute(select(t.resource, t.seq, t.fold_version, t.bytes).where(t.seq.between(first, last)))
    return tuple(SnapshotRow(*row) for row in rows)


def snapshots_at(connection: Connection, seq: int) -> Iterator[SnapshotRow]:
    """Return each resource as it was after the entry at ``seq``."""
    t = s.SNAPSHOTS.c
    newest = select(t.resource, func.max(t.seq).label("seq")).where(t.seq <= seq).group_by(t.resource).subquery()
    rows = connection.execute(
        select(t.resource, t.seq, t.fold_version, t.bytes).join(
            newest, and_(newest.c.resource == t.resource, newest.c.seq == t.seq)
        )
    )
    for row in rows:
        yield SnapshotRow(*row)


def has_other_fold(connection: Connection, fold_version: int) -> bool:
    """Say whether some snapshot was written by another fold version."""
    other = select(1).where(s.SNAPSHOTS.c.fold_version != fold_version).limit(1)
    return connection.execute(other).first() is not None


def objects(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the objects that are there, by digest."""
    t = s.OBJECTS.c
    return {
        digest: data
        for part in _parts(digests)
        for digest, data in connection.execute(select(t.sha256, t.bytes).where(t.sha256.in_(part)))
    }


def texts(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, Text]:
    """Return the texts that are there, by digest."""
    return {
        row.digest: Text(row.digest, row.salt, row.text, row.field)
        for part in _parts(digests)
        for row in connection.execute(_TEXTS, {"wanted_digests": part})
    }


def checkpoints(connection: Connection) -> Iterator[tuple[int, str]]:
    """Return every checkpoint that was shown, (size, note), by size."""
    t = s.CHECKPOINTS.c
    for row in connection.execute(select(t.size, t.note).order_by(t.size)):
        yield row.size, row.note


def checkpoints_between(connection: Connection, first: int, last: int) -> tuple[tuple[int, str], ...]:
    """Return the checkpoints of sizes from ``first`` up to and with ``last`` that were shown, (size, note), by size."""
    t = s.CHECKPOINTS.c
    wanted = select(t.size, t.note).where(t.size.between(first, last)).order_by(t.size)
    return tuple((row.size, row.note) for row in connection.execute(wanted))


def checkpoint(connection: Connection, size: int) -> str | None:
    """Return the checkpoint of a size, if one was shown."""
    found: str | None = connection.execute(select(s.CHECKPOINTS.c.note).where(s.CHECKPOINTS.c.size == size)).scalar()
    return found


def checkpoint_page(
    connection: Connection, *, after: int | None, limit: int, descending: bool
) -> tuple[tuple[int, str], ...]:
    """Return checkpoints that were shown, (size, note), past the size ``after`` in the order asked for."""
    t = s.CHECKPOINTS.c
    query = select(t.size, t.note).order_by(t.size.desc() if descending else t.size).limit(limit)
    if after is not None:
        query = query.where(t.size < after if descending else t.size > after)
    return tuple((row.size, row.note) for row in connection.execute(query))


def cosignatures(connection: Connection, sizes: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the signature lines of witnesses, by size of the checkpoint, in the order of their names."""
    t = s.COSIGNATURES.c
    query = select(t.size, t.line).where(t.size.in_(list(sizes))).order_by(t.size, t.witness)
    found: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(query):
        found[row.size] = (*found.get(row.size, ()), row.line)
    return found


def requests(connection: Connection, keys: Sequence[RequestKey], since: int) -> dict[RequestKey, StoredRequest]:
    """Return what was answered under these keys at or after ``since`` (microseconds)."""
    left = list(dict.fromkeys(keys))
    found: dict[RequestKey, StoredRequest] = {}
    while left:
        size = next((size for size in _KEYS if size >= len(left)), _KEYS[-1])
        part, left = left[:size], left[size:]
        # What is missing to a full statement is asked for twice, which finds nothing more.
        part += part[-1:] * (size - len(part))
        words = {f"{name}_{at}": word for at, key in enumerate(part) for name, word in _words_of(key)}
        for row in connection.execute(_requests(size), words):
            if row.time >= since:
                key = RequestKey(*row[:3])
                found[key] = StoredRequest(key, *row[3:])
    return found


def _words_of(key: RequestKey) -> tuple[tuple[str, str], ...]:
    return ("principal", key.principal), ("method", key.method), ("id", key.request_id)


@cache
def _requests(size: int) -> Select[Any]:
    """Return the question for so many request ids.

    One OR of whole keys: for a list of rows, or with the time in it, SQLite goes through every answer of the last day.
    """
    t = s.REQUESTS.c
    keys = (
        and_(
            t.principal == bindparam(f"principal_{at}"),
            t.method == bindparam(f"method_{at}"),
            t.request_id == bindparam(f"id_{at}"),
        )
        for at in range(size)
    )
    return select(t.principal, t.method, t.request_id, t.request_digest, t.reply, t.seq, t.time).where(or_(*keys))


def sessions(connection: Connection, now: int, latest: int) -> tuple[SessionRow, ...]:
    """Return the sessions that end after ``now`` and no later than ``latest`` (both microseconds)."""
    t = s.SESSIONS.c
    rows = connection.execute(
        select(t.digest, t.principal, t.credential, t.expires_at).where(t.expires_at > now, t.expires_at <= latest)
    )
    return tuple(SessionRow(*row) for row in rows)


def meta(connection: Connection, key: str) -> str | None:
    """Return a word about the database itself."""
    found: str | None = connection.execute(select(s.META.c.value).where(s.META.c.key == key)).scalar()
    return found


def _key(table: Table) -> ColumnElement[str]:
    """Return the column of a look-up table that is looked up."""
    return next(column for column in table.columns if column.name != "seq")


def _parts(digests: Iterable[bytes]) -> Iterator[list[bytes]]:
    unique = list(dict.fromkeys(digests))
    for at in range(0, len(unique), _MANY):
        yield unique[at : at + _MANY]
