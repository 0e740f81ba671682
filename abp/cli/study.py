"""The command line's ``study``: a comparison over seeds without a browser."""

import argparse
import sys

from tqdm import tqdm

from abp.cli.output import require_file, write_json
from abp.data.datasets import DATASETS, load_dataset
from abp.runs.engine import cores
from abp.store.store import Store
from abp.studies.registry import StudyProgress, start_study, study_progress
from abp.studies.runner import conduct
from abp.studies.specification import PRESETS, Study, preset
from abp.studies.verdicts import duration, fill_baselines, study_result, study_summary
from abp.training.experiment import SettingError


def add_study(commands: argparse._SubParsersAction) -> None:
    """Add the command and its options to a parser."""
    studying = commands.add_parser("study", help="compare methods over seeds; the same command again goes on")
    kinds = "; ".join(f"{name}: {words}" for name, words in PRESETS.items()).replace("%", "%%")
    studying.add_argument("study", metavar="{" + ",".join(PRESETS) + "}", help=kinds)
    studying.add_argument(
        "--dataset", metavar="{" + ",".join(DATASETS) + "}", help="(default: digits for the demo, else fashion-mnist)"
    )
    studying.add_argument("--seeds", type=int, default=5, metavar="N", help="how many (default: 5)")
    studying.add_argument("--criteria", type=_words, help="instead of the study's own, separated by commas")
    studying.add_argument("--amounts", type=_numbers, help="shares to remove, such as 0.5,0.8")
    studying.add_argument(
        "--nuclear",
        type=_numbers,
        default=(),
        help="also train dense networks with these strengths of the nuclear-norm regulariser, such as 0.001,0.01: for "
        "the paper's fourth claim",
    )
    studying.add_argument(
        "--workers", type=int, default=cores(), metavar="N", help="runs at a time (default: all cores)"
    )
    studying.add_argument("--json", metavar="PATH", help="write rows and claims there; - for standard output")
    studying.set_defaults(act=study)


def study(options: argparse.Namespace) -> int:
    """``study``: a comparison over seeds; what the store has is taken up, what is missing is trained on all cores."""
    if options.json not in (None, "-"):
        require_file("--json", options.json)
    if not 1 <= options.workers <= 256:
        raise SettingError(f"--workers must be between 1 and 256, not {options.workers}")
    specification = preset(
        options.study,
        dataset=options.dataset,
        seeds=options.seeds,
        criteria=options.criteria,
        amounts=options.amounts,
        nuclear=options.nuclear,
    )
    store = Store()
    number = start_study(store, specification, f"{options.study}: {specification.title}"[:200])
    try:
        progress = _conduct(store, number, specification, options.workers)
        _fill_baselines(store, number)
    except KeyboardInterrupt:
        store.studies.pause(number)
        print("\nInterrupted. The study is paused: the same command goes on where it stopped.", file=sys.stderr)
        return 130
    found = study_result(store, number)
    write_json(options.json, found)
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
            else " How long that takes is known when the first has finished."
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
    with tqdm(unit="network", desc="PCA and SVD", disable=None, leave=False, file=sys.stderr) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        fill_baselines(store, number, report)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be numbers separated by commas, such as 0.5,0.8, not {text!r}"
        ) from None
