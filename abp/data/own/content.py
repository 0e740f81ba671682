"""A data set of somebody's own as one value: its samples, what they mean, and the hash that names both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from abp.data.datasets import Column, DatasetRecord

_HASHED = ("image_shape", "class_names", "columns", "samples")


@dataclass(frozen=True, eq=False)
class OwnData:
    """Prepared samples.

    Attributes
    ----------
    x
        uint8 brightness or float32 ``[samples, inputs]``: the validation samples, those for training, and the test
        samples.
    y
        int32 ``[samples]``, indices of classes.
    samples
        How many are in each part.
    image_shape
        Rows and columns of a picture, and 3 where it has colours; None of a table.
    columns
        What each input of a table is.
    notes
        Where it came from and what was found, for people.
    """

    name: str
    x: NDArray
    y: NDArray
    samples: dict[str, int]
    image_shape: tuple[int, ...] | None
    class_names: tuple[str, ...]
    columns: tuple[Column, ...]
    private: bool
    notes: dict[str, Any]

    @property
    def description(self) -> dict[str, Any]:
        """All but the samples, for JSON."""
        return {
            "samples": self.samples,
            "image_shape": self.image_shape,
            "class_names": self.class_names,
            "columns": [list(asdict(column).values()) for column in self.columns],
            "notes": self.notes,
        }

    @cached_property
    def packed(self) -> bytes:
        """The samples as safetensors."""
        return save({"x": self.x, "y": self.y})

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the samples, their labels and what both mean."""
        return hash_of(self.description, self.packed)

    @property
    def key(self) -> str:
        """What runs name it by."""
        return f"{self.name}@{self.hash[:12]}"


def hash_of(description: Mapping[str, Any], packed: bytes) -> str:
    """SHA-256 of samples and of the part of a description that says what they mean."""
    meaning = json.dumps([description[name] for name in _HASHED], sort_keys=True)
    return hashlib.sha256(meaning.encode() + packed).hexdigest()


def record_of(name: str, description: Mapping[str, Any], private: bool, packed: Any) -> DatasetRecord:
    """The record of a data set; ``packed()`` returns its samples when they are first asked for."""
    shape, counts = description["image_shape"], description["samples"]
    columns = tuple(Column(*values) for values in description["columns"])
    return DatasetRecord(
        title=name,
        image_shape=None if shape is None else tuple(shape),
        class_names=tuple(description["class_names"]),
        train_samples=counts["train"],
        valid_samples=counts["valid"],
        test_samples=counts["test"],
        load=partial(_load, counts, packed),
        table_inputs=len(columns),
        describe=lambda: columns,
        private=private,
        notes=description["notes"],
    )


def own_data(name: str, description: Mapping[str, Any], private: bool, packed: bytes) -> OwnData:
    """The value of which these are the description and the samples."""
    x, y = unpack(packed)
    shape = description["image_shape"]
    return OwnData(
        name=name,
        x=x,
        y=y,
        samples=dict(description["samples"]),
        image_shape=None if shape is None else tuple(shape),
        class_names=tuple(description["class_names"]),
        columns=tuple(Column(*values) for values in description["columns"]),
        private=private,
        notes=dict(description["notes"]),
    )


def unpack(packed: bytes) -> tuple[NDArray, NDArray]:
    """The samples and their labels, of `OwnData.packed`."""
    tensors = load(packed)
    return tensors["x"], tensors["y"]


def _load(counts: Mapping[str, int], packed: Any, name: str, part: str, progress: Any, download: bool) -> Any:
    import torch

    x, y = unpack(packed())
    first = counts["valid"] + counts["train"]
    x, y = (x[:first], y[:first]) if part == "train" else (x[first:], y[first:])
    numbers = np.divide(x, 255, dtype=np.float32) if x.dtype == np.uint8 else x.copy()
    return torch.from_numpy(numbers), torch.from_numpy(y.astype(np.int64))
