"""NumPy's ``.npz`` files: arrays ``x`` and ``y``, or ``x_train``, ``y_train``, ``x_test``, ``y_test``; no pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from abp.data.own.archive import opened
from abp.data.own.limits import BadData, check_inputs, check_samples
from abp.data.own.samples import Options, Samples
from abp.data.own.tables import as_pixels, check_column, label_texts


def read_npz(path: Path, options: Options) -> Samples:
    """Samples of an ``.npz`` file.

    Raises
    ------
    BadData
        If it is damaged, too large, holds Python objects, or has no arrays of these names.
    """
    with opened(path):
        pass  # its table of contents is checked: an .npz is a zip
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        if "pickle" in str(error).lower():
            raise BadData(
                f"{path.name} holds Python objects, which could run programs and are never loaded. Save x and y as "
                "arrays of numbers and labels as whole numbers or text."
            ) from None
        raise BadData(f"{path.name} cannot be read as .npz: {error}.") from None
    return array_samples(arrays, path.name)


def array_samples(arrays: Mapping[str, NDArray], where: str) -> Samples:
    """Samples of named arrays: ``x`` and ``y``, or those of the parts; ``class_names`` may name the labels."""
    pairs = {"": ("x", "y")} if {"x", "y"} <= arrays.keys() else {}
    for part in ("train", "valid", "test"):
        for names in ((f"x_{part}", f"y_{part}"), (f"{part}_x", f"{part}_y")):
            if not pairs.get("") and set(names) <= arrays.keys():
                pairs[part] = names
    if not pairs:
        found = ", ".join(arrays) or "none"
        raise BadData(f"{where} has no arrays x and y, nor x_train and y_train; it has {found}.")
    x = _joined([arrays[names[0]] for names in pairs.values()], where)
    y = _joined([arrays[names[1]] for names in pairs.values()], where)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(x) != len(y):
        raise BadData(
            f"{where} needs one label a sample: x has the shape {list(x.shape)}, y the shape {list(y.shape)}."
        )
    lengths = [len(arrays[names[0]]) for names in pairs.values()]
    return Samples(
        inputs_of(x, where),
        label_texts(pd.Series(y), "array y"),
        np.repeat(list(pairs), lengths),
        class_names=_class_names(arrays.get("class_names"), y),
    )


def _joined(arrays: list[NDArray], where: str) -> NDArray:
    if len({each.shape[1:] for each in arrays}) > 1:
        raise BadData(f"The arrays of {where} have samples of different shapes.")
    return np.concatenate(arrays)


def inputs_of(x: NDArray, where: str) -> NDArray | pd.DataFrame:
    """Pictures of an array with three or more dimensions, a table of one with two."""
    check_samples(len(x))
    check_inputs(int(np.prod(x.shape[1:])), len(x))
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool) or np.issubdtype(x.dtype, np.complexfloating):
        raise BadData(f"{where}: x must hold numbers, not {x.dtype}.")
    if x.ndim == 2:
        frame = pd.DataFrame(x, columns=[f"input {place + 1}" for place in range(x.shape[1])])
        for name in frame.columns:
            check_column(frame[name], name)
        return frame
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim == 3 or (x.ndim == 4 and x.shape[3] == 3):
        return as_pixels(x)
    raise BadData(
        f"{where}: x must be [samples, columns], [samples, rows, columns] or [samples, rows, columns, 3], not "
        f"{list(x.shape)}."
    )


def _class_names(names: NDArray | None, y: NDArray) -> tuple[str, ...]:
    """Names of labels 0, 1, ..., where the file gives them."""
    if names is None or not np.issubdtype(y.dtype, np.integer):
        return ()
    if names.ndim != 1 or int(y.min()) < 0 or int(y.max()) >= len(names):
        raise BadData(f"class_names has {len(names)} names, but labels go from {y.min()} to {y.max()}.")
    return tuple(str(name) for name in names)
