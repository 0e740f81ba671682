"""Breaking: what a trained network still can when some of it is taken away at once, in copies."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from abp.data.datasets import load_dataset
from abp.network.activation_statistics import Measurement, measure
from abp.network.live import remove_weights
from abp.network.masks import kept
from abp.network.mlp import Network, parameter_names
from abp.pruning.criteria import CRITERIA, Statistics
from abp.pruning.prune_network import choose
from abp.pruning.selection import Request
from abp.store.records import Run
from abp.store.store import Store
from abp.store.trained import Trained, trained
from abp.training.randomness import generator

BREAKING = tuple(name for name, entry in CRITERIA.items() if entry.scores and not entry.starts_anew)
"""Criteria to break a network by: those that are about removing alone."""

KNEE = 0.02
"""Loss of accuracy, as a share, from which on a network counts as broken."""


@dataclass(frozen=True, eq=False)
class Breakable:
    """A trained network with all that a criterion may look at.

    Attributes
    ----------
    counts
        int64 ``[neurons]`` per hidden layer: training pictures for which each neuron fired, as recorded at the end.
    samples
        How many were counted.
    prunings
        Made in the run; with its `seed` they make a choice by lot repeatable.
    scope
        Of the run's rankings.
    """

    network: Trained
    counts: tuple[torch.Tensor, ...]
    samples: int
    seed: int
    prunings: int
    scope: str

    @functools.cached_property
    def measured(self) -> Measurement:
        """What the training pictures do in the network; it takes the data set and almost half an epoch's time."""
        network = self.network
        return measure(network.weights[:-1], network.biases[:-1], load_dataset(network.dataset).train_x)


def breakable(store: Store, run: Run) -> Breakable | None:
    """The final network of an ended run; None if its weights or counts are not recorded."""
    network, frame = trained(store, run), store.frame(run.id, run.experiment.hidden)
    if network is None or frame is None:
        return None
    return Breakable(
        network=network,
        counts=tuple(torch.from_numpy(counts) for counts in frame.counts),
        samples=frame.samples,
        seed=run.experiment.seed,
        prunings=run.prunings,
        scope=run.experiment.scope,
    )


def broken(whole: Breakable, criterion: str, share: float) -> Trained:
    """A copy without this share of the hidden weights that it still has, as a pruning by hand would leave it.

    Parameters
    ----------
    criterion
        One of `BREAKING`.
    share
        0 to 1.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the criterion looks at the training pictures and they cannot be had.
    """
    trained_network = whole.network
    statistics = Statistics(
        weights=trained_network.weights[:-1],
        masks=trained_network.masks,
        counts=whole.counts,
        samples=whole.samples,
        generator=generator(whole.seed, "pruning", whole.prunings),
        measure=lambda: whole.measured,
    )
    request = Request(round(share * kept(trained_network.masks)))
    masks = choose(criterion, statistics, request, scope=whole.scope)
    network = _copy(trained_network)
    remove_weights(network, masks)
    return replace(trained_network, weights=tuple(network.weights), biases=tuple(network.biases), masks=tuple(masks))


def switched_off(network: Trained, neurons: Iterable[tuple[int, int]]) -> Trained:
    """A copy in which some hidden neurons always give 0: pairs of hidden layer and neuron, both from 0."""
    copy = _copy(network)
    masks = [mask.clone() for mask in network.masks]
    for layer, neuron in neurons:
        copy.weights[layer][neuron] = 0
        copy.biases[layer][neuron] = 0
        masks[layer][neuron] = False
    return replace(network, weights=tuple(copy.weights), biases=tuple(copy.biases), masks=tuple(masks))


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


def _copy(network: Trained) -> Network:
    copy = Network(network.sizes)
    layers = zip(network.weights, network.biases, strict=True)
    flat = [tensor for layer in layers for tensor in layer]
    copy.load_tensors(dict(zip(parameter_names(len(network.weights)), flat, strict=True)))
    return copy
