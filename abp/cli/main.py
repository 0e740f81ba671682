"""The command line: the dashboard's work without a browser. ``python -m abp --help``."""

import argparse
import logging
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from abp.cli.output import require_file, write_json
from abp.cli.study import add_study
from abp.data.datasets import DataUnavailable
from abp.home import HomeUnusable
from abp.runs.continuation import ORIGINS, continue_run
from abp.runs.export import NotTheSame, compact, to_onnx
from abp.runs.results_json import analysis, result, write_file
from abp.runs.worker import Progressed, execute, new_owner
from abp.store.database import StoreUnusable
from abp.store.records import Run, RunUnknown, StudyUnknown
from abp.store.snapshots import final_network
from abp.store.store import Store
from abp.training.experiment import PARSED, Experiment, Setting, SettingError, settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status: 0 done, 1 the run did not end well, 2 bad input, 130 interrupted."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return options.act(options)
    except (SettingError, RunUnknown, StudyUnknown, StoreUnusable, HomeUnusable, DataUnavailable, NotTheSame) as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename or 'the output'} cannot be written: {error.strerror or error}")


def train(options: argparse.Namespace) -> int:
    """``train``: one run from start to end, recorded in the store."""
    if options.json not in (None, "-"):
        require_file("--json", options.json)
    experiment = Experiment(**{name: getattr(options, name) for name in settings()})
    store = Store()
    return _train_here(store, store.runs.add(experiment, name=options.name, lane="self"), options.json)


def continue_(options: argparse.Namespace) -> int:
    """``continue``: a run that starts from another one's recorded weights and masks."""
    if options.json not in (None, "-"):
        require_file("--json", options.json)
    store = Store()
    number = continue_run(
        store,
        store.runs.get(options.run),
        options.how,
        epochs=options.epochs,
        ranks=options.ranks,
        seed=options.seed,
        learning_rate=options.learning_rate,
        name=options.name,
        lane="self",
    )
    return _train_here(store, number, options.json)


def _train_here(store: Store, number: int, json_path: str | None) -> int:
    """Train a run in this process and report it; the exit status."""
    run = store.runs.get(number)
    print(f"Run {number}: {run.name}", file=sys.stderr)
    try:
        _execute(store, number, run.experiment)
    except KeyboardInterrupt:
        store.leases.interrupt(number)
        print(f"\nInterrupted. Run {number} can be resumed from its last checkpoint in the dashboard.", file=sys.stderr)
        return 130
    run = store.runs.get(number)
    write_json(json_path, result(store, run))
    print(_summary(run), file=sys.stderr)
    return 0 if run.status in ("finished", "stopped") else 1


def export(options: argparse.Namespace) -> int:
    """``export``: the network of a run as safetensors or ONNX, whole or without its dead neurons."""
    names = {"--weights": options.weights, "--onnx": options.onnx}
    named = {option: name for option, name in names.items() if name is not None}
    if not named and not options.compact:
        return _complain("nothing to export: name a file with --weights or --onnx, or add --compact")
    for option, name in named.items():
        require_file(option, name)
    store = Store()
    run = store.runs.get(options.run)
    if not named:
        named = {"--weights": f"run-{run.id}-compact.safetensors", "--onnx": f"run-{run.id}-compact.onnx"}
    final = final_network(store, run)
    if final is None:
        return _complain(f"run {run.id} has no final weights: it is {run.status}")
    what = "weights"
    contents = {"--weights": store.weights.get(run.id, "final") or b""}
    if options.compact:
        compacted = compact(store, run)
        assert compacted is not None  # there are final weights
        contents = {"--weights": compacted.safetensors, "--onnx": compacted.onnx}
        what = "compacted network"
        print(
            f"{'-'.join(map(str, run.experiment.sizes))} became {'-'.join(map(str, compacted.network.sizes))}; largest "
            f"difference of any output on the test pictures: {compacted.difference:.2g} (ONNX: "
            f"{compacted.onnx_difference:.2g})",
            file=sys.stderr,
        )
    elif "--onnx" in named:
        contents["--onnx"] = to_onnx(final)
    for option, name in named.items():
        write_file(Path(name), contents[option])
        print(f"Wrote the {what} of run {run.id} to {name}", file=sys.stderr)
    return 0


