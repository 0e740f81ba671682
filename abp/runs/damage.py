"""Damage: what a trained network can still do when some of it is removed at once, in copies."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from abp.data.datasets import load_dataset
from abp.network.activation_statistics import Measurement, measure
from abp.network.gradients import loss_gradients
from abp.network.masks import kept
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA
from abp.pruning.prune_network import prune_network
from abp.pruning.selection import Request
from abp.store.records import Run
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store
from abp.training.randomness import generator

BREAKING = tuple(name for name, entry in CRITERIA.items() if entry.scores and not entry.reinitialises)
"""Criteria to damage a network by: those that are about removing alone."""

KNEE = 0.02
"""Loss of accuracy, as a share, from which on a network counts as broken."""


class NotMeasured(Exception):
    """A criterion looks at the training samples, which takes too long for whoever asked."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What an ended run has learned, or a changed copy of it, with all that a criterion may look at.

    Attributes
    ----------
    run
        The run that trained it.
    network
        Its tensors are shared: a changed copy has tensors of its own.
    masks
        What is kept, bool ``[out, in]`` per hidden layer.
    counts
        int64 ``[neurons]`` per hidden layer: training pictures for which each neuron fired, as recorded at the end.
    samples
        How many were counted.
    """

    run: Run
    network: Network
    masks: tuple[Tensor, ...]
    counts: tuple[Tensor, ...]
    samples: int

    @functools.cached_property
    def measured(self) -> Measurement:
        """What the training pictures do in the network; it takes the data set and almost half an epoch's time."""
        return measure(self.network, load_dataset(self.run.experiment.dataset).train_x)

    @functools.cached_property
    def gradients(self) -> list[Tensor]:
        """Gradient of the loss on the training pictures at each hidden weight; it takes about an epoch's time."""
        data = load_dataset(self.run.experiment.dataset)
        return loss_gradients(self.network, data.train_x, data.train_y)


def trained_network(store: Store, run: Run) -> TrainedNetwork | None:
    """The final network of an ended run; None if its weights or counts are not recorded."""
    if run.active:
        return None
    network, frame = final_network(store, run), store.frames.newest(run.id, run.experiment.hidden)
    if network is None or frame is None:
        return None
    return TrainedNetwork(
        run=run,
        network=network,
        masks=tuple(recorded_masks(store, run, run.prunings)),
        counts=tuple(torch.from_numpy(counts) for counts in frame.counts),
        samples=frame.samples,
    )


def damaged(trained: TrainedNetwork, criterion: str, share: float, *, at_once: bool = False) -> TrainedNetwork:
    """A copy without this share of the hidden weights that it still has, as a pruning by hand would leave it.

    Parameters
    ----------
    criterion
        One of `BREAKING`.
    share
        0 to 1.
    at_once
        Refuse what takes longer than a moment.

    Raises
    ------
    NotMeasured
        If it is wanted at once, and the criterion looks at the training samples for the first time.
    abp.data.datasets.DataUnavailable
        If the criterion looks at the training pictures and they cannot be had.
    """
    settings, network = trained.run.experiment, copy.deepcopy(trained.network)

    def known(what: str) -> Any:
        if at_once and what not in vars(trained):
            raise NotMeasured
        return getattr(trained, what)

    masks = prune_network(
        network,
        trained.masks,
        criterion,
        Request(round(share * kept(trained.masks))),
        scope=settings.scope,
        counts=trained.counts,
        samples=trained.samples,
        generator=generator(settings.seed, "pruning", trained.run.prunings),
        measure=lambda: known("measured"),
        gradients=lambda: known("gradients"),
    )
    return replace(trained, network=network, masks=tuple(masks))


def switched_off(trained: TrainedNetwork, neurons: Iterable[tuple[int, int]]) -> TrainedNetwork:
    """A copy in which some hidden neurons always give 0: pairs of hidden layer and neuron, both from 0."""
    network, masks = copy.deepcopy(trained.network), copy.deepcopy(trained.masks)
    for layer, neuron in neurons:
        network.weights[layer][neuron] = 0
        network.biases[layer][neuron] = 0
        masks[layer][neuron] = False
    return replace(trained, network=network, masks=masks)


def knee(shares: Sequence[float], accuracies: Sequence[float]) -> float:
    """The largest share up to which no accuracy is more than `KNEE` below the first.

    >>> knee([0.0, 0.5, 0.8, 0.9], [0.97, 0.97, 0.955, 0.8])
    0.8
    """
    last = shares[0]
    for share, accuracy in zip(shares, accuracies, strict=True):
        if accuracy < accuracies[0] - KNEE:
            break
        last = share
    return last
