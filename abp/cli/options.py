"""What every command accepts, and its help. Nothing here needs PyTorch: help and mistakes are answered at once."""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

from abp.cli.output import complain
from abp.data.datasets import DATASETS
from abp.studies.specification import PRESETS
from abp.training.experiment import Experiment, SettingError, settings
from abp.training.setting import PARSED, Setting


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; ``module`` of what it returns is the command's module in `abp.cli`."""
    whole = _Parser(prog="abp", description="Activation-based pruning of neural networks.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text, add_options) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(module=module)
        add_options(command)
    return whole


def _dashboard(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--host",
        default="localhost",
        help="the address to listen on; 0.0.0.0 opens the dashboard to other devices (default: localhost)",
    )
    command.add_argument("--port", type=_port, default=8501, metavar="N", help="(default: 8501)")
    command.add_argument("--no-browser", action="store_true", help="do not open a browser on this machine")


def _train(command: argparse.ArgumentParser) -> None:
    for name, setting in settings().items():
        _add_setting(command, name, setting)
    command.add_argument("--name", help="name of the run (default: made from its settings)")
    _add_json(command, "the result")


def _continue(command: argparse.ArgumentParser) -> None:
    _add_run(command, "number of the run to continue")
    command.add_argument(
        "--how",
        required=True,
        metavar="{fine-tune,rewind,rewind-K,reinitialise,pca,svd}",
        help="what the new run starts from, always under the final masks: the final weights; the initial weights; "
        "the weights before pruning K; new random weights; or, without masks, the final weights reduced by PCA or SVD "
        "to --ranks",
    )
    command.add_argument("--epochs", type=int, required=True, metavar="N", help="how many epochs the new run trains")
    command.add_argument(
        "--ranks",
        type=partial(_parsed, "ranks"),
        metavar="N,N",
        help="rank of each hidden layer, such as 20,10; for pca and svd",
    )
    command.add_argument(
        "--seed",
        type=int,
        help="seed of the data order and of new random weights (default: the run's own, for reinitialise the next)",
    )
    command.add_argument("--learning-rate", type=float, metavar="X", help="(default: the run's own)")
    command.add_argument("--name", help="name of the new run (default: made from the run's own)")
    _add_json(command, "the result")


def _analyse(command: argparse.ArgumentParser) -> None:
    _add_run(command, "number of the run")
    command.add_argument("--json", metavar="PATH", default="-", help="file to write (default: - for standard output)")


def _study(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "study",
        metavar=_one_of(PRESETS),
        help="; ".join(f"{name}: {text}" for name, text in PRESETS.items()).replace("%", "%%"),
    )
    command.add_argument(
        "--dataset", metavar=_one_of(DATASETS), help="(default: digits for the demo, otherwise fashion-mnist)"
    )
    command.add_argument("--seeds", type=int, default=5, metavar="N", help="number of seeds (default: 5)")
    command.add_argument(
        "--criteria", type=_words, metavar="NAME,NAME", help="criteria to compare instead, separated by commas"
    )
    command.add_argument(
        "--amounts", type=_numbers, metavar="X,X", help="shares of the weights to remove instead, such as 0.5,0.8"
    )
    command.add_argument(
        "--nuclear",
        type=_numbers,
        metavar="X,X",
        default=(),
        help="also train dense networks with these strengths of the nuclear-norm regulariser, such as 0.001,0.01; the "
        "paper's fourth claim needs them",
    )
    command.add_argument(
        "--equal-training",
        action="store_true",
        help="afterwards fine-tune the dense networks, and PCA's and SVD's, for as many epochs as each pruned network "
        "trained after its last pruning, one at a time",
    )
    command.add_argument("--workers", type=int, metavar="N", help="runs to train at a time (default: one per core)")
    _add_json(command, "rows and claims")


def _export(command: argparse.ArgumentParser) -> None:
    _add_run(command, "number of the run")
    command.add_argument(
        "--compact",
        action="store_true",
        help="leave out dead neurons and check that the outputs do not change; without --weights or --onnx, writes "
        "run-RUN-compact.safetensors and run-RUN-compact.onnx to the current folder",
    )
    command.add_argument("--weights", metavar="FILE.safetensors", help="file for the weights")
    command.add_argument("--onnx", metavar="FILE.onnx", help="file for the network in ONNX format")
    command.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="folder for event files of the run's curves, spectra and activation frequencies, in DIR/run-RUN; needs "
        "TensorBoard",
    )


def _data(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(required=True, metavar="ACTION", dest="action")
    add = actions.add_parser("add", help="add a data set of your own", description="Add a data set of your own.")
    add.add_argument("name", metavar="NAME", help="small letters, digits and hyphens, such as my-shapes")
    add.add_argument(
        "path",
        metavar="PATH",
        help="a folder or zip of pictures with one sub-folder a class; a CSV or Parquet file with one labelled row a "
        "sample; an .npz file with arrays x and y; or a pair of IDX files",
    )
    add.add_argument("--label", metavar="COLUMN", help="the column that holds the class (default: one named like it)")
    add.add_argument(
        "--leave-out", type=_words, metavar="COLUMN,COLUMN", default=(), help="columns that are not to be used"
    )
    add.add_argument("--size", type=int, default=28, metavar="N", help="rows and columns of pictures (default: 28)")
    add.add_argument("--colour", action="store_true", help="keep the colours of pictures")
    add.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether to make dark bright (default: if the pictures are dark ink on light paper)",
    )
    add.add_argument(
        "--pixels",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether columns of numbers are the pixels of a square picture (default: if they look like it)",
    )
    add.add_argument("--seed", type=int, default=0, help="draws test and validation samples (default: 0)")
    add.add_argument("--private", action="store_true", help="show its samples to the operator alone")
    listing = actions.add_parser("list", help="list your own data sets", description="List your own data sets.")
    _add_json(listing, "all that is known of them")
    remove = actions.add_parser("remove", help="remove one of them", description="Remove one of your own data sets.")
    remove.add_argument("name", metavar="NAME", help="its name, or its key")
    remove.add_argument("--with-runs", action="store_true", help="delete the runs and studies that use it too")


