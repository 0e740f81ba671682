"""The film of a run: how every neuron fired after each epoch and each pruning, for a browser to play."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abp.network.masks import live_weights
from abp.store.records import Run, unpack_counts
from abp.store.snapshots import recorded_masks
from abp.store.store import Store

MOST_MOMENTS = 400
"""Epochs of a film; of a longer run some are left out, evenly."""

_FULL = 65_535  # what a share of 1 is sent as


def film(store: Store, run: Run) -> bytes:
    """The whole film.

    Returns
    -------
    bytes
        uint32 length of a JSON object, the object (``hidden``, and ``moments`` in order), filled up with spaces to a
        multiple of four; then for each moment uint16 ``[neurons]`` shares of that epoch's samples and shares since the
        start, times 65,535, and uint32 ``[neurons]`` incoming weights left, each filled up to a multiple of four.
    """
    hidden = run.experiment.hidden
    moments, blocks = _moments(store, run)
    head = json.dumps({"hidden": list(hidden), "moments": moments}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    return b"".join([struct.pack("<I", len(head)), head, *blocks])


def _moments(store: Store, run: Run) -> tuple[list[dict[str, Any]], list[bytes]]:
    """What stands in the head about each moment, and its blocks."""
    hidden = run.experiment.hidden
    epochs = {row["epoch"]: row for row in store.histories.epochs(run.id).to_dict("records")}
    cuts = _prunings_by_epoch(store, run)
    live = np.concatenate(live_weights(recorded_masks(store, run, 0)))
    chosen = _thinned(sorted(epochs), {*cuts})
    total = np.zeros(sum(hidden), dtype=np.int64)
    seen = 0
    moments: list[dict[str, Any]] = []
    blocks: list[bytes] = []
    for epoch, samples, packed in store.histories.epoch_counts(run.id):
        counts = np.concatenate(unpack_counts(packed, hidden))
        total, seen = total + counts, seen + samples
        row = epochs[epoch]
        here = {"epoch": epoch, "samples": samples, "train_accuracy": row["train_accuracy"]}
        shares = _shares(counts, samples), _shares(total, seen)
        if epoch in chosen:
            here |= {"pruning": None, "sparsity": row["sparsity"], "valid_accuracy": row["valid_accuracy"]}
            moments.append(here)
            blocks += [*shares, _padded(live.astype("<u4"))]
        for number, sparsity, accuracy, left in cuts.get(epoch, ()):
            live = left
            moments.append(here | {"pruning": number, "sparsity": sparsity, "valid_accuracy": accuracy})
            blocks += [*shares, _padded(live.astype("<u4"))]
    return moments, blocks


def _prunings_by_epoch(store: Store, run: Run) -> dict[int, list[tuple[int, float, float, NDArray]]]:
    """Number, sparsity and validation accuracy afterwards, and incoming weights left, of the prunings of each epoch."""
    found: dict[int, list[tuple[int, float, float, NDArray]]] = {}
    rows = store.histories.prunings(run.id).to_dict("records")
    for row, (_, live) in zip(rows, store.histories.live_weights(run.id, run.experiment.hidden), strict=True):
        cut = row["number"], row["sparsity"], row["valid_accuracy_after"], np.concatenate(live)
        found.setdefault(row["epoch"], []).append(cut)
    return found


def _thinned(epochs: Sequence[int], kept: set[int]) -> set[int]:
    """At most so many epochs as a film has, the first and the last among them, and those with a pruning besides."""
    if len(epochs) <= MOST_MOMENTS:
        return set(epochs)
    places = np.linspace(0, len(epochs) - 1, MOST_MOMENTS).round().astype(int)
    return {epochs[place] for place in places} | (kept & set(epochs))


def _shares(counts: NDArray, samples: int) -> bytes:
    return _padded(np.rint(counts * (_FULL / max(samples, 1))).astype("<u2"))


def _padded(values: NDArray) -> bytes:
    data = values.tobytes()
    return data + b"\0" * (-len(data) % 4)
