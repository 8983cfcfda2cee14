"""The database as the rest of the service sees it: one connection that writes, a few threads that read.

The writer's transactions belong to ``ledger/``, which runs them all in one thread. Reads run in threads of their own,
so that the event loop never waits for the disk; each sees what was committed when it began.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from interlock.service.errors import StoreUnavailable
from interlock.service.storage import queries
from interlock.service.storage.engine import reader_engine, stranger_engine, writer_engine
from interlock.service.storage.errors import StorageError
from interlock.service.storage.journal import Journal
from interlock.service.storage.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import URL, Connection, Engine

    from interlock.service.storage.rows import EntryFilter, StoredEntry, Text

T = TypeVar("T")

READERS: Final = 4
"""Connections that read, and their threads."""

MAX_PAGE: Final = 1_001
"""Greatest page: the 1,000 that the API gives, and one more that tells whether there is another page."""

UNREADABLE: Final = (SQLAlchemyError, UnicodeDecodeError)
"""What a damaged file raises; the driver does not get over an error message that quotes damaged bytes."""


class DatabaseReplacedError(SQLAlchemyError):
    """Another file stands where the database was opened: what is written to the old one, nobody would find again."""


class Store:
    """An open database at the schema of this version."""

    def __init__(self, writer: Engine, reader: Engine, *, readers: int = READERS) -> None:
        self._writer = writer
        self._reader = reader
        self._stranger = stranger_engine(writer.url)
        self._file = _identity(writer.url)
        self._journal = Journal(writer.url)
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="store-read")

    @classmethod
    def open(cls, url: URL | str, *, readers: int = READERS) -> Self:
        """Open a database, and migrate it where it is behind.

        Raises SchemaTooNewError where it is ahead, StorageError where it can't be opened at all.
        """
        writer = writer_engine(url)
        try:
            with writer.begin() as connection:
                migrate(connection)
        except UNREADABLE as error:
            writer.dispose()
            raise StorageError(f"the database can't be opened: {error}") from error
        except StorageError:
            writer.dispose()
            raise
        return cls(writer, reader_engine(url, size=readers), readers=readers)

    def close(self) -> None:
        """Finish the reads that run, and close every connection."""
        self._threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hold the write lock for a block: committed at its end, durably, or rolled back by what it raises.

        For the writer thread alone: a second transaction waits for the first. Raises DatabaseReplacedError or
        JournalDamagedError where what was committed is not where the next process would look for it.
        """
        self._check_files()
        try:
            with self._writer.begin() as connection:
                yield connection
        except BaseException:
            self._journal.failed()
            raise
        self._journal.committed()
        self._check_file()

    @contextmanager
    def afresh(self) -> Iterator[Connection]:
        """Open the database anew for a block that reads it.

        Raises what that raises, also where the file is gone, and DatabaseReplacedError where it is another one.
        """
        self._check_files()
        with self._stranger.begin() as connection:
            yield connection

    def _check_files(self) -> None:
        self._check_file()
        self._journal.check()

    def _check_file(self) -> None:
        if _identity(self._writer.url) != self._file:
            raise DatabaseReplacedError("the database's file was taken away or replaced by another one")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give one consistent view for a block, in the caller's own thread: for start-up and commands."""
        with self._reader.begin() as connection:
            yield connection

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask a question of one consistent view, in a reader's thread. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    async def list_entries(
        self, wanted: EntryFilter, *, after: int | None = None, limit: int = 100, head: int | None = None
    ) -> tuple[StoredEntry, ...]:
        """Return a page of entries: those past position ``after`` in the order asked for, none past ``head``."""
        limit = min(limit, MAX_PAGE)
        return await self.read(
            lambda connection: queries.list_entries(connection, wanted, after=after, limit=limit, head=head)
        )

    async def entry(self, seq: int) -> StoredEntry | None:
        """Return the entry at a position."""
        return await self.read(lambda connection: queries.entry(connection, seq))

    async def entries_after(self, after: int, *, until: int, limit: int) -> tuple[StoredEntry, ...]:
        """Return the next entries past ``after``, up to and with ``until``, in order."""
        return await self.read(lambda connection: queries.entries_after(connection, after, until=until, limit=limit))

    async def objects(self, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return change contents and packs, by digest; what is not there is left out."""
        return await self.read(lambda connection: queries.objects(connection, digests))

    async def texts(self, digests: Iterable[bytes]) -> dict[bytes, Text]:
        """Return free texts, by digest; what is not there is left out."""
        return await self.read(lambda connection: queries.texts(connection, digests))

    async def text(self, digest: bytes) -> Text | None:
        """Return one free text; None where none was ever kept under that digest."""
        return (await self.texts((digest,))).get(digest)

    def _ask(self, question: Callable[[Connection], T]) -> T:
        try:
            with self._reader.begin() as connection:
                return question(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailable(repr(error)) from error


def _identity(url: URL) -> tuple[int, int] | None:
    """Return device and inode of the database's file; None where it is none, or is gone."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    try:
        found = Path(url.database).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
