"""Activation-based pruning of neural networks (after Ganguli & Chong, Algorithms 17(1):48, 2024)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abp.data.datasets import load_dataset
    from abp.data.own.registration import register_dataset
    from abp.pruning.criteria import Criterion, Statistics, register_criterion
    from abp.store.store import open_run
    from abp.training.experiment import Experiment
    from abp.training.trainer import Trainer

__all__ = [
    "Criterion",
    "Experiment",
    "Statistics",
    "Trainer",
    "load_dataset",
    "open_run",
    "register_criterion",
    "register_dataset",
]

_HOMES = {
    "Criterion": "abp.pruning.criteria",
    "Statistics": "abp.pruning.criteria",
    "register_criterion": "abp.pruning.criteria",
    "Experiment": "abp.training.experiment",
    "Trainer": "abp.training.trainer",
    "open_run": "abp.store.store",
    "load_dataset": "abp.data.datasets",
    "register_dataset": "abp.data.own.registration",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: the engine starts its workers before it needs PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'abp' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
