"""Training one run in this process, as ``abp train`` and ``abp continue`` do."""

import sys

from tqdm import tqdm

from abp.cli.output import write_json
from abp.runs.results_json import result
from abp.runs.session.session import Progressed
from abp.runs.worker import execute, new_owner
from abp.store.records import Run, Status
from abp.store.store import Store
from abp.training.experiment import Experiment


def train_here(store: Store, number: int, json_path: str | None) -> int:
    """Train a queued run and report it; the exit status."""
    run = store.runs.get(number)
    print(f"Run {number}: {run.name}", file=sys.stderr)
    owner = new_owner()
    try:
        _execute(store, number, owner, run.experiment)
    except KeyboardInterrupt:
        store.leases.interrupt(number, owner)
        print(f"\nInterrupted. Run {number} can be resumed from its last checkpoint in the dashboard.", file=sys.stderr)
        return 130
    run = store.runs.get(number)
    write_json(json_path, result(store, run))
    print(_summary(run), file=sys.stderr)
    return 0 if run.status in (Status.FINISHED, Status.STOPPED) else 1


def _execute(store: Store, number: int, owner: str, experiment: Experiment) -> None:
    with tqdm(total=experiment.epochs, unit="epoch", disable=None, file=sys.stderr) as bar:

        def report(progress: Progressed) -> None:
            bar.set_postfix_str(f"validation {progress.valid_accuracy:.1%}, sparsity {progress.sparsity:.1%}")
            bar.update(progress.epoch - bar.n)

        execute(store, number, owner, report=report, download_progress=True, park=False)


def _summary(run: Run) -> str:
    if run.status not in (Status.FINISHED, Status.STOPPED):
        if run.message is None:
            return f"Run {run.id} no longer belongs to this process; it is {run.status}. See the dashboard."
        return f"Run {run.id} ({run.status}): {run.message}"
    missing = f"; {run.scheduled_left} scheduled prunings were not reached" if run.scheduled_left else ""
    accuracies = [
        f"{split} {100 * accuracy:.1f} %"
        for split, accuracy in (
            ("training", run.train_accuracy), ("validation", run.valid_accuracy), ("test", run.test_accuracy)
        )
        if accuracy is not None
    ]  # fmt: skip
    return (
        f"{run.status.capitalize()} after {run.epoch} epochs and {run.seconds:.1f} s ({run.stopped_by}): accuracy "
        f"{', '.join(accuracies)}; sparsity {100 * run.sparsity:.1f} %{missing}"
    )
