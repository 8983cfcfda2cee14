"""Connections: how they are opened, and how their transactions begin.

SQLite's driver opens transactions of its own accord and late, so it is told not to, and every BEGIN is ours
(SQLAlchemy, SQLite dialect, "Enabling Non-Legacy SQLite Transactional Modes").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import URL, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, QueuePool

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_MS: Final = 5_000
"""How long a connection waits for another's lock. Only backups and tools ever hold one."""

_DURABLE: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # in WAL mode: fsync at every commit, not only at checkpoints
    "PRAGMA journal_size_limit = 0",  # begun anew, the log is cut to what is in it: `journal.py` finds its end by size
    "PRAGMA secure_delete = ON",  # an erased text leaves zeros behind, not itself in a free part of its page
)
_COMMON: Final = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)

_STRANGE: Final = ("PRAGMA busy_timeout = 1000", "PRAGMA trusted_schema = OFF")


def sqlite_url(path: Path) -> URL:
    """Return the address of a database file; the path is data, never parsed."""
    return URL.create("sqlite+pysqlite", database=str(path))


def writer_engine(url: URL | str) -> Engine:
    """Return the engine of the one connection that writes. Its transactions take the write lock at once."""
    return _engine(make_url(url), "BEGIN IMMEDIATE", (*_COMMON, *_DURABLE), size=1)


def reader_engine(url: URL | str, *, size: int) -> Engine:
    """Return the engine of ``size`` connections that only read, each transaction from one consistent view."""
    return _engine(make_url(url), "BEGIN", (*_COMMON, "PRAGMA query_only = ON"), size=size)


def stranger_engine(url: URL) -> Engine:
    """Return an engine that opens the database for each transaction, reads it, and never makes the file."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return _engine(url, "BEGIN", (), size=1)
    file = f"file:{quote(url.database)}"
    return _engine(url.set(database=file, query={"mode": "ro", "uri": "true"}), "BEGIN", _STRANGE, size=0)


def _text_of(data: bytes) -> str:
    """Decode any bytes: text that is no UTF-8 must be readable to be found wrong."""
    return data.decode("utf-8", "surrogateescape")


def _engine(url: URL, begin: str, pragmas: tuple[str, ...], *, size: int) -> Engine:
    if size:
        engine = create_engine(url, poolclass=QueuePool, pool_size=size, max_overflow=0, hide_parameters=True)
    else:
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name != "sqlite":
        return engine

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own connection
        connection.isolation_level = None
        connection.text_factory = _text_of
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine
