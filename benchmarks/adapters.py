"""The parts of ``make bench`` about other people's code: a counted step of a PyTorch model, and a scikit-learn fit."""

import copy
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional

from abp import load_dataset
from abp.pytorch import ActivityCounter
from abp.sklearn import PrunedMLPClassifier
from benchmarks.table import show

BLOCKS, STEPS = 30, 5


def counted_steps() -> None:
    """Training steps of small convolutional networks on Fashion-MNIST, with an `ActivityCounter` against without."""
    data = load_dataset("fashion-mnist")
    x, y = data.train_x[:64].view(-1, 1, 28, 28), data.train_y[:64]
    for name, model in _models().items():
        counted = copy.deepcopy(model)
        ActivityCounter(counted)
        ratio = _ratio(_steps(counted, x, y), _steps(model, x, y))
        show(f"counted / uncounted training step, {name}", ratio, 1.10)


def classifiers() -> None:
    """Epochs of `PrunedMLPClassifier` against `MLPClassifier` of the same layers, solver and batches."""
    digits = load_digits(return_X_y=True)
    data = load_dataset("fashion-mnist")
    clothes = data.train_x[:6000].numpy(), data.train_y[:6000].numpy()
    published = {"solver": "sgd", "learning_rate_init": 0.01, "momentum": 0.0, "batch_size": 32}
    layers = (300, 200, 100, 50)
    _compare("as published, Fashion-MNIST", clothes, layers, published, 1)
    _compare("the same by Adam, batches of 200", clothes, layers, {}, 1)
    _compare("digits, 100 neurons, Adam", (digits[0] / 16, digits[1]), (100,), {}, 10)


def _compare(what: str, data: tuple, layers: tuple[int, ...], settings: dict, epochs: int) -> None:
    endless = {"max_iter": epochs, "tol": 0.0, "n_iter_no_change": 10_000, "random_state": 0}
    mine = PrunedMLPClassifier(layers, amount=0.0, **settings, **endless)
    theirs = MLPClassifier(layers, nesterovs_momentum=False, **settings, **endless)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        show(f"fit / MLPClassifier's, {what}", _ratio(lambda: mine.fit(*data), lambda: theirs.fit(*data)), 1.00)


def _models() -> dict[str, nn.Module]:
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    normalised = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1, stride=2),
        nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    return {"LeNet-5": lenet, "convolutions, batch norm": normalised}


def _steps(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)

    def run() -> None:
        for _ in range(STEPS):
            optimiser.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimiser.step()

    return run


def _ratio(one: Callable[[], object], other: Callable[[], object]) -> float:
    """Median over blocks of the one's time over the other's, which take turns.

    Processor time, since both are of one thread: what else the machine does counts for neither.
    """
    ratios = []
    for block in range(BLOCKS + 1):
        seconds = []
        for run in (one, other):
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
        if block:  # the first one warms up
            ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)
