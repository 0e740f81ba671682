"""Schema 10: how often a run was taken and lost by workers, and on what kind of processor it was trained."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "10", "9"


def upgrade() -> None:
    """From schema 9."""
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("runs", sa.Column("claims", whole, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("deaths", whole, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("processor", sa.String(200)))
