"""Quotas: whether this installation's limits allow one more run. They are asked where a run is written."""

from itertools import pairwise

from sqlalchemy import Connection, func, select, text

from abp.limits import limit, require
from abp.store import schema
from abp.store.records import Status
from abp.training.experiment import Experiment


def require_room(connection: Connection, experiment: Experiment) -> None:
    """Let a run of these settings be added, or raise `abp.limits.LimitReached`."""
    epochs = experiment.epochs
    require(
        "ABP_MAX_EPOCHS", epochs, f"This run would train for up to {epochs:,} epochs", "Choose fewer epochs at most."
    )
    size = sum((inputs + 1) * outputs for inputs, outputs in pairwise(experiment.sizes))
    require(
        "ABP_MAX_PARAMETERS",
        size,
        f"This network would have {size:,} weights and biases",
        "Choose fewer or smaller hidden layers.",
    )
    queued = select(func.count()).select_from(schema.runs).where(schema.runs.c.status == Status.QUEUED)
    waiting = int(connection.execute(queued).scalar_one()) + 1
    require(
        "ABP_MAX_QUEUED",
        waiting,
        f"With this run {waiting:,} would be waiting",
        "Wait until some have been trained, or delete some that wait.",
    )
    if limit("ABP_MAX_STORAGE_GB") is not None:
        taken = _bytes(connection) / 1e9
        require("ABP_MAX_STORAGE_GB", taken, f"The database holds {taken:,.3g} GB", "Delete runs that are not needed.")


def _bytes(connection: Connection) -> int:
    """What the database holds; room that deleted runs left in its file is not counted."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    page, pages, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    return page * (pages - free)
