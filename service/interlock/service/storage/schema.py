"""The tables. What is a fold of the log can be made anew from ``entries``; what is not is marked so.

Portable between SQLite and PostgreSQL: integers, bytes and text in binary order, nothing else. A change here needs a
migration beside it (``migrations/versions``); a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    TypeDecorator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


class Bytes(TypeDecorator[bytes]):
    """Bytes, also where somebody's shell has turned a value into text.

    SQLite keeps whatever kind of value it is given. Such a value has to be read to be found wrong, not to raise here.
    """

    impl = LargeBinary
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], bytes | None]:  # noqa: ARG002
        """Return what turns a value of the driver into bytes."""
        return _to_bytes


def _to_bytes(value: Any) -> bytes | None:  # noqa: ANN401  # whatever the driver gives
    return str(value).encode("utf-8", "surrogateescape") if isinstance(value, str | int | float) else value


WORD: Final = String().with_variant(String(collation="C"), "postgresql")
"""Text compared byte by byte, as SQLite does by default: prefixes become ranges."""

# SQLite makes a column that is exactly `INTEGER PRIMARY KEY` the row's own address.
POSITION: Final = BigInteger().with_variant(Integer(), "sqlite")

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("seq", POSITION, autoincrement=False),
    Column("time", BigInteger, nullable=False),  # microseconds, as in the entry
    Column("actor", WORD, nullable=False),
    Column("bytes", Bytes, nullable=False),
    PrimaryKeyConstraint("seq"),
    Index(None, "time", unique=True),
    Index(None, "actor", "seq"),
)
"""The log: the truth, of which every other table of this block is a fold."""


def _lookup(name: str, key: str) -> Table:
    """Return a table that says which entries have to do with something."""
    return Table(
        name,
        METADATA,
        Column(key, WORD, nullable=False),
        Column("seq", BigInteger, ForeignKey("entries.seq"), nullable=False),
        PrimaryKeyConstraint(key, "seq"),
        Index(None, "seq"),
        sqlite_with_rowid=False,
    )


ENTRY_RESOURCES: Final = _lookup("entry_resources", "resource")
"""Which resources an entry wrote."""

ENTRY_TRIGGERS: Final = _lookup("entry_triggers", "trigger")
"""Which triggers an entry fired."""

ENTRY_MODELS: Final = _lookup("entry_models", "model")
"""Which models an entry concerns, also through what has a name of its own (``ledger/concerns.py``)."""

TILES: Final = Table(
    "tiles",
    METADATA,
    Column("level", Integer, nullable=False),
    Column("tile_index", BigInteger, nullable=False),
    Column("bytes", Bytes, nullable=False),
    PrimaryKeyConstraint("level", "tile_index"),
)
"""The Merkle tree (``proofs/tiles.py``)."""

SNAPSHOTS: Final = Table(
    "snapshots",
    METADATA,
    Column("resource", WORD, nullable=False),
    Column("seq", BigInteger, ForeignKey("entries.seq"), nullable=False),
    Column("fold_version", BigInteger, nullable=False),
    Column("bytes", Bytes, nullable=False),
    PrimaryKeyConstraint("resource", "seq"),
    Index(None, "seq"),
)
"""Each resource as each entry left it: append-only, so the past can be asked."""

OBJECTS: Final = Table(
    "objects",
    METADATA,
    Column("sha256", Bytes, nullable=False),  # of a pack: its pack digest
    Column("bytes", Bytes, nullable=False),
    PrimaryKeyConstraint("sha256"),
)
"""Change contents and policy packs, by the digest that entries name. Not a fold."""

TEXTS: Final = Table(
    "texts",
    METADATA,
    Column("digest", Bytes, nullable=False),
    Column("salt", Bytes, nullable=True),  # NULL: erased
    Column("text", String, nullable=True),
    Column("field", WORD, nullable=False),
    PrimaryKeyConstraint("digest"),
)
"""Free text and names, by SHA-256(salt ‖ text): outside the log, so that it can be erased. Not a fold."""

CHECKPOINTS: Final = Table(
    "checkpoints",
    METADATA,
    Column("size", POSITION, autoincrement=False),
    Column("note", String, nullable=False),
    PrimaryKeyConstraint("size"),
)
"""Every signed tree head that was ever shown. Not a fold."""

COSIGNATURES: Final = Table(
    "cosignatures",
    METADATA,
    Column("size", BigInteger, ForeignKey("checkpoints.size"), nullable=False),
    Column("witness", WORD, nullable=False),
    Column("time", BigInteger, nullable=False),  # seconds, as signed
    Column("line", String, nullable=False),
    PrimaryKeyConstraint("size", "witness"),
)
"""What witnesses have said of checkpoints: the newest of each, verified before it came here. Not a fold."""

REQUESTS: Final = Table(
    "requests",
    METADATA,
    Column("principal", WORD, nullable=False),
    Column("method", WORD, nullable=False),
    Column("request_id", WORD, nullable=False),
    Column("request_digest", Bytes, nullable=False),
    Column("reply", Bytes, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("principal", "method", "request_id"),
    Index(None, "time"),
)
"""What was answered under a request id, for a day. Not a fold."""

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("digest", Bytes, nullable=False),  # SHA-256 of the token, which is kept nowhere
    Column("principal", WORD, nullable=False),
    Column("credential", WORD, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("digest"),
)
"""Who is logged in. Not a fold."""

META: Final = Table(
    "meta",
    METADATA,
    Column("key", WORD, nullable=False),
    Column("value", String, nullable=False),
    PrimaryKeyConstraint("key"),
)
"""Few words about the database itself. Not a fold."""
