"""Preparation: samples as they were found become what a network trains on, by scikit-learn's transformers."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from abp.data.datasets import Column
from abp.data.own.archive import natural
from abp.data.own.content import OwnData
from abp.data.own.limits import CLASSES, LEAST_OF_A_CLASS, BadData, check_inputs, check_samples
from abp.data.own.pictures import ink_of
from abp.data.own.samples import Options, Samples
from abp.data.own.splits import split

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def checked_name(name: str) -> str:
    """A name that links and command lines can hold, or BadData."""
    if not NAME.fullmatch(name):
        raise BadData(
            f"A data set's name has 1 to 40 small letters, digits and hyphens, such as my-shapes, not {name!r}."
        )
    return name


def prepare(name: str, samples: Samples, options: Options, source: str) -> OwnData:
    """Check, split and scale samples.

    Parameters
    ----------
    name
        Of the data set.
    source
        Where they come from, for people.

    Raises
    ------
    BadData
        If the name or the samples cannot be used; the message says why.
    """
    checked_name(name)
    check_samples(len(samples.labels))
    names, y = _classes(samples)
    parts = split(y, samples.parts, options.seed)
    if lacking := set(range(len(names))) - set(y[parts["train"]].tolist()):
        raise BadData(f"The class {names[min(lacking)]!r} has no samples in the training part.")
    order = np.concatenate([parts["valid"], parts["train"], parts["test"]])
    if isinstance(samples.x, pd.DataFrame):
        x, columns = _scaled(samples.x, parts["train"])
        shape: tuple[int, ...] | None = None
    else:
        x, columns = samples.x.reshape(len(samples.x), -1), ()
        shape = tuple(samples.x.shape[1:])
    check_inputs(x.shape[1], len(x))
    x = np.ascontiguousarray(x[order])
    lengths = {part: len(parts[part]) for part in ("train", "valid", "test")}
    return OwnData(
        name=name,
        x=x,
        y=y[order].astype(np.int32),
        samples=lengths,
        image_shape=shape,
        class_names=names,
        columns=columns,
        private=options.private,
        notes={
            "source": source,
            "seed": options.seed,
            "given": sorted({str(part) for part in samples.parts if part}),
            "refused": list(samples.refused[:100]),
            "refused_in_all": len(samples.refused),
            "duplicates": _duplicates(x, lengths),
            "counts": [int(count) for count in np.bincount(y, minlength=len(names))],
            "pictures": {"size": samples.size, "colour": samples.colour, "invert": samples.invert},
            "ink": None if shape is None or len(shape) != 2 else ink_of(x[:1000].reshape(-1, *shape)),
        },
    )


def _classes(samples: Samples) -> tuple[tuple[str, ...], NDArray]:
    """Names of the classes in their natural order, and each sample's index among them."""
    counts = Counter(samples.labels.tolist())
    low, high = CLASSES
    if len(counts) < low:
        raise BadData(
            f"All samples are of one class, {next(iter(counts))!r}; a network needs at least two to tell apart."
        )
    if len(counts) > high:
        raise BadData(f"There are {len(counts):,} classes; at most {high:,} are allowed. Is this the column of labels?")
    rarest, number = min(counts.items(), key=lambda item: item[1])
    if number < LEAST_OF_A_CLASS:
        raise BadData(
            f"The class {rarest!r} has {number} sample{'s' * (number > 1)}; each class needs at least "
            f"{LEAST_OF_A_CLASS}. Add some, or leave out the class."
        )
    keys = sorted(counts, key=natural)
    places = {key: place for place, key in enumerate(keys)}
    names = tuple(samples.class_names[int(key)] if samples.class_names else key for key in keys)
    return names, np.array([places[label] for label in samples.labels.tolist()])


def _scaled(frame: pd.DataFrame, train: NDArray) -> tuple[NDArray, tuple[Column, ...]]:
    """Numbers standardised and words one-hot, both as the training part says: float32 ``[samples, inputs]``."""
    blocks, columns = [], []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(dtype=np.float64)[:, None]
            scaler = StandardScaler().fit(numbers[train])
            blocks.append(scaler.transform(numbers))
            spread = float(scaler.scale_[0])
            columns.append(Column(name, float(scaler.mean_[0]), spread, float(numbers.min()), float(numbers.max())))
        else:
            words = values.astype(str).to_numpy(dtype=object)[:, None]
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words[train])
            blocks.append(encoder.transform(words))
            columns += [Column(f"{name}: {word}", group=name) for word in encoder.categories_[0]]
    return np.concatenate(blocks, axis=1).astype(np.float32), tuple(columns)


def _duplicates(x: NDArray, lengths: dict[str, int]) -> int:
    """How many test and validation samples are also training samples, to the last bit."""
    rows = [row.tobytes() for row in x]
    train = set(rows[lengths["valid"] : lengths["valid"] + lengths["train"]])
    return sum(row in train for row in (*rows[: lengths["valid"]], *rows[lengths["valid"] + lengths["train"] :]))
