"""Conducting a study in this process, with progress bars."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from abp.cli.output import write_json
from abp.data.datasets import load_dataset
from abp.store.database import PATIENCE
from abp.store.store import Store
from abp.studies.equal_training import train_equally
from abp.studies.registry import StudyProgress, start_study, study_progress
from abp.studies.runner import conduct
from abp.studies.specification import Study
from abp.studies.verdicts import duration, fill_baselines, study_result, study_summary


def study_here(
    specification: Study, name: str, workers: int, json_path: str | None, *, equal_training: bool = False
) -> int:
    """Use the runs that the store has, train the missing ones, and write the comparison; the exit status."""
    store = Store(patience=PATIENCE)
    number = start_study(store, specification, name)
    try:
        progress = _conduct(store, number, specification, workers)
        _fill_baselines(store, number)
        if equal_training:
            _train_equally(store, number)
    except KeyboardInterrupt:
        store.studies.pause(number)
        print("\nInterrupted. The study is paused; run the same command again to resume it.", file=sys.stderr)
        return 130
    found = study_result(store, number)
    write_json(json_path, found)
    print(study_summary(found), file=sys.stderr)
    without = progress.total - progress.done
    if without:
        print(f"{without} of {progress.total} runs have no result: {progress.shortfall}", file=sys.stderr)
    return 1 if without else 0


def _conduct(store: Store, number: int, specification: Study, workers: int) -> StudyProgress:
    """Train what a study misses, with a progress bar."""
    progress = study_progress(store, number, workers=workers)
    left = "" if progress.ended else f" The other {progress.total - progress.done} train {workers} at a time."
    if not progress.ended:
        seconds = progress.seconds_left
        left += (
            f" Expected duration: {duration(seconds)}."
            if seconds is not None
            else " How long this takes is known once the first run has finished."
        )
        for dataset in specification.datasets:
            load_dataset(dataset, progress=True)  # once, before the workers want it
    print(f"Study {number}: {progress.total} runs, of which {progress.done} are done.{left}", file=sys.stderr)
    shape = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} runs [{elapsed}{postfix}]"
    with tqdm(total=progress.total, initial=progress.done, bar_format=shape, disable=None, file=sys.stderr) as bar:

        def report(progress: StudyProgress) -> None:
            if progress.seconds_left is not None and not progress.ended:
                bar.set_postfix_str(f"about {duration(progress.seconds_left)} left")
            bar.update(progress.total - progress.going_on - progress.missing - bar.n)

        return conduct(store, number, workers=workers, report=report)


def _fill_baselines(store: Store, number: int) -> None:
    with _bar("PCA and SVD") as report:
        fill_baselines(store, number, report)


def _train_equally(store: Store, number: int) -> None:
    with _bar("Equal training") as report:
        train_equally(store, number, report)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, as the function that tells it how many of how many networks are done."""
    with tqdm(unit="network", desc=title, disable=None, leave=False, file=sys.stderr) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
