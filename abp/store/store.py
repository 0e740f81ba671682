"""The store: the one place of truth about runs. Pages read it and write commands; workers write what happens."""

from collections.abc import Callable
from pathlib import Path

from abp.data.datasets import DATASETS
from abp.store.database import Database, located
from abp.store.database.kind import Kind
from abp.store.database.sqlite import SqliteFile
from abp.store.records import Run
from abp.store.repositories.baselines import Baselines
from abp.store.repositories.checkpoints import Checkpoints
from abp.store.repositories.commands import Commands
from abp.store.repositories.datasets import Datasets
from abp.store.repositories.frames import Frames
from abp.store.repositories.histories import Histories
from abp.store.repositories.leases import Leases
from abp.store.repositories.runs import Runs
from abp.store.repositories.studies import Studies
from abp.store.repositories.summaries import Summaries
from abp.store.repositories.watches import Watches
from abp.store.repositories.weights import Weights


class Store:
    """Everything known about runs and studies, in one database: a repository for each noun.

    Parameters
    ----------
    where
        A file of SQLite, or a URL; by default what ``ABP_DATABASE`` names, or ``abp.sqlite3`` in the home folder.
    guard
        Called before anything is written, in the thread that writes; what it raises prevents that.
    patience
        Seconds for which everything is tried again while the database is away, busy or full. Whoever trains a run has
        `abp.store.database.PATIENCE`; a person is told at once.

    Attributes
    ----------
    name
        Which database it is: tells it from all others.

    Raises
    ------
    abp.store.database.StoreUnusable
        By any method of any repository, when the database cannot be used; the message says what to do.
    """

    def __init__(
        self, where: Path | str | Kind | None = None, *, guard: Callable[[], None] | None = None, patience: float = 0.0
    ) -> None:
        self.database = database = Database(located(where), guard, patience=patience)
        self.name = database.kind.name
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

    @property
    def path(self) -> Path:
        """The file of a SQLite database; `name` tells any database from all others."""
        kind = self.database.kind
        if not isinstance(kind, SqliteFile):
            raise AttributeError(f"{kind.name} is no file")
        return kind.path


def open_run(number: int) -> Run:
    """A recorded run of the default store by its number.

    Raises
    ------
    abp.store.records.RunUnknown
        If there is none.
    """
    return Store().runs.get(number)