def analyse(options: argparse.Namespace) -> int:
    """``analyse``: singular values, ranks and norms of a run's hidden layers, and its baselines."""
    if options.json != "-":
        require_file("--json", options.json)
    store = Store()
    run = store.runs.get(options.run)
    if store.weights.get(run.id, "final") is None:
        return _complain(f"run {run.id} has no final weights: it is {run.status}")
    write_json(options.json, analysis(store, run))
    return 0


def _execute(store: Store, number: int, experiment: Experiment) -> None:
    with tqdm(total=experiment.epochs, unit="epoch", disable=None, file=sys.stderr) as bar:

        def report(progress: Progressed) -> None:
            bar.set_postfix_str(f"validation {progress.valid_accuracy:.1%}, sparsity {progress.sparsity:.1%}")
            bar.update(progress.epoch - bar.n)

        execute(store, number, new_owner(), report=report, download_progress=True, park=False)


def _summary(run: Run) -> str:
    if run.status not in ("finished", "stopped"):
        if run.message is None:
            return f"Run {run.id} was taken away from this process; it is {run.status} now, see the dashboard"
        return f"The run {run.status}: {run.message}"
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m abp", description="Activation-based pruning of neural networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    training = commands.add_parser("train", help="train and prune a network; it appears in the dashboard too")
    for name, setting in settings().items():
        _add_setting(training, name, setting)
    training.add_argument("--name", help="name of the run (default: made from its settings)")
    training.add_argument("--json", metavar="PATH", help="write the result there; - for standard output")
    training.set_defaults(act=train)

    continuing = commands.add_parser("continue", help="train a run on, from its recorded weights and masks")
    continuing.add_argument("run", type=int, metavar="RUN", help="number of the run to continue")
    ways = ", ".join(f"{how} ({words})" for how, words in ORIGINS.items())
    continuing.add_argument("--how", required=True, metavar="HOW", help=f"what to do with it: {ways}")
    continuing.add_argument("--epochs", type=int, required=True, help="it trains exactly so many")
    continuing.add_argument(
        "--ranks", type=partial(_parsed, "ranks"), help="rank of each hidden layer, such as 20,10: for pca and svd"
    )
    continuing.add_argument("--seed", type=int, help="of the data order and of new random weights")
    continuing.add_argument("--learning-rate", type=float, metavar="RATE", help="(default: as before)")
    continuing.add_argument("--name", help="name of the new run (default: made from the old one's)")
    continuing.add_argument("--json", metavar="PATH", help="write the result there; - for standard output")
    continuing.set_defaults(act=continue_)

    analysing = commands.add_parser("analyse", help="singular values, ranks and norms of a run, and its baselines")
    analysing.add_argument("run", type=int, metavar="RUN", help="number of the run")
    analysing.add_argument("--json", metavar="PATH", default="-", help="where to write (default: - standard output)")
    analysing.set_defaults(act=analyse)

    add_study(commands)

    exporting = commands.add_parser("export", help="write the network of a run as safetensors or ONNX")
    exporting.add_argument("run", type=int, metavar="RUN", help="number of the run")
    exporting.add_argument(
        "--compact",
        action="store_true",
        help="leave the dead neurons out, and check that the outputs stay; without a file named, "
        "run-RUN-compact.safetensors and run-RUN-compact.onnx in this folder",
    )
    exporting.add_argument("--weights", metavar="FILE.safetensors", help="write the weights there")
    exporting.add_argument("--onnx", metavar="FILE.onnx", help="write the network there, for ONNX runtimes")
    exporting.set_defaults(act=export)
    return parser


def _add_setting(parser: argparse.ArgumentParser, name: str, setting: Setting) -> None:
    """An option for one field of `Experiment`, with its default; `Experiment` checks the value."""
    default = getattr(Experiment, name)
    option = f"--{name.replace('_', '-')}"
    shown = ",".join(map(str, default)) if name in PARSED else default
    text = f"{setting.help} (default: {'none' if shown == '' else shown})".replace("%", "%%")
    if isinstance(default, bool):
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default, help=text)
        return
    kind = partial(_parsed, name) if name in PARSED else type(default)
    metavar = "{" + ",".join(setting.choices) + "}" if setting.choices else name.rsplit("_")[-1].upper()
    parser.add_argument(option, type=kind, default=default, metavar=metavar, help=text)


def _parsed(name: str, text: str) -> tuple[int, ...]:
    try:
        return PARSED[name](text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class _Parser(argparse.ArgumentParser):
    """Complaints in one line, without the usage of all options."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_complain(f"{message} (python -m abp --help)"))


def _complain(message: str) -> int:
    print(f"abp: {message}", file=sys.stderr)
    return 2
