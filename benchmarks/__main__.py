"""``make bench``: each figure beside its goal, as ratios within one run; ``make bench PARTS=live`` only some.

Candidates take turns in short blocks, and a ratio is the median over the blocks' own ratios, so that what else the
machine does meanwhile falls on both sides. Needs Fashion-MNIST (``ABP_DATA_DIR``, or it is downloaded).
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch
from playwright.async_api import Error as PlaywrightError
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.nn.utils import prune

from abp import Experiment, Trainer, load_dataset
from abp.analysis.spectra import summarise_all
from abp.dashboard.frame.background import LOOK_EVERY
from abp.data.datasets import DataUnavailable
from abp.network.masks import full_masks
from abp.network.mlp import Network
from abp.pruning.criteria import Statistics
from abp.pruning.prune_network import choose_masks
from abp.pruning.selection import Request
from abp.runs import worker
from abp.store.store import Store
from abp.studies.registry import start_study
from abp.studies.runner import conduct
from abp.studies.specification import Study
from abp.training.experiment import dense_settings
from benchmarks import adapters, live
from benchmarks.baselines import BATCH, SIZES, PlainLoop
from benchmarks.table import show
from benchmarks.thousand import thousand_runs
from benchmarks.verdicts import wrong_verdicts
from benchmarks.visitors import VISITORS, percentile_95, stroke_answers

BLOCKS, STEPS = 30, 128
FLOPS = 2 * BATCH * (3 * sum(a * b for a, b in zip(SIZES[:-1], SIZES[1:], strict=True)) - SIZES[0] * SIZES[1])


def main() -> None:
    """Print the figures of the parts that are named, or of all."""
    asked = sys.argv[1:] or list(PARTS)
    if unknown := set(asked) - set(PARTS):
        sys.exit(f"benchmarks: no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{_processor()}, Python {platform.python_version()}, PyTorch {torch.__version__}, one thread\n")
    print(f"{'what':66s} {'measured':>10s} {'goal':>8s}")
    try:
        load_dataset("fashion-mnist")
    except DataUnavailable as error:
        sys.exit(f"benchmarks: {error}")
    for part in asked:
        for measure in PARTS[part]:
            measure()


def training_steps() -> None:
    """Training steps of the published network on Fashion-MNIST against plain PyTorch."""
    data = load_dataset("fashion-mnist")
    settings = Experiment(dataset="fashion-mnist")

    def trainer(criterion: str | None = None, amount: float = 0.0) -> Callable[[], None]:
        candidate = Trainer(settings, data)
        if criterion:
            candidate.train_epoch()
            candidate.prune(criterion, amount)
        return lambda: [candidate.train_batches() for _ in range(STEPS * BATCH // 1024)] and None

    plain, hooked = PlainLoop(data.train_x, data.train_y), PlainLoop(data.train_x, data.train_y, hooks=True)
    times = alternately(
        {
            "plain": lambda: plain.steps(STEPS),
            "hooked": lambda: hooked.steps(STEPS),
            "dense": trainer(),
            "masked": trainer("magnitude", 0.5),
            "neurons": trainer("activation-neuron", 0.8),
            "matrix products": _matrix_products(),
        }
    )
    for name in ("plain", "hooked", "dense", "masked", "neurons", "matrix products"):
        show(f"  one step, {name}", f"{1e6 * statistics.median(times[name]) / STEPS:,.0f} µs")
    peak = _peak()
    achieved = FLOPS / (statistics.median(times["dense"]) / STEPS)
    show("training step / plain PyTorch loop", _ratio(times, "dense", "plain"), 0.50)
    show("  of this, the step's matrix products alone", _ratio(times, "matrix products", "plain"))
    show("  share of the matrix-product peak", f"{achieved / peak:.0%} of {peak / 1e9:.0f} GFLOP/s")
    show("masked step / plain loop with counting hooks and masks", _ratio(times, "masked", "hooked"), 0.50)
    show("step after 80 % neuron pruning / dense step", _ratio(times, "neurons", "dense"), 0.50)


def one_pruning() -> None:
    """One pruning of all 320,200 weights against ``torch.nn.utils.prune.global_unstructured``."""
    random = torch.Generator().manual_seed(0)
    weights, masks = Network.glorot(SIZES, random).weights[:-1], full_masks(SIZES)
    counts = [torch.randint(1, 54_000, (width,)) for width in SIZES[1:-1]]
    known = Statistics(weights, masks, counts, 54_000, random, _unused, _unused)

    def torchs() -> None:
        layers = [nn.Linear(inputs, outputs) for inputs, outputs in zip(SIZES[:-2], SIZES[1:-1], strict=True)]
        parameters = [(layer, "weight") for layer in layers]
        start = time.perf_counter()
        prune.global_unstructured(parameters, pruning_method=prune.L1Unstructured, amount=0.238)
        spent["torch"].append(time.perf_counter() - start)

    def ours(criterion: str) -> None:
        start = time.perf_counter()
        choose_masks(criterion, known, Request(round(0.238 * 320_200)))
        spent[criterion].append(time.perf_counter() - start)

    spent: dict[str, list[float]] = {"torch": [], "activation": [], "magnitude": []}
    for _ in range(BLOCKS):
        torchs()
        ours("activation")
        ours("magnitude")
    for criterion in ("activation", "magnitude"):
        show(f"choosing 23.8 % by {criterion} / global_unstructured", _ratio(spent, criterion, "torch"), 0.40)


def _unused() -> NoReturn:
    raise AssertionError("criteria by counts and weights pass no samples through the network")


def share_of_recording() -> None:
    """What frames, epochs, checkpoints and commands cost a Fashion-MNIST run: time in the store against the rest."""
    inside = 0.0

    class Timed:
        """A repository whose methods' time counts."""

        def __init__(self, repository: object) -> None:
            self._repository = repository

        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            value = getattr(self._repository, name)

            def timed(*arguments: object, **named: object) -> object:
                nonlocal inside
                start = time.perf_counter()
                try:
                    return value(*arguments, **named)
                finally:
                    inside += time.perf_counter() - start

            return timed

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "bench.sqlite3")
        for noun in ("runs", "leases", "commands", "histories", "weights", "checkpoints", "frames"):
            setattr(store, noun, Timed(getattr(store, noun)))
        settings = Experiment(dataset="fashion-mnist", epochs=6, start_accuracy=0.5, prunings=3)
        number = store.runs.add(settings)
        load_dataset("fashion-mnist")
        worker.execute(store, number, worker.new_owner())
        inside = 0.0
        number = store.runs.add(settings)
        start = time.perf_counter()
        worker.execute(store, number, worker.new_owner())
        spent = time.perf_counter() - start
    show("recording a run / training it (6 epochs, 3 prunings)", f"{100 * inside / (spent - inside):.1f} %", "3 %")


