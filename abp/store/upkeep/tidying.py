"""Making room: what was recorded of runs that ended long ago and that no run needs any more."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select

from abp.store import schema
from abp.store.records import COMPLETE, Status
from abp.store.store import Store

DAYS = 30
"""Days after its end until a run is one of long ago."""

_ENDED = (*COMPLETE, Status.DIVERGED, Status.FAILED)


@dataclass(frozen=True)
class Room:
    """What could be, or was, removed: of what, how many rows, and their bytes."""

    what: str
    rows: int
    bytes: int


def removable(store: Store, *, days: float = DAYS) -> list[Room]:
    """What `tidy` would remove now."""
    with store.database.reading() as connection:
        return [_room(connection, *each) for each in _selections(store, days)]


def tidy(store: Store, *, days: float = DAYS) -> list[Room]:
    """Remove what runs that ended so many days ago have no more use for; the database's file becomes smaller.

    The first and last weights of every run stay, its history, prunings and spectra too. Weights from before single
    prunings go, to which a run can then no longer be rewound, and the last live look at it.
    """
    with store.transaction() as connection:
        found = [_room(connection, *each) for each in _selections(store, days)]
        for _, table, which in _selections(store, days):
            connection.execute(delete(table).where(which))
    if any(each.rows for each in found):
        with store.database.reading() as connection:
            connection.exec_driver_sql("VACUUM")
    return found


def _selections(store: Store, days: float) -> list[tuple[str, Table, ColumnElement[bool]]]:
    runs, weights = schema.runs.c, schema.weights.c
    ended = select(runs.id).where(runs.status.in_(_ENDED))
    long_ago = ended.where(func.coalesce(runs.finished, runs.created) < store.database.now() - days * 86_400)
    # A run that a person rewinds from has been copied by then (table `starts`), so no run reads another one's weights.
    between = and_(weights.run.in_(long_ago), weights.moment.like("before-%"))
    return [
        ("weights before single prunings", schema.weights, between),
        ("last live looks", schema.frames, schema.frames.c.run.in_(long_ago)),
        ("checkpoints of runs that have ended", schema.checkpoints, schema.checkpoints.c.run.in_(ended)),
    ]


def _room(connection: Connection, what: str, table: Table, which: ColumnElement[bool]) -> Room:
    counted = schema.checkpoint_parts if table is schema.checkpoints else table
    chosen = counted.c.run.in_(select(table.c.run).where(which)) if counted is not table else which
    sizes = [func.coalesce(func.length(column), 0) for column in counted.columns if column.type.python_type is bytes]
    size = sum(sizes[1:], sizes[0])
    rows = connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
    taken = connection.execute(select(func.coalesce(func.sum(size), 0)).where(chosen)).scalar_one()
    return Room(what, int(rows), int(taken))
