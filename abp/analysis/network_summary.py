"""The summary of a network: density, ranks, spectra, cost and latency, all that studies compare networks by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from abp.analysis.chance import marchenko_pastur_edge, shuffle
from abp.analysis.cost import Cost, cost
from abp.analysis.latency import Latency, latencies
from abp.analysis.spectra import SingularValues, rank, singular_values, summarise_all
from abp.network.live import live_network
from abp.network.masks import full_masks, live_neurons
from abp.network.mlp import Network

BATCH = 256
"""Pictures at a time for which the latency is measured."""


@dataclass(frozen=True)
class NetworkSummary:
    """What a network comes to; lists hold one entry per hidden layer.

    Attributes
    ----------
    density
        Share of the layer's weights that are kept, 0 to 1.
    ranks, stable_ranks, effective_ranks
        As in `abp.analysis.spectra`.
    shuffled_ranks, above_edge
        By chance: the rank of the same weights in random order in the kept places, and how many singular values lie
        above the largest one expected of random weights; see `abp.analysis.chance`.
    spectra
        Singular values right after the last pruning, or at the end of a run without any.
    cost
        Of the network as it is.
    dense_cost
        Of the network with nothing removed.
    latency
        Seconds that the network without its dead neurons takes for `BATCH` pictures on one core.
    latency_ratio
        The same over what a dense network of the same sizes took, the two taking turns.
    """

    density: list[float]
    live_neurons: list[int]
    ranks: list[int]
    stable_ranks: list[float]
    effective_ranks: list[float]
    shuffled_ranks: list[int]
    above_edge: list[int]
    spectra: list[SingularValues]
    cost: Cost
    dense_cost: Cost
    latency: float
    latency_ratio: float


def summarise_network(
    network: Network, masks: Sequence[Tensor], spectra: Sequence[SingularValues] | None = None
) -> NetworkSummary:
    """Summarise a network, in some tens of milliseconds.

    Parameters
    ----------
    masks
        What is kept, bool ``[out, in]`` per hidden layer.
    spectra
        Singular values after the last pruning; by default those of the network as it is.
    """
    summaries = summarise_all(network.weights[:-1])
    latency = _latency(network, masks)
    shuffled_ranks, above_edge = by_chance(network)
    return NetworkSummary(
        density=[int(mask.sum()) / mask.numel() for mask in masks],
        live_neurons=[int(live.sum()) for live in live_neurons(masks)],
        ranks=[each.rank for each in summaries],
        stable_ranks=[each.stable_rank for each in summaries],
        effective_ranks=[each.effective_rank for each in summaries],
        shuffled_ranks=shuffled_ranks,
        above_edge=above_edge,
        spectra=list(spectra or (each.values for each in summaries)),
        cost=cost(network.sizes, masks),
        dense_cost=cost(network.sizes, full_masks(network.sizes)),
        latency=latency.seconds,
        latency_ratio=latency.ratio,
    )


def by_chance(network: Network) -> tuple[list[int], list[int]]:
    """Ranks of the shuffled weights, and singular values above the edge, per hidden layer; see `NetworkSummary`."""
    generator = torch.Generator().manual_seed(0)
    ranks, above = [], []
    for weight in network.weights[:-1]:
        shuffled = singular_values(shuffle(weight, generator))
        ranks.append(rank(shuffled, (weight.shape[0], weight.shape[1])))
        above.append(int((singular_values(weight) > marchenko_pastur_edge(weight)).sum()))
    return ranks, above


def _latency(network: Network, masks: Sequence[Tensor]) -> Latency:
    """Latency of a network without its dead neurons, beside that of a dense one."""
    sizes, generator = network.sizes, torch.Generator().manual_seed(0)
    dense = Network.glorot(sizes, generator)
    x = torch.rand(BATCH, sizes[0], generator=generator)
    passes = {"dense": partial(dense, x), "compacted": partial(live_network(network, masks).network, x)}
    return latencies(passes, blocks=15, block_seconds=0.003)["compacted"]
