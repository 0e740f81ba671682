"""Checkpoints: the state of a trainer, as safetensors bytes after their checksum."""

import json
import zlib

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from abp.training.experiment import Experiment
from abp.training.trainer import Trainer
from abp.training.trainer_state import TrainerState

_STATE = "state"  # the name of the tensor that holds the plain values, as JSON in bytes
_CHECKSUM = 4  # bytes


class CheckpointDamaged(ValueError):
    """The bytes are no checkpoint of this experiment."""


def save_checkpoint(trainer: Trainer) -> bytes:
    """The settings and the state of a trainer: see `Trainer.state`."""
    state = trainer.state()
    values = json.dumps({"settings": trainer.experiment.to_json(), **state.values}).encode()
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    saved = save({**tensors, _STATE: torch.frombuffer(bytearray(values), dtype=torch.uint8)})
    return _checksum(saved) + saved


def restore_checkpoint(trainer: Trainer, checkpoint: bytes) -> None:
    """Bring a trainer of the same experiment to the state that `save_checkpoint` found.

    Raises
    ------
    CheckpointDamaged
        If the bytes are damaged, incomplete or of another experiment; the trainer is as it was then.
    """
    saved = checkpoint[_CHECKSUM:]
    if checkpoint[:_CHECKSUM] != _checksum(saved):
        raise CheckpointDamaged("the checkpoint cannot be read (its checksum is wrong)")
    try:
        tensors = load(saved)
        values = json.loads(bytes(tensors.pop(_STATE).tolist()))
        experiment = Experiment.from_json(values["settings"])  # of an older program: new settings have their defaults
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointDamaged(f"the checkpoint cannot be read ({error})") from error
    if experiment != trainer.experiment:
        raise CheckpointDamaged("the checkpoint is of another experiment")
    try:
        trainer.load_state(TrainerState(tensors, values))
    except ValueError as error:
        raise CheckpointDamaged(f"the checkpoint is incomplete ({error})") from error


def _checksum(saved: bytes) -> bytes:
    return zlib.crc32(saved).to_bytes(_CHECKSUM, "little")
