"""Schema 12: what people asked for as Wanda before schema 8 gets its new name in their commands too.

Schema 8 once renamed only the prunings that came of them, and Wanda has been another criterion since. A command and its
pruning name the same batch: commands are renamed where prunings by hand of that batch are by the old one alone.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "12", "11"

OLD, NEW = "wanda", "wanda-global"

PLACE = ("run", "epoch", "batch")

commands = sa.table("commands", *map(sa.column, ("id", "kind", *PLACE)), sa.column("arguments", sa.JSON))
prunings = sa.table("prunings", *map(sa.column, ("made_by", "criterion", *PLACE)))


def upgrade() -> None:
    """From schema 11."""
    connection = op.get_bind()
    by_hand = sa.select(prunings).where(prunings.c.made_by == "hand")
    made: dict[tuple, set[str]] = {}
    for row in connection.execute(by_hand):
        made.setdefault((row.run, row.epoch, row.batch), set()).add(row.criterion)
    asked = commands.c.arguments["criterion"].as_string() == OLD
    for row in connection.execute(sa.select(commands).where(commands.c.kind == "prune", asked)).all():
        criteria = made.get((row.run, row.epoch, row.batch), set())
        if NEW in criteria and OLD not in criteria:
            arguments = {**row.arguments, "criterion": NEW}
            connection.execute(commands.update().where(commands.c.id == row.id).values(arguments=arguments))
