"""The write-ahead log is watched: a commit counts only while the ones before it are there for the next process."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from interlock.service.storage import Store, writes
from interlock.service.storage.engine import sqlite_url
from interlock.service.storage.journal import JournalDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = "x" * 100_000
"""More than a page: a transaction of many frames."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where the database is."""
    return tmp_path / "interlock.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Give an open database."""
    opened = Store.open(sqlite_url(path))
    yield opened
    opened.close()


def journal(path: Path) -> Path:
    """Return the log's file."""
    return path.with_name(f"{path.name}-wal")


def put(store: Store, value: str = "yes") -> None:
    """Commit something."""
    with store.transaction() as connection:
        writes.put_meta(connection, "word", value)


def fail(store: Store, number: int) -> None:
    """Write more than SQLite keeps in memory, and fail."""
    with store.transaction() as connection:
        for part in range(20):
            writes.put_meta(connection, f"{number} {part}", LARGE)
        raise ZeroDivisionError


def put_and_cut(store: Store, path: Path) -> None:
    """Cut the log before the commit."""
    with store.transaction() as connection:
        writes.put_meta(connection, "word", "last")
        with journal(path).open("r+b") as file:
            file.truncate(5000)


def test_commits_of_every_size_follow_each_other(store: Store) -> None:
    """One frame, many, none at all; past the size at which SQLite empties its log and begins it anew."""
    for number in range(120):
        put(store, LARGE[: number * 1000])
        with store.transaction():
            pass


def test_a_log_that_a_crash_left_is_gone_on_with(path: Path, store: Store, tmp_path: Path) -> None:
    """What the last process did not move into the database is read from the log, and remembered as its end."""
    put(store, LARGE)
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    for one, other in ((path, crashed), (journal(path), journal(crashed))):
        other.write_bytes(one.read_bytes())
    again = Store.open(sqlite_url(crashed))
    put(again)
    with journal(crashed).open("r+b") as file:
        file.truncate(5000)

    with pytest.raises(JournalDamagedError):
        put(again)
    again.close()


@pytest.mark.parametrize("length", [24, 2000, 24 + 4096], ids=["its head alone", "half a page", "another page"])
def test_a_frame_that_a_kill_cut_off_is_no_end(path: Path, store: Store, tmp_path: Path, length: int) -> None:
    """Regression: a server that was killed between a frame's head and its page did not start again."""
    put(store, LARGE)
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    left = journal(path).read_bytes()
    torn = (left[-24 - 4096 :][:24] + bytes(4096))[:length]  # it says that it ends a transaction, under the right salts
    crashed.write_bytes(path.read_bytes())
    journal(crashed).write_bytes(left + torn)

    again = Store.open(sqlite_url(crashed))
    put(again, "more")
    put(again, LARGE)
    again.close()


def test_a_failed_transaction_takes_nothing_away(store: Store) -> None:
    """It may have left frames, or begun the log anew: neither is a damage."""
    for number in range(80):
        with pytest.raises(ZeroDivisionError):
            fail(store, number)
        put(store, LARGE[: number * 1000])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 0.999])
def test_a_log_that_is_cut_takes_no_commit(path: Path, store: Store, share: float) -> None:
    """However little is missing."""
    put(store, LARGE)
    size = journal(path).stat().st_size
    with journal(path).open("r+b") as file:
        file.truncate(int(size * share))

    for _ in range(2):
        with pytest.raises(JournalDamagedError):
            put(store)


def test_a_log_that_is_emptied_after_a_failure_takes_no_commit(path: Path, store: Store) -> None:
    """A failed transaction may begin the log anew, and then it has a beginning: an empty file has none."""
    put(store, LARGE)
    with pytest.raises(ZeroDivisionError):
        fail(store, 0)
    journal(path).write_bytes(b"")

    with pytest.raises(JournalDamagedError):
        put(store)


def test_a_log_that_was_begun_anew_ends_with_its_file(path: Path, store: Store) -> None:
    """Past 1,000 pages it is begun anew and cut to what is in it: the fast way to its end finds the same frame."""
    sizes = []
    for number in range(150):
        put(store, LARGE[: 1000 + number])
        sizes.append(journal(path).stat().st_size)
    assert min(sizes[50:]) < max(sizes) / 2

    with journal(path).open("r+b") as file:
        file.truncate(journal(path).stat().st_size - 1)
    with pytest.raises(JournalDamagedError):
        put(store)


def test_a_log_that_is_cut_while_a_transaction_is_open_makes_its_commit_fail(path: Path, store: Store) -> None:
    """SQLite itself writes behind the gap and says it went well."""
    put(store, LARGE)

    with pytest.raises(JournalDamagedError):
        put_and_cut(store, path)


def test_a_log_without_a_name_takes_no_commit(path: Path, store: Store) -> None:
    """Nor does another file in its place, be it the same to the byte."""
    put(store)
    data = journal(path).read_bytes()
    journal(path).unlink()

    with pytest.raises(JournalDamagedError):
        put(store)
    journal(path).write_bytes(data)
    with pytest.raises(JournalDamagedError):
        put(store)


def test_a_reader_beside_it_changes_nothing(path: Path, store: Store) -> None:
    """A backup tool opens the database, reads, holds a snapshot, and closes."""
    for number in range(40):
        put(store, LARGE[: number * 2000])
        with sqlite3.connect(path) as beside:
            beside.execute("SELECT * FROM meta").fetchall()
        beside.close()
