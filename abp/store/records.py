"""Records that the store returns: runs, frames, commands and studies, and the arrays in them."""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from abp.display import Displayed
from abp.errors import AbpError, quoted
from abp.training.experiment import Experiment, SettingError
from abp.training.setting import complaint

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Status(StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"  # its worker was lost; it can be resumed
    FINISHED = "finished"
    STOPPED = "stopped"  # by a person
    DIVERGED = "diverged"
    FAILED = "failed"


class Lane(StrEnum):
    """Which workers may take a queued run. Lanes sort by name: those earlier in the alphabet go first."""

    HAND = "hand"  # started by a person: any worker
    QUEUE = "queue"  # one of many: any worker but the one kept for runs started by hand
    SELF = "self"  # trained by the process that made it, such as the command line


class CommandKind(StrEnum):
    """What can be asked of a run."""

    PAUSE = "pause"
    RESUME = "resume"
    STEP = "step"  # to the end of the epoch, then pause
    STOP = "stop"
    PACE = "pace"
    PRUNE = "prune"
    UNDO = "undo"  # the last pruning by hand


class Arguments(TypedDict, total=False):
    """What goes with a command: `epochs_per_second` with ``pace``, the others with ``prune``.

    `amount` is a share of all hidden weights, or of those that are left then, as `of` says: ``"all"`` or ``"left"``.
    """

    epochs_per_second: float | None
    criterion: str
    amount: float
    of: str


ELSEWHERE = 0
"""The parent of a network that was read from a file instead of being trained here: no run has this number."""

ACTIVE = (Status.QUEUED, Status.RUNNING, Status.PAUSED)
"""Statuses of runs in progress or waiting for a worker."""

RESUMABLE = (Status.PAUSED, Status.INTERRUPTED)

COMPLETE = (Status.FINISHED, Status.STOPPED)
"""Statuses of runs that ended with a usable network."""

ACCURACIES = ("train_accuracy", "valid_accuracy", "test_accuracy")


class RunUnknown(AbpError, LookupError):
    """There is no run of this number, or nothing of it that was asked for."""


class StudyUnknown(AbpError, LookupError):
    """There is no study of this number."""


def no_run(number: int) -> RunUnknown:
    """What to raise where a run of this number is not in the store."""
    return RunUnknown(f"Run {number} does not exist or was deleted.")


def no_study(number: int) -> StudyUnknown:
    """What to raise where a study of this number is not in the store."""
    return StudyUnknown(f"Study {number} does not exist or was deleted.")


@dataclass(frozen=True)
class Run(Displayed):
    """One run as the store knows it; columns are described in `abp.store.schema`.

    It holds on to what knows the data set that its settings name, `kept_by`, since it may outlast its store.
    """

    id: int
    name: str
    settings: str
    status: Status
    lane: Lane
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
    claims: int = 0
    deaths: int = 0
    processor: str | None = None
    kept_by: object = field(default=None, repr=False, compare=False)

    @cached_property
    def experiment(self) -> Experiment:
        """The run's settings."""
        return Experiment.from_json(self.settings)

    @property
    def unreadable(self) -> str:
        """Why its settings cannot be used here any more, in words; empty if they can."""
        return complaint(lambda: self.experiment)

    @property
    def from_file(self) -> bool:
        """Whether its network was trained elsewhere and read from a file."""
        return self.parent == ELSEWHERE

    @property
    def active(self) -> bool:
        """Whether it is in progress or waiting for a worker."""
        return self.status in ACTIVE

    @property
    def has_weights(self) -> bool:
        """Whether its final weights are recorded: it is complete, and a worker had begun it."""
        return self.status in COMPLETE and self.started is not None


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
    kind: CommandKind
    arguments: Arguments
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
    """A name for people without the spaces around it.

    Raises
    ------
    SettingError
        If it has not 1 to 200 characters, or some that cannot be seen: they hide or turn around what is beside it.
    """
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise SettingError(f"a name must have 1 to 200 characters, not {len(name):,}")
    hidden = next((character for character in name if not _belongs(character)), None)
    if hidden is not None:
        raise SettingError(f"a name must not contain {quoted(hidden)}, which cannot be seen; leave it out")
    return name


_JOINERS = "\u200c\u200d\ufe0f"
"""Invisible, but letters of some languages and parts of some pictures take them."""


def _belongs(character: str) -> bool:
    """Whether a name may have this character: all that can be seen, and single spaces of any kind."""
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def pack_counts(counts: Sequence[Tensor]) -> bytes:
    """Whole numbers per hidden layer, ``[neurons]`` each, joined as uint32 bytes."""
    import numpy as np  # takes longer than a mistake on the command line may wait

    return np.concatenate([count.numpy() for count in counts]).astype(np.uint32).tobytes()


def unpack_counts(packed: bytes, hidden: Sequence[int]) -> list[NDArray]:
    """What `pack_counts` joined, int64 ``[neurons]`` per hidden layer."""
    import numpy as np

    joined = np.frombuffer(packed, dtype=np.uint32).astype(np.int64)
    return np.split(joined, np.cumsum(hidden)[:-1])


def pack_predictions(classes: Sequence[int]) -> bytes:
    """Predicted classes as uint16 bytes.

    >>> unpack_predictions(pack_predictions([3, 0, 300]))
    [3, 0, 300]
    """
    return struct.pack(f"<{len(classes)}H", *classes)


def unpack_predictions(packed: bytes) -> list[int]:
    """What `pack_predictions` packed."""
    return list(struct.unpack(f"<{len(packed) // 2}H", packed))


def unpack_spectra(packed: bytes, sizes: Sequence[int]) -> list[NDArray]:
    """Singular values per hidden layer of a network of these sizes (inputs, hidden layers, classes)."""
    import numpy as np

    lengths = [min(pair) for pair in zip(sizes[:-2], sizes[1:-1], strict=True)]
    return np.split(np.frombuffer(packed, dtype=np.float64), np.cumsum(lengths)[:-1])
