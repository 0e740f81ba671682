"""Checkpoints: everything a trainer needs to go on with the same bits, as safetensors bytes after their checksum."""

import json
import zlib

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from abp.training.experiment import Experiment
from abp.training.trainer import Trainer

_STATE = "state"  # the name of the tensor that holds the plain values, as JSON in bytes


_CHECKSUM = 4  # bytes


class CheckpointDamaged(ValueError):
    """The bytes are no checkpoint of this experiment."""


def save_checkpoint(trainer: Trainer) -> bytes:
    """The trainer's state: weights, masks, counts, optimiser, schedule and place in the epoch.

    The generators need no saving: they follow from the seed, the epoch and the number of prunings.
    """
    tensors = dict(trainer.network.tensors())
    for index, mask in enumerate(trainer.masks):
        tensors[f"mask.{index}"] = mask
        tensors[f"count.{index}"] = trainer.activity.counts[index]
        tensors[f"epoch_count.{index}"] = trainer.activity.epoch_counts[index]
    for parameter, values in trainer.optimiser_state().items():
        for name, value in values.items():
            tensors[f"optimiser.{parameter}.{name}"] = value
    stopping = trainer.schedule.early_stopping
    state = {
        "settings": trainer.experiment.to_json(),
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "prunings": trainer.prunings,
        "stopped_by": trainer.stopped_by,
        "due": trainer.due,
        "anew": trainer.anew,
        "regularising": trainer.regularising,
        "loss_sum": trainer.loss_sum,
        "correct": trainer.correct,
        "samples": trainer.activity.samples,
        "epoch_samples": trainer.activity.epoch_samples,
        "scheduled": trainer.schedule.done,
        "fine_tuned": trainer.schedule.fine_tuned,
        "stopping": {"lowest": stopping.lowest, "last": stopping.last, "ticks": stopping.ticks},
    }
    tensors[_STATE] = torch.frombuffer(bytearray(json.dumps(state).encode()), dtype=torch.uint8)
    saved = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return _checksum(saved) + saved


def restore_checkpoint(trainer: Trainer, checkpoint: bytes) -> None:
    """Bring a new trainer of the same experiment to the state that `save_checkpoint` found.

    Raises
    ------
    CheckpointDamaged
        If the bytes are damaged or of another experiment; the trainer is as it was then.
    """
    saved = checkpoint[_CHECKSUM:]
    if checkpoint[:_CHECKSUM] != _checksum(saved):
        raise CheckpointDamaged("the checkpoint cannot be read (its checksum is wrong)")
    try:
        tensors = load(saved)
        state = json.loads(bytes(tensors.pop(_STATE).tolist()))
        experiment = Experiment.from_json(state["settings"])  # of an older program: new settings have their defaults
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointDamaged(f"the checkpoint cannot be read ({error})") from error
    if experiment != trainer.experiment:
        raise CheckpointDamaged("the checkpoint is of another experiment")
    _restore(trainer, tensors, state)


def _checksum(saved: bytes) -> bytes:
    return zlib.crc32(saved).to_bytes(_CHECKSUM, "little")


def _restore(trainer: Trainer, tensors: dict[str, Tensor], state: dict) -> None:
    layers = range(len(trainer.masks))
    trainer.network.load_tensors(tensors)
    trainer.masks = [tensors[f"mask.{index}"] for index in layers]
    activity = trainer.activity
    activity.counts = [tensors[f"count.{index}"] for index in layers]
    activity.epoch_counts = [tensors[f"epoch_count.{index}"] for index in layers]
    activity.samples, activity.epoch_samples = state["samples"], state["epoch_samples"]
    trainer.epoch, trainer.batch = state["epoch"], state["batch"]
    trainer.prunings = state["prunings"]
    trainer.stopped_by, trainer.due = state["stopped_by"], state["due"]
    trainer.anew = state.get("anew", False)  # older programs did not know of it
    trainer.regularising = state["regularising"]
    trainer.loss_sum, trainer.correct = state["loss_sum"], state["correct"]
    trainer.schedule.done = state["scheduled"]
    trainer.schedule.fine_tuned = state.get("fine_tuned", 0)  # nor of this
    for name, value in state["stopping"].items():
        setattr(trainer.schedule.early_stopping, name, value)
    optimiser: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, parameter, value = name.split(".", 2)
            optimiser.setdefault(int(parameter), {})[value] = tensor
    trainer.resume(optimiser)
