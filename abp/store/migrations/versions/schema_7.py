"""Schema 7: checkpoints in parts, since those of the largest networks are larger than one value may be.

From here on Alembic's own table holds the number of the schema.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "7", "6"


def upgrade() -> None:
    """From schema 6."""
    op.create_table(
        "checkpoint_parts",
        sa.Column("run", sa.Integer, sa.ForeignKey("checkpoints.run", ondelete="CASCADE"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.execute("INSERT INTO checkpoint_parts (run, part, content) SELECT run, 0, state FROM checkpoints")
    op.drop_column("checkpoints", "state")
    op.drop_table("abp_schema")
