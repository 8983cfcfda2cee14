"""Cosignatures of witnesses, beside the checkpoints that they are of."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"

WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. There is no way back: nothing recorded is ever removed."""
    op.create_table(
        "cosignatures",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("witness", WORD, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("line", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["size"], ["checkpoints.size"], name="fk_cosignatures_size"),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_cosignatures"),
    )
