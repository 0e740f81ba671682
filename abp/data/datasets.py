"""The data sets: labelled pictures and tables, split into training, validation and test samples.

Settings and the command line's help name the data sets, so PyTorch and NumPy are not imported before one is loaded.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from abp.data import DataUnavailable, Progress
from abp.data.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "DATASETS",
    "Column",
    "DataUnavailable",
    "Dataset",
    "DatasetRecord",
    "Progress",
    "load_dataset",
    "load_test_set",
]


@dataclass(frozen=True)
class Column:
    """What one input of a table is.

    Attributes
    ----------
    name
        Of the column; of one of several inputs for a column of words, ``"column: word"``.
    mean, scale
        The input is (value - mean) / scale, so that it has mean 0 and standard deviation 1 in the training part.
    low, high
        The smallest and the largest value that occur.
    group
        The column of words to which the input belongs: 1 where it holds this word, otherwise 0.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 1.0
    group: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One data set in memory.

    Attributes
    ----------
    name : str
        A key of `DATASETS`.
    train_x, valid_x, test_x : torch.Tensor
        float32 ``[samples, inputs]``: brightness of each pixel, 0 (black) to 1, rows one after the other; of a table,
        its standardised columns.
    train_y, valid_y, test_y : torch.Tensor
        int64 ``[samples]``: index of each picture's class in `class_names`.
    image_shape : tuple of int or None
        Rows and columns of a picture, and 3 where it has colours; their product is the number of inputs. None of a
        table.
    class_names : tuple of str
        What each label means.
    """

    name: str
    train_x: torch.Tensor
    train_y: torch.Tensor
    valid_x: torch.Tensor
    valid_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor
    image_shape: tuple[int, ...] | None
    class_names: tuple[str, ...]


_Samples: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"  # x [samples, inputs], y [samples]


@dataclass(frozen=True)
class DatasetRecord:
    """What is known about a data set before it is loaded.

    Attributes
    ----------
    title : str
        Its name on the screen.
    image_shape : tuple of int or None
        As in `Dataset`.
    class_names : tuple of str
        What each label means.
    train_samples, valid_samples, test_samples : int
        Size of each split.
    load : callable
        ``load(name, part, progress, download)`` returns x and y of the ``"train"`` samples, the validation samples
        first among them, or of the ``"test"`` samples. Use `load_dataset` or `load_test_set` instead.
    table_inputs : int
        Number of inputs of a table.
    describe : callable
        Returns the `Column` of each input of a table.
    private : bool
        Whether its samples are for the operator alone.
    notes : mapping
        Of people's own data: where it came from and how it was prepared (`abp.data.own.preparation`).
    """

    title: str
    image_shape: tuple[int, ...] | None
    class_names: tuple[str, ...]
    train_samples: int
    valid_samples: int
    test_samples: int
    load: Callable[[str, str, Progress, bool], _Samples]
    table_inputs: int = 0
    describe: Callable[[], tuple[Column, ...]] = tuple
    private: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """Numbers in a sample."""
        return self.table_inputs if self.image_shape is None else math.prod(self.image_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: a picture's, or the number of a table's columns."""
        return (self.table_inputs,) if self.image_shape is None else self.image_shape

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        rows, columns, *_ = self.shape
        return rows, columns

    @property
    def is_table(self) -> bool:
        """Whether samples are rows of a table rather than pictures."""
        return self.image_shape is None

    @property
    def sample_word(self) -> str:
        """What one sample is called."""
        return "row" if self.is_table else "picture"


def load_dataset(name: str, *, progress: Progress = None) -> Dataset:
    """Load a data set; the same name always gives the same bits.

    The test set is the published one; for ``digits``, which has none, 360 pictures drawn once, evenly by
    class. Of what remains the first 10 % are for validation, the rest for training.

    Parameters
    ----------
    name : str
        A key of `DATASETS`, or the name of data that were registered or added. ``digits``, ``breast-cancer`` and
        ``wine`` come with scikit-learn; ``mnist`` and ``fashion-mnist`` are read from ``ABP_DATA_DIR``, or downloaded
        once.
    progress : callable, True or None
        Called during a download as ``progress(file name, bytes so far, bytes in all)``; True draws a bar on a
        terminal.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    DataUnavailable
        If its files cannot be had or are damaged.
    abp.home.HomeUnusable
        If it must be downloaded and the home folder cannot be used.

    Examples
    --------
    >>> load_dataset("digits").train_x.shape
    torch.Size([1294, 64])
    """
    name = DATASETS.resolve(name)
    record = _record(name)
    train_x, train_y = record.load(name, "train", progress, True)
    test_x, test_y = record.load(name, "test", progress, True)
    valid = len(train_x) * record.valid_samples // (record.train_samples + record.valid_samples)
    return Dataset(
        name=name,
        train_x=train_x[valid:],  # views of one tensor: a copy would double the memory
        train_y=train_y[valid:],
        valid_x=train_x[:valid],
        valid_y=train_y[:valid],
        test_x=test_x,
        test_y=test_y,
        image_shape=record.image_shape,
        class_names=record.class_names,
    )


