"""What the store hands out: plain records of runs, and the arrays in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abp.errors import AbpError
from abp.training.experiment import Experiment, SettingError

if TYPE_CHECKING:
    from torch import Tensor

LANES = {
    "hand": "started by a person: any worker",
    "queue": "one of many: any worker but the one kept for runs started by hand",
    "self": "trained by the process that made it, such as the command line",
}

ACTIVE = ("queued", "running", "paused")
"""Statuses of runs that still go on."""

RESUMABLE = ("paused", "interrupted")

ACCURACIES = ("train_accuracy", "valid_accuracy", "test_accuracy")


class RunUnknown(AbpError, LookupError):
    """There is no run of this number."""


class StudyUnknown(AbpError, LookupError):
    """There is no study of this number."""


@dataclass(frozen=True)
class Run:
    """One run as the store knows it; columns are described in `abp.store.schema`."""

    id: int
    name: str
    settings: str
    status: str
    lane: str
    keep: str
    held: bool
    pace: float | None
    created: float
    started: float | None
    finished: float | None
    seconds: float
    regulariser_seconds: float
    owner: str | None
    lease: float | None
    stopped_by: str | None
    message: str | None
    epoch: int
    prunings: int
    scheduled_left: int
    pruned_by_hand: bool
    sparsity: float
    train_accuracy: float | None
    valid_accuracy: float | None
    test_accuracy: float | None
    parent: int | None
    origin: str | None

    @cached_property
    def experiment(self) -> Experiment:
        """The run's settings."""
        return Experiment.from_json(self.settings)

    @property
    def active(self) -> bool:
        """Whether it still goes on, or will."""
        return self.status in ACTIVE

    @property
    def has_weights(self) -> bool:
        """Whether its final weights are recorded: it ended well, after a worker had begun it."""
        return self.status in ("finished", "stopped") and self.started is not None


@dataclass(frozen=True)
class Frame:
    """The newest look at a run in progress; arrays hold one entry per hidden layer, ``[neurons]``.

    Attributes
    ----------
    number
        Rises with every frame of a run.
    made
        When the worker took it, in seconds since 1970.
    recent_counts, recent_samples
        Activations among the newest training samples, a thousand or a few more, and how many those are.
    """

    number: int
    made: float
    epoch: int
    batch: int
    batches: int
    rate: float
    train_loss: float
    train_accuracy: float
    samples: int
    counts: list[NDArray]
    epoch_samples: int
    epoch_counts: list[NDArray]
    live_weights: list[NDArray]
    sparsity: float
    recent_samples: int
    recent_counts: list[NDArray]


@dataclass(frozen=True)
class Command:
    """What a person asked of a run, and what came of it."""

    id: int
    run: int
    kind: str
    arguments: dict
    created: float
    settled: float | None
    epoch: int | None
    batch: int | None
    outcome: str | None


@dataclass(frozen=True)
class StudyRow:
    """One study as the store knows it; columns are described in `abp.store.schema`."""

    id: int
    name: str
    specification: str
    paused: bool
    created: float


def checked_name(name: str) -> str:
    """A name for people without the spaces around it, or a SettingError if it has not 1 to 200 characters."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise SettingError(f"a name must have 1 to 200 characters, not {len(name)}")
    return name


def pack_counts(counts: Sequence[Tensor]) -> bytes:
    """Whole numbers per hidden layer, ``[neurons]`` each, joined as uint32 bytes."""
    return np.concatenate([count.numpy() for count in counts]).astype(np.uint32).tobytes()


def unpack_counts(packed: bytes, hidden: Sequence[int]) -> list[NDArray]:
    """What `pack_counts` joined, int64 ``[neurons]`` per hidden layer."""
    joined = np.frombuffer(packed, dtype=np.uint32).astype(np.int64)
    return np.split(joined, np.cumsum(hidden)[:-1])


def unpack_spectra(packed: bytes, sizes: Sequence[int]) -> list[NDArray]:
    """Singular values per hidden layer of a network of these sizes (inputs, hidden layers, classes)."""
    lengths = [min(pair) for pair in zip(sizes[:-2], sizes[1:-1], strict=True)]
    return np.split(np.frombuffer(packed, dtype=np.float64), np.cumsum(lengths)[:-1])
