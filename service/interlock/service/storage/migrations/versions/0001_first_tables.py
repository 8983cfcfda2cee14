"""The first tables: the log and its folds, and what is no fold of it.

Revisions are frozen once released, so this one names everything itself and imports nothing of the schema.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None

WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables. There is no way back: nothing recorded is ever removed."""
    _make_log()
    for table, key in (("entry_resources", "resource"), ("entry_triggers", "trigger"), ("entry_models", "model")):
        _make_lookup(table, key)
    _make_folds()
    _make_contents()
    _make_service_tables()


def _make_log() -> None:
    op.create_table(
        "entries",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("actor", WORD, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_entries"),
    )
    op.create_index("ix_entries_time", "entries", ["time"], unique=True)
    op.create_index("ix_entries_actor_seq", "entries", ["actor", "seq"])


def _make_lookup(table: str, key: str) -> None:
    op.create_table(
        table,
        sa.Column(key, WORD, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(key, "seq", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["seq"], ["entries.seq"], name=f"fk_{table}_seq"),
        sqlite_with_rowid=False,
    )
    op.create_index(f"ix_{table}_seq", table, ["seq"])


def _make_folds() -> None:
    op.create_table(
        "tiles",
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("tile_index", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "tile_index", name="pk_tiles"),
    )
    op.create_table(
        "snapshots",
        sa.Column("resource", WORD, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("fold_version", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("resource", "seq", name="pk_snapshots"),
        sa.ForeignKeyConstraint(["seq"], ["entries.seq"], name="fk_snapshots_seq"),
    )
    op.create_index("ix_snapshots_seq", "snapshots", ["seq"])


def _make_contents() -> None:
    op.create_table(
        "objects",
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_objects"),
    )
    op.create_table(
        "texts",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=True),
        sa.Column("text", sa.String, nullable=True),
        sa.Column("field", WORD, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_texts"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", POSITION, autoincrement=False, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
    )


def _make_service_tables() -> None:
    op.create_table(
        "requests",
        sa.Column("principal", WORD, nullable=False),
        sa.Column("method", WORD, nullable=False),
        sa.Column("request_id", WORD, nullable=False),
        sa.Column("request_digest", sa.LargeBinary, nullable=False),
        sa.Column("reply", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("principal", "method", "request_id", name="pk_requests"),
    )
    op.create_index("ix_requests_time", "requests", ["time"])
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("principal", WORD, nullable=False),
        sa.Column("credential", WORD, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_table(
        "meta",
        sa.Column("key", WORD, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
