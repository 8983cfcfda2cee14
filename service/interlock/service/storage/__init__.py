"""Where bytes are kept: one relational database (SQLite or PostgreSQL) behind SQLAlchemy Core.

Lives here: tables, migrations, connections, queries. Not here: what an entry means, or when something is written; that
is ``ledger/``, whose writer thread holds the only connection that writes.
"""

from interlock.service.storage.errors import SchemaTooNewError, StorageError
from interlock.service.storage.rows import EntryFilter, SnapshotRow, StoredEntry, Text
from interlock.service.storage.store import Store

__all__ = [
    "EntryFilter",
    "SchemaTooNewError",
    "SnapshotRow",
    "StorageError",
    "Store",
    "StoredEntry",
    "Text",
]
