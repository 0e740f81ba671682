"""Continuing: a new run that starts from what another one recorded, and names it as its parent."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from abp.analysis.low_rank import METHODS, numerical_ranks, reduce_layers
from abp.errors import quoted
from abp.network.live import zero_removed
from abp.network.masks import full_masks, pack
from abp.network.mlp import Network
from abp.store.records import Lane, Run
from abp.store.snapshots import recorded_masks
from abp.store.store import Store
from abp.training.experiment import Experiment, SettingError
from abp.training.randomness import generator

ORIGINS = {
    "fine-tune": "fine-tuned",
    "rewind": "rewound to the initial weights",
    "rewind-K": "rewound to before pruning K",
    "reinitialise": "new random weights under the mask",
    **{method: f"{title} of the same rank" for method, title in METHODS.items()},
}
"""What can be made of a run, each with its words for people; K is the number of a pruning."""


def continue_run(
    store: Store,
    parent: Run,
    how: str,
    *,
    epochs: int,
    ranks: Sequence[int] | None = None,
    seed: int | None = None,
    learning_rate: float | None = None,
    name: str | None = None,
    lane: Lane = Lane.HAND,
) -> int:
    """Write a run that starts from another one's weights and masks as queued, and return its number.

    It prunes nothing by itself and trains for exactly so many epochs, so that such runs can be compared.

    Parameters
    ----------
    how
        ``"fine-tune"``: the final weights go on. ``"rewind"``: the initial weights under the final masks (Frankle &
        Carbin 2019). ``"rewind-3"``: the weights recorded before pruning 3 under the final masks.
        ``"reinitialise"``: new random weights under the final masks. ``"pca"``, ``"svd"``: the final hidden layers
        reduced to `ranks` and held there, nothing removed.
    epochs
        How long it trains.
    ranks
        One per hidden layer, for ``"pca"`` and ``"svd"`` only. PCA adds its mean back, which may add one.
    seed
        Of the data order, and of the weights of ``"reinitialise"``; by default the parent's, or the one after it for
        ``"reinitialise"``.
    learning_rate, name
        By default as the parent's, and made from the parent's.
    lane
        Which workers may take it.

    Raises
    ------
    SettingError
        If there is no such way, a value cannot be used, or the parent did not record what it takes.
    """
    pruning = _pruning(how)
    if how not in METHODS and ranks is not None:
        raise SettingError(f"ranks belong to {' and '.join(METHODS)}, not to {how}")
    experiment = _settings(parent.experiment, how, epochs, seed, learning_rate)
    experiment, tensors, masks = _start(store, parent, how, experiment, ranks)
    origin = ORIGINS["rewind-K"].replace("K", str(pruning)) if pruning else ORIGINS[how]
    return store.runs.add(
        experiment,
        name=f"{parent.name[: 197 - len(origin)]} · {origin}" if name is None else name,
        lane=lane,
        parent=parent.id,
        origin=origin,
        start=(save(_under(masks, tensors, experiment)), pack(masks)),
    )


def _start(
    store: Store, parent: Run, how: str, experiment: Experiment, ranks: Sequence[int] | None
) -> tuple[Experiment, dict[str, Tensor], list[Tensor]]:
    """Settings, limited in rank where that is asked for, and the weights and masks to start from."""
    final = store.weights.get(parent.id, "final")
    if final is None:
        raise SettingError(f"run {parent.id} cannot be continued: it is {parent.status} and has no final weights")
    if how in METHODS:
        experiment, tensors = _reduced(experiment, load(final), how, ranks)
        return experiment, tensors, full_masks(experiment.sizes)
    if how == "fine-tune":
        tensors = load(final)
    elif how == "reinitialise":
        tensors = Network.glorot(experiment.sizes, generator(experiment.seed, "weights")).tensors()
    else:
        tensors = _recorded(store, parent, _pruning(how))
    return experiment, tensors, recorded_masks(store, parent, parent.prunings)


def _pruning(how: str) -> int | None:
    """K of ``rewind-K``, None for the other ways."""
    match = re.fullmatch(r"rewind-([1-9][0-9]{0,8})", how)
    if not match and (how not in ORIGINS or how == "rewind-K"):
        raise SettingError(f"how must be one of {', '.join(ORIGINS)} (K the number of a pruning), not {quoted(how)}")
    return int(match[1]) if match else None


def _settings(parent: Experiment, how: str, epochs: int, seed: int | None, learning_rate: float | None) -> Experiment:
    """The parent's settings without prunings and without any end but the last epoch."""
    if how == "reinitialise":
        if seed == parent.seed:
            raise SettingError(
                f"seed must not be {seed}, the parent's: new random weights would be its initial ones; rewind instead"
            )
        seed = (parent.seed + 1) % 2**31 if seed is None else seed
    given = {"seed": seed, "learning_rate": learning_rate}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(
        parent, criterion="none", epochs=epochs, stop_accuracy=1.0, patience=0, **changes
    )  # a stop accuracy of 1 and a patience of 0 never end a run


def _reduced(
    experiment: Experiment, tensors: dict[str, Tensor], method: str, ranks: Sequence[int] | None
) -> tuple[Experiment, dict[str, Tensor]]:
    """Settings with the rank limits that the reduced layers have, and all tensors with those layers."""
    if not ranks:
        raise SettingError(f"ranks must be given for {method}, one per hidden layer")
    dataclasses.replace(experiment, ranks=tuple(ranks))  # says what is wrong with them
    names = [f"hidden.{index}.weight" for index in range(len(experiment.hidden))]
    weights = [*(tensors[name] for name in names), tensors["output.weight"]]
    layers = reduce_layers(weights, ranks, method)[:-1]
    limited = dataclasses.replace(experiment, ranks=numerical_ranks(layers))
    return limited, tensors | dict(zip(names, layers, strict=True))


def _recorded(store: Store, parent: Run, pruning: int | None) -> dict[str, Tensor]:
    """The parent's initial weights, or those before a pruning."""
    recorded = store.weights.get(parent.id, f"before-{pruning}" if pruning else "initial")
    if recorded is not None:
        return load(recorded)
    if pruning and pruning > parent.prunings:
        made = f"{parent.prunings} prunings" if parent.prunings else "no pruning"
        raise SettingError(f"run {parent.id} cannot be rewound to before pruning {pruning}: it made {made}")
    raise SettingError(
        f"run {parent.id} cannot be rewound to before pruning {pruning}: it recorded its first and last weights only"
        if pruning
        else f"run {parent.id} cannot be rewound: its initial weights are not recorded"
    )


def _under(masks: list[Tensor], tensors: dict[str, Tensor], experiment: Experiment) -> dict[str, Tensor]:
    """The tensors without what the masks removed and without what dead neurons had left."""
    network = Network.from_tensors(experiment.sizes, tensors)
    zero_removed(network, masks)
    return network.tensors()
