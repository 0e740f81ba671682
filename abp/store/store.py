"""The store: the one place of truth about runs. Pages read it and write commands; workers write what happens."""

from collections.abc import Callable
from pathlib import Path

from abp.data.datasets import DATASETS
from abp.store.baselines import Baselines
from abp.store.checkpoints import Checkpoints
from abp.store.commands import Commands
from abp.store.database import Database, database_path
from abp.store.datasets import Datasets
from abp.store.frames import Frames
from abp.store.histories import Histories
from abp.store.leases import Leases
from abp.store.records import Run
from abp.store.runs import Runs
from abp.store.studies import Studies
from abp.store.summaries import Summaries
from abp.store.watches import Watches
from abp.store.weights import Weights


class Store:
    """Everything known about runs and studies, in one database file: a repository for each noun.

    Parameters
    ----------
    path
        The file; by default ``abp.sqlite3`` in the home folder.
    guard
        Called before anything is written, in the thread that writes; what it raises prevents that.

    Raises
    ------
    abp.store.database.StoreUnusable
        By any method of any repository, when the database cannot be used; the message says what to do.
    """

    def __init__(self, path: Path | None = None, *, guard: Callable[[], None] | None = None) -> None:
        self.path = path or database_path()
        self.database = database = Database(self.path, guard)
        self.leases = leases = Leases(database)
        self.commands = Commands(database, leases)
        self.weights = Weights(database)
        self.checkpoints = Checkpoints(database, leases)
        self.datasets = Datasets(database)
        DATASETS.consult(self.datasets)
        self.runs = Runs(database, leases, self.commands, self.datasets)
        self.histories = Histories(database, leases, self.commands, self.weights, self.checkpoints)
        self.frames = Frames(database, leases)
        self.summaries = Summaries(database)
        self.baselines = Baselines(database)
        self.studies = Studies(database, self.commands)
        self.watches = Watches(database)
        self.transaction = database.writing


def open_run(number: int) -> Run:
    """A recorded run of the default store by its number.

    Raises
    ------
    abp.store.records.RunUnknown
        If there is none.
    """
    return Store().runs.get(number)
