"""Schema 9: people's own data sets, which runs name by a key that says their exact bytes."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "9", "8"


def upgrade() -> None:
    """From schema 8."""
    op.create_table(
        "datasets",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(60), nullable=False, index=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("description", sa.JSON, nullable=False),
    )
    op.create_table(
        "dataset_parts",
        sa.Column("dataset", sa.String(80), sa.ForeignKey("datasets.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
