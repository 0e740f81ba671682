"""Schema 5: what the final network of a finished run shows."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "5", None


def upgrade() -> None:
    """From schema 4."""
    op.create_table(
        "measures",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.Column("spectra", sa.LargeBinary, nullable=False),
    )
