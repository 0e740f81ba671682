"""Schema 11: which classes the network gave the first test samples, after every epoch and every pruning."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "11", "10"


def upgrade() -> None:
    """From schema 10."""
    for table in ("epochs", "prunings"):
        op.add_column(table, sa.Column("predictions", sa.LargeBinary))
