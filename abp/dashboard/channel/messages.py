"""What the live channel tells a browser: JSON for what has happened, bytes for what moves.

Everything is taken from the store's records, so a viewer is told what was recorded and nothing else. The messages are
described in ``docs/live-channel.md``.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from abp.dashboard.frame.status import STATUS, sentence
from abp.store.records import Command, Frame, Run
from abp.store.store import Store

Message = str | bytes

EPOCH_COLUMNS = (
    "epoch",
    "train_accuracy",
    "valid_accuracy",
    "test_accuracy",
    "train_loss",
    "valid_loss",
    "test_loss",
    "sparsity",
    "seconds",
)

_PRUNING_COLUMNS = (
    "number",
    "epoch",
    "batch",
    "criterion",
    "made_by",
    "requested",
    "achieved",
    "sparsity",
    "weights_removed",
    "neurons_removed",
    "train_accuracy",
    "valid_accuracy_before",
    "valid_accuracy_after",
    "test_accuracy_before",
    "test_accuracy_after",
)

_FRAME_HEADER = struct.Struct("<BBHIdIIIffffIIId")
"""Kind, version, bytes of the header, number, time, epoch, batch, batches, rate, loss, accuracy, sparsity, samples."""

_FRAME = 1
_VERSION = 1


def frame_bytes(frame: Frame) -> bytes:
    """A frame as 64 bytes of header and four blocks of uint32 ``[neurons]`` of all hidden layers joined.

    The blocks are the activations among the newest samples, of this epoch and since the start, and the incoming weights
    that each neuron has left.
    """
    header = _FRAME_HEADER.pack(
        _FRAME,
        _VERSION,
        _FRAME_HEADER.size,
        frame.number,
        frame.made,
        frame.epoch,
        frame.batch,
        frame.batches,
        frame.rate,
        frame.train_loss,
        frame.train_accuracy,
        frame.sparsity,
        frame.recent_samples,
        frame.epoch_samples,
        0,
        frame.samples,
    )
    blocks = (frame.recent_counts, frame.epoch_counts, frame.counts, frame.live_weights)
    return header + b"".join(np.concatenate(block).astype("<u4").tobytes() for block in blocks)


def history(store: Store, run: Run, batches: int) -> dict[str, Any]:
    """All that a viewer who joins has to know.

    Parameters
    ----------
    batches
        In an epoch: prunings are placed by their batch.
    """
    settings = run.experiment
    epochs, prunings = store.histories.epochs(run.id), store.histories.prunings(run.id)
    command = store.commands.newest(run.id)
    return {
        "type": "history",
        "run": status(run, command),
        "hidden": list(settings.hidden),
        "inputs": settings.sizes[0],
        "classes": settings.sizes[-1],
        "epochs_at_most": settings.epochs,
        "batches": batches,
        "epochs": {name: epochs[name].tolist() for name in EPOCH_COLUMNS},
        "prunings": [pruning(row, batches) for row in rows(prunings)],
        "answer": None if command is None else answer(command),
        "start_sparsity": 0.0 if run.parent is None else _start_sparsity(store, run),
    }


# Imported where they are needed: PyTorch takes a second, and a run's first viewer would wait for it.


def _start_sparsity(store: Store, run: Run) -> float:
    from abp.network.masks import sparsity
    from abp.store.snapshots import recorded_masks

    return sparsity(recorded_masks(store, run, 0))


def _title(criterion: str) -> str:
    from abp.pruning.criteria import CRITERIA

    return CRITERIA[criterion].title if criterion in CRITERIA else criterion


def status(run: Run, command: Command | None) -> dict[str, Any]:
    """How a run stands, after the newest `command`."""
    return {
        "type": "status",
        "id": run.id,
        "name": run.name,
        "status": str(run.status),
        "word": STATUS[run.status][0],
        "message": run.message,
        "pace": run.pace,
        "epoch": run.epoch,
        "prunings": run.prunings,
        "scheduled_left": run.scheduled_left,
        "stopped_by": run.stopped_by,
        "pruned_by_hand": run.pruned_by_hand,
        "seconds": run.seconds,
        "sparsity": run.sparsity,
        "sentence": sentence(run, command),
        "has_film": not run.active and run.epoch > 1,
    }


def epoch(row: Mapping[str, Any]) -> dict[str, Any]:
    """A finished epoch."""
    return {"type": "epoch", **{name: row[name] for name in EPOCH_COLUMNS}}


def pruning(row: Mapping[str, Any], batches: int) -> dict[str, Any]:
    """A pruning that was made; its `place` is how far the run was, in epochs."""
    found = {name: row[name] for name in _PRUNING_COLUMNS}
    place = row["epoch"] - 1 + row["batch"] / batches
    return {"type": "pruning", **found, "title": _title(row["criterion"]), "place": place}


def answer(command: Command) -> dict[str, Any]:
    """What came of a command; its outcome is null until a worker has seen to it."""
    return {"type": "answer", "command": command.id, "kind": str(command.kind), "outcome": command.outcome}


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain Python values, for JSON."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def encoded(message: Mapping[str, Any]) -> str:
    """A message as JSON text; numbers that are not finite, which JSON does not know, become null."""
    return json.dumps(_finite(message), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
