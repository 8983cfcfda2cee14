"""The store: migrations, connections that only read, and what an unusable database gives."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from interlock.service.errors import StoreUnavailable
from interlock.service.storage import SchemaTooNewError, StorageError, Store, migrate
from interlock.service.storage.engine import sqlite_url, writer_engine
from interlock.service.storage.schema import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection


def tables_of(path: Path) -> list[str]:
    """Return every table and index as SQL, Alembic's own aside."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
    found = sorted(sql for (sql,) in rows)
    connection.close()
    return found


def test_the_migrations_make_the_schema_that_the_code_reads(tmp_path: Path) -> None:
    """A migrated database and one made from the tables in code have the same tables, indexes and constraints."""
    Store.open(sqlite_url(tmp_path / "migrated.db")).close()
    made = writer_engine(sqlite_url(tmp_path / "made.db"))
    with made.begin() as connection:
        METADATA.create_all(connection)
    made.dispose()

    assert tables_of(tmp_path / "migrated.db") == tables_of(tmp_path / "made.db")


def test_the_newest_revision_is_the_last_migration() -> None:
    """A start that finds it loads no Alembic: a migration that it does not name would never run."""
    folder = Path(migrate.__file__).parent / "migrations"

    assert ScriptDirectory(str(folder)).get_heads() == [migrate.NEWEST]


def test_alembic_sees_no_difference(tmp_path: Path) -> None:
    """What autogenerate would add to the migrations is nothing."""
    store = Store.open(sqlite_url(tmp_path / "a.db"))

    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    store.close()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """Migrations run once; the second start finds nothing to do."""
    Store.open(sqlite_url(tmp_path / "a.db")).close()
    before = tables_of(tmp_path / "a.db")
    Store.open(sqlite_url(tmp_path / "a.db")).close()

    assert tables_of(tmp_path / "a.db") == before


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A database that a later version has migrated is not opened, and not changed."""
    path = tmp_path / "a.db"
    Store.open(sqlite_url(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    with pytest.raises(SchemaTooNewError):
        Store.open(sqlite_url(path))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


@pytest.mark.parametrize("content", [b"no database at all, and long enough to be looked at" * 40])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file with something else in it gives a clear error, not a stack of the driver's."""
    (tmp_path / "a.db").write_bytes(content)

    with pytest.raises(StorageError):
        Store.open(sqlite_url(tmp_path / "a.db"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The store makes files, not folders."""
    with pytest.raises(StorageError):
        Store.open(sqlite_url(tmp_path / "missing" / "a.db"))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """Characters that mean something in addresses or in configuration files mean nothing in a path."""
    path = tmp_path / "a%20b ?mode=memory#ü.db"

    Store.open(sqlite_url(path)).close()

    assert path.exists()


def test_commits_are_durable_by_configuration(tmp_path: Path) -> None:
    """The writer runs in WAL mode, with fsync at every commit, and with foreign keys."""
    store = Store.open(sqlite_url(tmp_path / "a.db"))

    with store.transaction() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    store.close()

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    """Connections of the read pool refuse to write."""
    store = Store.open(sqlite_url(tmp_path / "a.db"))

    def write(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))

    with pytest.raises(StoreUnavailable):
        asyncio.run(store.read(write))
    store.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """What a block raises takes everything back that it wrote."""
    store = Store.open(sqlite_url(tmp_path / "a.db"))

    def write(*, fail: bool) -> None:
        with store.transaction() as connection:
            connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
            if fail:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(fail=True)
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM meta")).scalar() == 0
    write(fail=False)
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM meta")).scalar() == 1
    store.close()


def test_a_reader_sees_what_was_committed_when_it_began(tmp_path: Path) -> None:
    """A read in progress is not disturbed by a commit beside it."""
    store = Store.open(sqlite_url(tmp_path / "a.db"))
    count = text("SELECT count(*) FROM meta")

    with store.reading() as reader:
        before = reader.execute(count).scalar()
        with store.transaction() as connection:
            connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
        assert reader.execute(count).scalar() == before
    with store.reading() as reader:
        assert reader.execute(count).scalar() == 1
    store.close()
