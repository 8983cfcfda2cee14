"""Brings a database to the schema of this version, and refuses one that a later version has migrated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from interlock.service.storage.errors import SchemaTooNewError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Run what is missing, in the caller's transaction: all of it or nothing.

    Raises SchemaTooNewError, and changes nothing, where the database is at a revision that is unknown here.
    """
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = sorted(set(MigrationContext.configure(connection).get_current_heads()) - known)
    if unknown:
        raise SchemaTooNewError(
            f"the database is at schema revision {', '.join(unknown)}, which this version of interlock does not know; "
            "start the version that migrated it, or a later one"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    # The configuration format takes % for interpolation, and a path may hold one.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
