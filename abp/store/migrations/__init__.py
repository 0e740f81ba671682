"""Migrations: what turns the tables of an older database into today's, step by step.

Each module in ``versions`` is one step; its revision is the number of the schema that it leads to. A change of
`abp.store.schema` raises ``VERSION`` there and comes with a step of its own here. Steps name tables and columns
themselves, since the schema they were written for is not the schema of tomorrow.
"""

from pathlib import Path

from sqlalchemy import Connection


def migrate(connection: Connection, version: int) -> None:
    """Bring a database of this schema up to date, within the transaction of `connection`."""
    # Only now, since an ordinary start has nothing to migrate.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent))
    known = {script.revision for script in scripts.walk_revisions()}
    start = str(version) if str(version) in known else "base"
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        for script in reversed([*scripts.iterate_revisions("head", start)]):
            script.module.upgrade()
    context.stamp(scripts, "head")