def peak_memory() -> None:
    """Peak memory of a process that trains on Fashion-MNIST."""
    code = "import sys; from abp.cli.main import main; sys.exit(main(sys.argv[1:]))"
    flags = ["--dataset", "fashion-mnist", "--epochs", "2", "--start-accuracy", "0.1", "--prunings", "1"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-c", code, "train", *flags], check=True, env=_environment(folder), capture_output=True
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    show("peak memory of a Fashion-MNIST worker", f"{peak:.0f} MB", "900 MB")


def first_frame() -> None:
    """From a run's start to its first live frame, by a warm engine."""
    code = """
import statistics, time
from abp import Experiment
from abp.runs.engine import Engine
from abp.store.store import Store
from abp.studies.registry import start_study
from abp.studies.specification import Study
from abp.dashboard.frame.background import LOOK_EVERY
store, engine = Store(), Engine()
def first(dataset):
    start = time.perf_counter()
    run = store.runs.add(Experiment(dataset=dataset))
    while store.frames.newest(run, (300, 200, 100, 50)) is None:
        time.sleep(0.005)
    spent = time.perf_counter() - start
    store.commands.add(run, "stop")
    while store.runs.get(run).active:
        time.sleep(0.01)
    return spent
first("digits")
for dataset in ("digits", "fashion-mnist"):
    first(dataset)
    print(dataset, statistics.median(first(dataset) for _ in range(5)))
engine.stop()
"""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, env=_environment(folder), capture_output=True, text=True
        )
    for line in done.stdout.splitlines():
        dataset, seconds = line.split()
        show(f"first live frame after the start, {dataset}", f"{float(seconds):.2f} s", "1 s")


