"""What can be wrong with the store as such, before any request is served."""

from __future__ import annotations


class StorageError(RuntimeError):
    """The database cannot be used."""


class SchemaTooNewError(StorageError):
    """A later version of interlock has migrated this database; going back would lose what it added."""
