"""Registering arrays as a data set from Python, without a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from abp.data.datasets import DATASETS, Dataset, load_dataset
from abp.data.own.arrays import array_samples
from abp.data.own.content import OwnData, record_of
from abp.data.own.limits import BadData
from abp.data.own.preparation import checked_name, prepare
from abp.data.own.samples import Options, Samples
from abp.data.own.tables import check_column, label_texts

__all__ = ["register", "register_dataset"]


def register_dataset(
    name: str,
    x: Any,
    y: Any,
    *,
    valid: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    seed: int = 0,
    private: bool = False,
) -> Dataset:
    """Make arrays a data set that experiments can name.

    It lasts as long as the process. A run that is recorded takes it along into the store, under its name and the hash
    of its content, so that every worker and every page has it.

    Parameters
    ----------
    name
        1 to 40 small letters, digits and hyphens. A later data set of the same name is another one.
    x
        Pictures, ``[samples, rows, columns]`` or ``[samples, rows, columns, 3]``, bytes or numbers from 0 to 1; or a
        table, ``[samples, columns]`` or a pandas frame: numbers are standardised on the training part, columns of
        words become one input a word.
    y
        Labels, whole numbers or text ``[samples]``.
    valid, test
        Samples and labels of these parts, where they are given; otherwise they are drawn, evenly by class.
    seed
        Draws them.
    private
        Whether the samples are shown to the operator alone, and never exported.

    Raises
    ------
    abp.data.own.limits.BadData
        If they cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> data = register_dataset("iris", *load_iris(return_X_y=True, as_frame=True))
    >>> data.train_x.shape, data.class_names
    (torch.Size([108, 4]), ('0', '1', '2'))
    """
    checked_name(name)
    if name in DATASETS.built_in:
        raise BadData(f"{name!r} is the name of a built-in data set. Choose another one.")
    pairs = {"train": (x, y), "valid": valid, "test": test}
    given = {part: pair for part, pair in pairs.items() if pair is not None}
    if isinstance(x, pd.DataFrame):
        samples = _of_frames(given)
    else:
        arrays: dict[str, Any] = {}
        for part, (part_x, part_y) in given.items():
            arrays |= {f"x_{part}": np.asarray(part_x), f"y_{part}": np.asarray(part_y)}
        samples = array_samples(arrays, name)
    if len(given) == 1:
        samples = Samples(samples.x, samples.labels, np.full(len(samples.labels), ""))
    own = prepare(name, samples, Options(seed=seed, private=private), "registered from Python")
    register(own)
    return load_dataset(own.key)


def register(own: OwnData) -> None:
    """Have a prepared data set for as long as this process lasts."""
    DATASETS.register(own.key, own, record_of(own.name, own.description, own.private, lambda: own.packed))


def _of_frames(given: dict[str, tuple[Any, Any]]) -> Samples:
    frames = [pd.DataFrame(x).rename(columns=str) for x, _ in given.values()]
    if any(list(frame.columns) != list(frames[0].columns) for frame in frames):
        raise BadData("The frames of the parts have different columns.")
    if any(len(frame) != len(y) for frame, (_, y) in zip(frames, given.values(), strict=True)):
        raise BadData("x and y must be equally long.")
    x = pd.concat(frames, ignore_index=True)
    for column in x.columns:
        check_column(x[column], column)
    labels = pd.concat([pd.Series(np.asarray(y)) for _, y in given.values()], ignore_index=True)
    return Samples(x, label_texts(labels, "y"), np.repeat(list(given), [len(frame) for frame in frames]))
