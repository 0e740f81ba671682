"""The data sets: pictures with labels, split into training, validation and test samples.

Settings and the command line's help name the data sets, so PyTorch and NumPy are not imported before one is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from abp.data import DataUnavailable, Progress

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["DATASETS", "DataUnavailable", "Dataset", "DatasetRecord", "Progress", "load_dataset", "load_test_set"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """One data set in memory.

    Attributes
    ----------
    name : str
        A key of `DATASETS`.
    train_x, valid_x, test_x : torch.Tensor
        float32 ``[samples, inputs]``: brightness of each pixel, 0 (black) to 1, rows one after the other.
    train_y, valid_y, test_y : torch.Tensor
        int64 ``[samples]``: index of each picture's class in `class_names`.
    image_shape : tuple of int
        Rows and columns of a picture; their product is the number of inputs.
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
    image_shape: tuple[int, int]
    class_names: tuple[str, ...]


_Samples: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"  # x [samples, inputs], y [samples]


@dataclass(frozen=True)
class DatasetRecord:
    """What is known about a data set before it is loaded.

    Attributes
    ----------
    title : str
        Its name on the screen.
    image_shape : tuple of int
        Rows and columns of a picture.
    class_names : tuple of str
        What each label means.
    train_samples, valid_samples, test_samples : int
        Size of each split.
    load : callable
        ``load(name, part, progress, download)`` returns x and y of the ``"train"`` samples, the validation samples
        first among them, or of the ``"test"`` samples. Use `load_dataset` or `load_test_set` instead.
    """

    title: str
    image_shape: tuple[int, int]
    class_names: tuple[str, ...]
    train_samples: int
    valid_samples: int
    test_samples: int
    load: Callable[[str, str, Progress, bool], _Samples]


def load_dataset(name: str, *, progress: Progress = None) -> Dataset:
    """Load a data set; the same name always gives the same bits.

    The test set is the published one; for ``digits``, which has none, 360 pictures drawn once, evenly by
    class. Of what remains the first 10 % are for validation, the rest for training.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist"}
        ``digits`` comes with scikit-learn. The others are read from ``ABP_DATA_DIR``, or downloaded once.
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
    record = _record(name)
    train_x, train_y = record.load(name, "train", progress, True)
    test_x, test_y = record.load(name, "test", progress, True)
    valid = len(train_x) // 10
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
    return _record(name).load(name, "test", None, download)


def _record(name: str) -> DatasetRecord:
    if name not in DATASETS:
        raise ValueError(f"There is no data set {name!r}. Choose one of: {', '.join(DATASETS)}.")
    return DATASETS[name]


def _load_digits(name: str, part: str, progress: Progress, download: bool) -> _Samples:
    # Imported here: scikit-learn costs a second and 100 MB that the other data sets need not pay.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)  # [1797, 64] in 0..16, [1797]
    train_x, test_x, train_y, test_y = train_test_split(pixels, labels, test_size=360, stratify=labels, random_state=0)
    x, y = (train_x, train_y) if part == "train" else (test_x, test_y)
    return _inputs(x, 16), _labels(y)


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

DATASETS: dict[str, DatasetRecord] = {
    "digits": DatasetRecord("Handwritten digits (8 × 8)", (8, 8), _NUMERALS, 1_294, 143, 360, _load_digits),
    "mnist": DatasetRecord("MNIST", (28, 28), _NUMERALS, 54_000, 6_000, 10_000, _load_idx),
    "fashion-mnist": DatasetRecord("Fashion-MNIST", (28, 28), _CLOTHES, 54_000, 6_000, 10_000, _load_idx),
}
