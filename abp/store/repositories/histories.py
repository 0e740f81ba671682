"""Histories: the epochs and prunings of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sqlalchemy import Table, delete, func, select

from abp.store import schema
from abp.store.database import Database, patient, put
from abp.store.records import ACCURACIES, Command, unpack_counts, unpack_predictions, unpack_spectra
from abp.store.repositories.checkpoints import Checkpoints
from abp.store.repositories.commands import Commands
from abp.store.repositories.leases import Leases
from abp.store.repositories.weights import Weights

if TYPE_CHECKING:
    import pandas as pd


@patient
@dataclass(frozen=True)
class Histories:
    """A row per finished epoch and a row per pruning, of all runs."""

    database: Database
    leases: Leases
    commands: Commands
    weights: Weights
    checkpoints: Checkpoints

    def epochs(self, run: int, *, after: int = 0) -> pd.DataFrame:
        """History of a run, a row per finished epoch `after` one, without the counts; see `epoch_counts`."""
        return self._table(schema.epochs, run, after, leave_out=("run", "counts", "predictions"))

    def valid_accuracies(self, runs: Iterable[int]) -> pd.DataFrame:
        """Validation accuracy after every epoch of several runs: columns ``run``, ``epoch``, ``valid_accuracy``."""
        columns = [schema.epochs.c.run, schema.epochs.c.epoch, schema.epochs.c.valid_accuracy]
        query = select(*columns).where(columns[0].in_(list(runs))).order_by(*columns[:2])
        import pandas as pd  # takes half a second, which the first page does not wait for

        with self.database.reading() as connection:
            return pd.DataFrame(connection.execute(query).all(), columns=[column.name for column in columns])

    def epoch_counts(self, run: int) -> list[tuple[int, int, bytes]]:
        """Epoch, samples and packed activation counts of every finished epoch."""
        columns = schema.epochs.c
        query = select(columns.epoch, columns.samples, columns.counts).where(columns.run == run)
        with self.database.reading() as connection:
            return [(row.epoch, row.samples, row.counts) for row in connection.execute(query.order_by(columns.epoch))]

    def predictions(self, run: int) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Predicted classes of the first test samples by epoch, and by pruning; none of runs older than that record."""
        found = []
        for table, number in ((schema.epochs, schema.epochs.c.epoch), (schema.prunings, schema.prunings.c.number)):
            query = select(number, table.c.predictions).where(table.c.run == run, table.c.predictions.is_not(None))
            with self.database.reading() as connection:
                rows = connection.execute(query).all()
            found.append({row[0]: unpack_predictions(row[1]) for row in rows})
        return found[0], found[1]

    def prunings(self, run: int, *, after: int = 0) -> pd.DataFrame:
        """Prunings of a run in order, a row each, `after` a number of them, without masks and spectra."""
        large = ("run", "masks", "live_weights", "spectra_before", "spectra_after", "predictions")
        return self._table(schema.prunings, run, after, leave_out=large)

    def undoable_pruning(self, run: int) -> tuple[int, str] | None:
        """Number and criterion of the pruning by hand that can be taken back: the last one that has not been yet.

        None if the schedule has pruned since, or the weights from before it are not recorded.
        """
        columns = schema.prunings.c
        query = select(columns.number, columns.criterion, columns.made_by).where(columns.run == run)
        taken_back = 0
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(columns.number.desc())).all()
        for number, criterion, made_by in rows:
            if made_by == "undo":
                taken_back += 1
            elif made_by != "hand":
                return None
            elif taken_back:
                taken_back -= 1
            else:
                return (number, criterion) if self.weights.has(run, f"before-{number}") else None
        return None

    def last_prunings(self) -> dict[int, int]:
        """The epoch after which every run was pruned last, by run."""
        columns = schema.prunings.c
        statement = select(columns.run, func.max(columns.epoch)).group_by(columns.run)
        with self.database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def live_weights(self, run: int, hidden: Sequence[int]) -> list[tuple[int, list[NDArray]]]:
        """Epoch of every pruning, and the live incoming weights of each neuron after it."""
        columns = schema.prunings.c
        query = select(columns.epoch, columns.live_weights).where(columns.run == run).order_by(columns.number)
        with self.database.reading() as connection:
            return [(row.epoch, unpack_counts(row.live_weights, hidden)) for row in connection.execute(query)]

    def spectra(self, run: int, sizes: Sequence[int]) -> list[tuple[list[NDArray], list[NDArray]]]:
        """Singular values of the hidden layers before and after every pruning, in order."""
        columns = schema.prunings.c
        query = select(columns.spectra_before, columns.spectra_after).where(columns.run == run)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(columns.number)).all()
        return [(unpack_spectra(row[0], sizes), unpack_spectra(row[1], sizes)) for row in rows]

    def masks(self, run: int, number: int) -> bytes | None:
        """Masks after pruning `number` (1, 2, ...) as `abp.network.masks.pack` made them, or None.

        Number 0 is the start of a run that continues another one; other runs start with nothing removed.
        """
        if number == 0:
            start = self.weights.start(run)
            return start and start[1]
        columns = schema.prunings.c
        query = select(columns.masks).where(columns.run == run, columns.number == number)
        with self.database.reading() as connection:
            return connection.execute(query).scalar()

    def begin(self, run: int, owner: str, weights: bytes, *, sparsity: float = 0.0) -> None:
        """Start a run's history afresh, with its initial weights and their sparsity."""
        nothing: dict[str, Any] = {"epoch": 0, "prunings": 0, "pruned_by_hand": False, "sparsity": sparsity}
        nothing |= {"seconds": 0.0, "regulariser_seconds": 0.0, **dict.fromkeys(ACCURACIES)}
        with self.leases.held(run, owner, **nothing) as connection:
            for table in (schema.epochs, schema.prunings, schema.frames, schema.checkpoints, schema.weights):
                connection.execute(delete(table).where(table.c.run == run))
            put(connection, schema.weights, {"run": run, "moment": "initial", "tensors": weights})

    def add_epoch(self, run: int, owner: str, row: Mapping[str, Any]) -> None:
        """Record a finished epoch (columns of `schema.epochs`)."""
        summary = {name: row[name] for name in ("epoch", "sparsity", "seconds", *ACCURACIES)}
        with self.leases.held(run, owner, **summary) as connection:
            put(connection, schema.epochs, {"run": run, **row})

    def add_pruning(
        self,
        run: int,
        owner: str,
        row: Mapping[str, Any],
        *,
        scheduled_left: int,
        weights_before: bytes | None,
        checkpoint: Mapping[str, Any],
        answered: tuple[Command, str] | None = None,
    ) -> None:
        """Record a pruning (columns of `schema.prunings`) and the checkpoint after it in one transaction.

        The outcome of the command that requested it belongs there too: a resumed run must not prune again.
        """
        summary = {
            "prunings": row["number"],
            "sparsity": row["sparsity"],
            "scheduled_left": scheduled_left,
            "valid_accuracy": row["valid_accuracy_after"],
            "test_accuracy": row["test_accuracy_after"],
        }
        if row["made_by"] == "hand":
            summary["pruned_by_hand"] = True
        with self.leases.held(run, owner, **summary) as connection:
            put(connection, schema.prunings, {"run": run, **row})
            self.checkpoints.save(run, owner, checkpoint)
            if weights_before is not None:
                moment = f"before-{row['number']}"
                put(connection, schema.weights, {"run": run, "moment": moment, "tensors": weights_before})
            if answered is not None:
                command, outcome = answered
                place = {"epoch": row["epoch"], "batch": row["batch"]}
                self.commands.settle(run, owner, command, **place, outcome=outcome, state={})

    def _table(self, table: Table, run: int, after: int, leave_out: tuple[str, ...]) -> pd.DataFrame:
        columns = [column for column in table.c if column.name not in leave_out]
        query = select(*columns).where(table.c.run == run, columns[0] > after).order_by(columns[0])
        import pandas as pd

        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return pd.DataFrame(rows, columns=[column.name for column in columns])