def load_test_set(name: str, *, download: bool = True) -> _Samples:
    """The test samples alone, x and y as in `Dataset`: all that is needed to examine a trained network.

    Raises what `load_dataset` raises, and DataUnavailable where they would have to be downloaded but must not.

    >>> x, y = load_test_set("digits")
    >>> x.shape, y.shape
    (torch.Size([360, 64]), torch.Size([360]))
    """
    name = DATASETS.resolve(name)
    return _record(name).load(name, "test", None, download)


def _record(name: str) -> DatasetRecord:
    if name not in DATASETS:
        raise ValueError(f"There is no data set {name!r}. Choose one of: {', '.join(DATASETS)}.")
    return DATASETS[name]


def _load_digits(name: str, part: str, progress: Progress, download: bool) -> _Samples:
    # Read straight from scikit-learn's file, in the order that its `train_test_split` once drew (`test_size=360`,
    # stratified, `random_state=0`): importing it costs a second and 100 MB.
    import numpy as np

    package = find_spec("sklearn")
    file = Path(package.submodule_search_locations[0] if package and package.submodule_search_locations else "")
    try:
        with gzip.open(file / "datasets" / "data" / "digits.csv.gz") as table:
            rows = np.loadtxt(table, delimiter=",")  # [1797, 65]: pixels in 0..16, and the label
    except OSError as error:
        raise DataUnavailable(f"The digits that come with scikit-learn cannot be read: {error}. Install it.") from error
    order = np.load(Path(__file__).with_name("digits_order.npy"))
    rows = rows[order[:-_DIGITS_TEST] if part == "train" else order[-_DIGITS_TEST:]]
    return _inputs(rows[:, :-1], 16), _labels(rows[:, -1])


def _load_idx(name: str, part: str, progress: Progress, download: bool) -> _Samples:
    from abp.data.download import obtain

    def array(kind: str, dimensions: int) -> np.ndarray:
        file = f"{'train' if part == 'train' else 't10k'}-{kind}-idx{dimensions}-ubyte"
        return obtain(name, file, dimensions=dimensions, progress=progress, download=download)

    pictures = array("images", 3)  # [samples, rows, columns] in 0..255
    return _inputs(pictures.reshape(len(pictures), -1), 255), _labels(array("labels", 1))


def _inputs(pixels: np.ndarray, brightest: int) -> torch.Tensor:
    import numpy as np
    import torch

    # Divided straight into float32: NumPy's own choice, float64, would take 376 MB for MNIST.
    return torch.from_numpy(np.divide(pixels, brightest, dtype=np.float32))


def _labels(labels: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(labels.astype("int64"))


_DIGITS_TEST = 360
_NUMERALS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def _table(
    title: str, name: str, classes: tuple[str, ...], samples: tuple[int, int, int], inputs: int
) -> DatasetRecord:
    """A table that comes with scikit-learn, prepared as people's own are."""

    def load(key: str, part: str, progress: Progress, download: bool) -> _Samples:
        return _scikit_table(name, classes).load(key, part, progress, download)

    def describe() -> tuple[Column, ...]:
        return _scikit_table(name, classes).describe()

    return DatasetRecord(title, None, classes, *samples, load, inputs, describe)


@cache
def _scikit_table(name: str, classes: tuple[str, ...]) -> DatasetRecord:
    import numpy as np
    from sklearn import datasets

    from abp.data.own.content import record_of
    from abp.data.own.preparation import prepare
    from abp.data.own.samples import Options, Samples

    found = getattr(datasets, f"load_{name}")(as_frame=True)
    samples = Samples(
        found.data, found.target.astype(str).to_numpy(), np.full(len(found.data), ""), class_names=classes
    )
    own = prepare(name.replace("_", "-"), samples, Options(), "scikit-learn")
    return record_of(own.name, own.description, False, lambda: own.packed)


DATASETS: Registry[DatasetRecord] = Registry(
    {
        "digits": DatasetRecord(
            "Handwritten digits (8 × 8)", (8, 8), _NUMERALS, 1_294, 143, _DIGITS_TEST, _load_digits
        ),
        "mnist": DatasetRecord("MNIST", (28, 28), _NUMERALS, 54_000, 6_000, 10_000, _load_idx),
        "fashion-mnist": DatasetRecord("Fashion-MNIST", (28, 28), _CLOTHES, 54_000, 6_000, 10_000, _load_idx),
        "breast-cancer": _table(
            "Breast cancer (30 measurements)", "breast_cancer", ("malignant", "benign"), (409, 46, 114), 30
        ),
        "wine": _table("Wine (13 measurements)", "wine", ("cultivar 1", "cultivar 2", "cultivar 3"), (128, 14, 36), 13),
    }
)
