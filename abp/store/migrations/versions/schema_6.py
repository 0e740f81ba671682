"""Schema 6: numbered frames with the newest activity in them, and marks of who watches which run."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "6", "5"


def upgrade() -> None:
    """From schema 5."""
    op.add_column("frames", sa.Column("number", sa.Integer, nullable=False, server_default="0"))
    op.add_column("frames", sa.Column("made", sa.Float, nullable=False, server_default="0"))
    op.add_column("frames", sa.Column("sparsity", sa.Float, nullable=False, server_default="0"))
    op.add_column("frames", sa.Column("recent_samples", sa.Integer, nullable=False, server_default="0"))
    op.add_column("frames", sa.Column("recent_counts", sa.LargeBinary))
    op.create_table(
        "watches",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("until", sa.Float, nullable=False),
    )
