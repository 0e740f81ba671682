"""Schema 8: Wanda ranks within each output neuron, as in its paper; the ranking over all hidden layers is another one.

Runs, prunings and studies that were made by the latter get its new name, so that no old run serves a new study, and so
do commands that asked for it.
"""

import json

import sqlalchemy as sa
from alembic import op

revision, down_revision = "8", "7"

OLD, NEW = "wanda", "wanda-global"

runs = sa.table("runs", sa.column("id", sa.Integer), sa.column("settings", sa.Text))
prunings = sa.table("prunings", sa.column("criterion", sa.String))
commands = sa.table("commands", sa.column("id"), sa.column("kind"), sa.column("arguments", sa.JSON))
studies = sa.table("studies", sa.column("id", sa.Integer), sa.column("specification", sa.Text))


def upgrade() -> None:
    """From schema 7."""
    connection = op.get_bind()
    connection.execute(prunings.update().where(prunings.c.criterion == OLD).values(criterion=NEW))
    for row in connection.execute(sa.select(runs).where(runs.c.settings.like(f'%"{OLD}"%'))).all():
        settings = json.loads(row.settings)
        if settings.get("criterion") == OLD:
            settings["criterion"] = NEW
            connection.execute(runs.update().where(runs.c.id == row.id).values(settings=json.dumps(settings)))
    asked = commands.c.arguments["criterion"].as_string() == OLD
    for row in connection.execute(sa.select(commands).where(commands.c.kind == "prune", asked)).all():
        arguments = {**row.arguments, "criterion": NEW}
        connection.execute(commands.update().where(commands.c.id == row.id).values(arguments=arguments))
    for row in connection.execute(sa.select(studies).where(studies.c.specification.like(f'%"{OLD}"%'))).all():
        study = json.loads(row.specification)
        study["criteria"] = [NEW if name == OLD else name for name in study["criteria"]]
        connection.execute(studies.update().where(studies.c.id == row.id).values(specification=json.dumps(study)))
