"""Recording: what training comes to, as rows of the store. What has the name of a column is not named again."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from safetensors.torch import save
from sqlalchemy import Table
from torch import Tensor

from abp.analysis.spectra import singular_values
from abp.network.evaluation import Metrics
from abp.network.masks import live_weights, pack
from abp.runs.session.recent_activity import RecentActivity
from abp.store import schema
from abp.store.records import pack_counts, pack_predictions
from abp.training.checkpoint import save_checkpoint
from abp.training.history import Epoch, Pruning
from abp.training.trainer import Trainer

PREDICTED = 24
"""Test samples whose predicted classes are recorded, to be shown."""


def epoch_row(epoch: Epoch, trainer: Trainer, seconds: float) -> dict[str, Any]:
    """A finished epoch; `seconds` of training in all."""
    return _row(
        schema.epochs,
        **_flat(epoch),
        epoch=epoch.number,
        seconds=seconds,
        samples=trainer.activity.epoch_samples,
        counts=pack_counts(trainer.activity.epoch_counts),
        predictions=_predictions(trainer),
    )


def pruning_row(pruning: Pruning, trainer: Trainer, spectra_before: bytes) -> dict[str, Any]:
    """A pruning that the trainer has just made, with the spectra (`pack_spectra`) from before it."""
    return _row(
        schema.prunings,
        **_flat(pruning),
        number=trainer.prunings,
        made_by=pruning.by,
        masks=pack(trainer.masks),
        live_weights=pack_counts(live_weights(trainer.masks)),
        spectra_before=spectra_before,
        spectra_after=pack_spectra(trainer.network.weights),
        predictions=_predictions(trainer),
    )


def frame_row(trainer: Trainer, recent: RecentActivity, *, number: int, rate: float) -> dict[str, Any]:
    """The state of training now; `rate` in samples a second."""
    activity, running = trainer.activity, trainer.running
    return {
        "number": number,
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "batches": trainer.batches,
        "rate": rate,
        "train_loss": running.loss,
        "train_accuracy": running.accuracy,
        "samples": activity.samples,
        "counts": pack_counts(activity.counts),
        "epoch_samples": activity.epoch_samples,
        "epoch_counts": pack_counts(activity.epoch_counts),
        "live_weights": pack_counts(live_weights(trainer.masks)),
        "sparsity": trainer.sparsity,
        "recent_samples": recent.samples,
        "recent_counts": recent.counts.astype(np.uint32).tobytes(),
    }


def checkpoint_row(trainer: Trainer, seconds: float) -> dict[str, Any]:
    """A checkpoint to resume the run from; `seconds` of training in all."""
    return {
        "epoch": trainer.epoch - trainer.in_progress,  # the last one that was finished
        "seconds": seconds,
        "regulariser_seconds": trainer.regulariser.seconds,
        "state": save_checkpoint(trainer),
    }


def pack_weights(trainer: Trainer) -> bytes:
    """All weights and biases as safetensors."""
    return save(trainer.network.tensors())


def pack_spectra(weights: Sequence[Tensor]) -> bytes:
    """Singular values of the hidden layers, float64, joined; of these weights the last ones are the output layer's."""
    return b"".join(singular_values(weight).tobytes() for weight in weights[:-1])


def _predictions(trainer: Trainer) -> bytes:
    """Classes that the network as it is gives the first test samples."""
    return pack_predictions(trainer.network(trainer.data.test_x[:PREDICTED]).argmax(1).tolist())


def _row(table: Table, **values: Any) -> dict[str, Any]:
    """Those of these values that the table has a column for."""
    return {column.name: values[column.name] for column in table.c if column.name in values}


def _flat(record: Epoch | Pruning) -> dict[str, Any]:
    """The fields of a record; ``valid_before`` becomes ``valid_loss_before`` and ``valid_accuracy_before``."""
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Metrics):
            split, *when = field.name.split("_")
            row |= {"_".join([split, name, *when]): getattr(value, name) for name in ("loss", "accuracy")}
        else:
            row[field.name] = value
    return row