def analysis_pages() -> None:
    """How long people wait for what is computed from a recorded run of Fashion-MNIST."""
    layers = [torch.rand(out, inputs) - 0.5 for inputs, out in zip(SIZES[:-2], SIZES[1:-1], strict=True)]
    show("singular values of the published network", f"{1000 * _median(lambda: summarise_all(layers)):.0f} ms", "50 ms")
    pruned = Experiment(
        dataset="fashion-mnist", criterion="activation-neuron", epochs=2, start_accuracy=0.1, prunings=1
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ABP_HOME": folder, "ABP_ENGINE": "off"}
        store = Store()
        for settings in (pruned, dense_settings(pruned)):
            worker.execute(store, store.runs.add(settings), worker.new_owner())
        page = AppTest.from_file(str(Path(__file__).parents[1] / "start.py"), default_timeout=60).run()
        page.switch_page("pages/low_rank.py").query_params["run"] = "1"

        seconds = _seconds(lambda: _draw(page))
        show("low-rank page, from the link to its last chart", f"{seconds:.1f} s", "2 s")

        def move() -> None:
            page.slider[0].set_value((page.slider[0].value + 7) % 100).run()

        show("  its slider, from the move to the new charts", f"{1000 * _median(move):.0f} ms", "300 ms")


def large_study() -> None:
    """How long people wait for the pages of a study of a thousand finished runs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ABP_HOME": folder, "ABP_ENGINE": "off"}
        thousand_runs(Store())
        for file, goal in (("runs", "1 s"), ("compare", "2 s")):
            page = AppTest.from_file(str(Path(__file__).parents[1] / "start.py"), default_timeout=60).run()
            page.switch_page(f"pages/{file}.py")
            seconds = _seconds(lambda page=page: _draw(page))
            show(f"1,003 finished runs: the {file} page, from the link to its last chart", f"{seconds:.1f} s", goal)


def visitors() -> None:
    """How long twenty visitors of the playground wait for what the networks say; their browsers share the cores."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = stroke_answers(folder)
        except (FileNotFoundError, DataUnavailable, PlaywrightError) as error:
            print(f"{VISITORS} visitors on the playground: not measured: {str(error).splitlines()[0]}")
            return
    what = "a stroke's answer on the playground"
    show(f"{what}, one visitor, the slowest", f"{max(found['alone']):.2f} s", "0.3 s")
    show(f"{what}, {VISITORS} visitors, median", f"{statistics.median(found['apart']):.2f} s")
    show(f"{what}, {VISITORS} visitors, 95th percentile", f"{percentile_95(found['apart']):.2f} s", "1 s")
    show(f"{what}, {VISITORS} at the same moment, median", f"{statistics.median(found['at once']):.2f} s")


def _draw(page: AppTest) -> None:
    """Draw a page until nothing goes on in its background; it looks again as often as in a browser."""
    page.run()
    while any("…" in info.value for info in page.info):
        time.sleep(LOOK_EVERY)
        page.run()


def study_workers() -> None:
    """How much faster two workers finish a small study than one, from its first start to its last end."""
    base = Experiment(dataset="fashion-mnist", epochs=4, start_accuracy=0.0, patience=0, stop_accuracy=1.0)
    study = Study(
        datasets=("fashion-mnist",),
        criteria=("none", "magnitude"),
        amounts=(0.5,),
        seeds=(0, 1, 2),
        prunings=1,
        base=base,
    )
    spans = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["ABP_HOME"] = folder
            store = Store()
            conduct(store, start_study(store, study), workers=workers)
            runs = store.runs.all()
            spans[workers] = max(run.finished or 0 for run in runs) - min(run.started or 0 for run in runs)
            if workers == 2:
                show("seconds a run of a study of Fashion-MNIST takes (4 epochs)", f"{runs[0].seconds:.1f} s")
    show("a study by one worker / by two, from first start to last end", spans[1] / spans[2], "1.80 x")


PARTS: dict[str, tuple[Callable[[], None], ...]] = {
    "training": (training_steps, one_pruning, share_of_recording, peak_memory, first_frame),
    "pages": (analysis_pages, large_study),
    "visitors": (visitors,),
    "live": (
        live.frames,
        live.audience,
        live.drawing,
        live.costs_of_watching,
        live.memory,
        live.cold_start,
        live.command_line,
    ),
    "studies": (study_workers,),
    "adapters": (adapters.counted_steps, adapters.classifiers),
    "verdicts": (wrong_verdicts,),
}
"""What is measured, by the name under which it is asked for."""


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _median(run: Callable[[], object]) -> float:
    run()
    return statistics.median(_seconds(run) for _ in range(9))


def alternately(candidates: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Seconds of each candidate, block by block in turn."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(BLOCKS):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def _ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def _matrix_products() -> Callable[[], None]:
    """Only the matrix products of a training step, with nothing between them: what no step can be faster than."""
    weights = [torch.rand(out, inputs) for inputs, out in zip(SIZES[:-1], SIZES[1:], strict=True)]
    values = [torch.rand(BATCH, width) for width in SIZES]
    deltas = [torch.rand(BATCH, width) for width in SIZES[1:]]

    def run() -> None:
        for _ in range(STEPS):
            for index, weight in enumerate(weights):
                torch.mm(values[index], weight.t(), out=values[index + 1])
            for index in range(len(weights) - 1, -1, -1):
                if index:
                    torch.mm(deltas[index], weights[index], out=deltas[index - 1])
                weights[index].addmm_(deltas[index].t(), values[index], alpha=0.0 if index else 1e-12)

    return run


def _peak() -> float:
    """FLOP/s of one large matrix product on one thread."""
    a, b, c = (torch.rand(1024, 1024) for _ in range(3))
    torch.mm(a, b, out=c)
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        spent.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(spent)


def _processor() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _environment(home: str) -> dict[str, str]:
    return {**os.environ, "ABP_HOME": home, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


if __name__ == "__main__":
    main()