def _spectra(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="weights of a perceptron: a .safetensors or .onnx file")
    _add_json(command, "all singular values")


def _replay(command: argparse.ArgumentParser) -> None:
    _add_run(command, "number of the run")
    _add_json(command, "what was compared")


def _doctor(command: argparse.ArgumentParser) -> None:
    _add_json(command, "what was found")


def _backup(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="file to write; one that is there is replaced")


def _restore(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="a file that abp backup wrote, of either kind of database")


def _tidy(command: argparse.ArgumentParser) -> None:
    command.add_argument("--remove", action="store_true", help="remove it; without this nothing is changed")
    command.add_argument(
        "--days", type=_days, default=30.0, metavar="N", help="only of runs that ended so many days ago (default: 30)"
    )


def _scheduler(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="0.0.0.0", help="the address to listen on (default: all of this host's)")
    command.add_argument("--port", type=_port, default=8786, metavar="N", help="(default: 8786)")
    command.add_argument(
        "--plain", action="store_true", help="without TLS; only with ABP_SCHEDULER_PLAIN=trusted in the environment"
    )


def _worker(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--processes", type=_count, metavar="N", help="runs to train at a time (default: one for each core)"
    )
    command.add_argument(
        "--by-hand", type=int, default=0, metavar="N", help="of these, kept for runs started by hand (default: 0)"
    )
    command.add_argument(
        "--memory", default="0", metavar="SIZE", help="a process may take so much, such as 4GiB (default: no limit)"
    )
    command.add_argument(
        "--death-timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="end after so long without a scheduler (default: 120)",
    )
    command.add_argument(
        "--lifetime", metavar="TIME", help="end after so long, such as '55 minutes', before a batch system does"
    )


COMMANDS: dict[str, tuple[str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "dashboard": ("dashboard", "open the dashboard in a browser", _dashboard),
    "train": ("train", "train and prune a network; the run appears in the dashboard too", _train),
    "continue": ("continue_", "train a new run from the recorded weights and masks of another one", _continue),
    "analyse": ("analyse", "compute singular values, ranks and norms of a run, and its baselines", _analyse),
    "spectra": ("spectra", "compare the singular values of any weight file with chance; no run is needed", _spectra),
    "data": ("data", "add, list and remove data sets of your own", _data),
    "study": ("study", "compare methods over several seeds; run it again to resume it", _study),
    "export": ("export", "write the network of a run as safetensors or ONNX, or its history for TensorBoard", _export),
    "replay": ("replay", "train an ended run again from its record; say whether every bit is the same", _replay),
    "doctor": ("doctor", "look at this installation and say what is wrong and what to do", _doctor),
    "backup": ("backup", "write all runs, studies and data sets to one file, while runs go on", _backup),
    "restore": ("restore", "let a backup take the place of what the database holds, which is kept", _restore),
    "tidy": ("tidy", "say what old runs have no more use for, and remove it on request", _tidy),
    "scheduler": ("scheduler", "run the scheduler that workers on other hosts join", _scheduler),
    "worker": ("worker", "train runs of the cluster that ABP_SCHEDULER names, on this host", _worker),
}
"""Every command: its module in `abp.cli`, one line of help, and the function that adds its options."""


def _add_setting(command: argparse.ArgumentParser, name: str, setting: Setting) -> None:
    """An option for one field of `Experiment`, with its default; `Experiment` checks the value."""
    default = getattr(Experiment, name)
    option = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        text = f"{setting.help} (default: {'on' if default else 'off'})"
        command.add_argument(option, action=argparse.BooleanOptionalAction, default=default, help=text)
        return
    shown = ",".join(map(str, default)) or "none" if name in PARSED else default
    text = f"{setting.help} (default: {shown})".replace("%", "%%")
    kind: Any = partial(_parsed, name) if name in PARSED else type(default)
    metavar = "N,N" if name in PARSED else "N" if kind is int else "X"
    metavar = _one_of(setting.choices) if setting.choices else metavar
    command.add_argument(option, type=kind, default=default, metavar=metavar, help=text)


def _add_run(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("run", type=int, metavar="RUN", help=text)


def _add_json(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--json", metavar="PATH", help=f"file for {what} as JSON; - for standard output")


def _one_of(choices: Iterable[str]) -> str:
    return "{" + ",".join(choices) + "}"


def _parsed(name: str, text: str) -> tuple[int, ...]:
    try:
        return PARSED[name](text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 1024, not {text!r}")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of days, 0 or more, not {text!r}")
    return days


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be numbers separated by commas, such as 0.5,0.8, not {text!r}"
        ) from None


class _Parser(argparse.ArgumentParser):
    """Complaints in one line, without the usage of all options."""

    def error(self, message: str) -> NoReturn:
        sys.exit(complain(f"{message} ({self.prog} --help)"))
