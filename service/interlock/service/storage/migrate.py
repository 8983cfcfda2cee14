"""Brings a database to the schema of this version, and refuses one that a later version has migrated.

Alembic is loaded only where there is something to do: nearly every start finds the database as it has to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, inspect, select, table

from interlock.service.storage.errors import SchemaTooNewError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

NEWEST: Final = "0002"
"""The last revision in ``migrations``; a test holds it against them."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = table("alembic_version", column("version_num"))


def migrate(connection: Connection) -> None:
    """Run what is missing, in the caller's transaction: all of it or nothing.

    Raises SchemaTooNewError, and changes nothing, where the database is at a revision that is unknown here.
    """
    if not _is_newest(connection):
        _upgrade(connection)


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table(_VERSION.name):
        return False
    return list(connection.scalars(select(_VERSION.c.version_num))) == [NEWEST]


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  # see the module's text
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  # same
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # same

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
    from alembic.config import Config  # noqa: PLC0415  # see the module's text

    config = Config()
    # The configuration format takes % for interpolation, and a path may hold one.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
