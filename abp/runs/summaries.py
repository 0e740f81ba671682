"""Measures: what the final network of a finished run shows, recorded once, as the run ends."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from abp.analysis.cost import Cost, cost
from abp.analysis.latency import latencies
from abp.analysis.spectra import Spectrum, summarise_all
from abp.network.live import live_network
from abp.network.masks import full_masks, live_neurons
from abp.network.mlp import Network
from abp.store.records import Run, unpack_spectra
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store

BATCH = 256
"""Pictures at a time for which the latency is measured."""


@dataclass(frozen=True)
class Measures:
    """What the final network of a run shows; lists hold one entry per hidden layer.

    Attributes
    ----------
    density
        Share of the layer's weights that are kept, 0 to 1.
    ranks, stable_ranks, effective_ranks
        As in `abp.analysis.spectra`.
    spectra
        Singular values right after the last pruning, or at the end of a run without any.
    cost
        Of the network as it is.
    dense_cost
        Of the network with nothing removed.
    latency
        Seconds that the network without its dead neurons takes for `BATCH` pictures on one core, measured as the run
        ended.
    latency_ratio
        The same over what a dense network of the run's sizes took, the two taking turns.
    """

    density: list[float]
    live_neurons: list[int]
    ranks: list[int]
    stable_ranks: list[float]
    effective_ranks: list[float]
    spectra: list[Spectrum]
    cost: Cost
    dense_cost: Cost
    latency: float
    latency_ratio: float


def measure(
    sizes: Sequence[int], network: Network, masks: Sequence[Tensor], spectra: list[Spectrum] | None
) -> Measures:
    """Measures of a network, in some tens of milliseconds.

    Parameters
    ----------
    sizes
        Inputs, hidden neurons of each layer, classes.
    masks
        bool ``[out, in]`` per hidden layer.
    spectra
        Singular values after the last pruning; None for those of the network as it is.
    """
    summaries = summarise_all(network.weights[:-1])
    latency, ratio = _latency(sizes, network, masks)
    return Measures(
        density=[int(mask.sum()) / mask.numel() for mask in masks],
        live_neurons=[int(live.sum()) for live in live_neurons(masks)],
        ranks=[each.rank for each in summaries],
        stable_ranks=[each.stable_rank for each in summaries],
        effective_ranks=[each.effective_rank for each in summaries],
        spectra=spectra or [each.values for each in summaries],
        cost=cost(sizes, masks),
        dense_cost=cost(sizes, full_masks(sizes)),
        latency=latency,
        latency_ratio=ratio,
    )


def _latency(sizes: Sequence[int], network: Network, masks: Sequence[Tensor]) -> tuple[float, float]:
    live = live_network(network, masks).network
    dense = Network.glorot(sizes, torch.Generator().manual_seed(0))
    x = torch.rand(BATCH, sizes[0], generator=torch.Generator().manual_seed(0))
    passes = {"dense": lambda: dense(x), "compacted": lambda: live(x)}
    found = latencies(passes, blocks=15, block_seconds=0.003)["compacted"]
    return found.seconds, found.ratio


def to_row(found: Measures) -> dict[str, Any]:
    """Measures as a row of the store without its run; spectra are float64."""
    numbers = {name: value for name, value in asdict(found).items() if name != "spectra"}
    return {"numbers": numbers, "spectra": b"".join(values.tobytes() for values in found.spectra)}


def recorded_measures(store: Store, runs: Iterable[Run]) -> dict[int, Measures]:
    """Measures by run, of those of these finished runs whose final weights are recorded.

    A run that an earlier version of this software finished has none yet: its own are computed and recorded now.
    """
    wanted = {run.id: run for run in runs}
    found = {number: _from_row(wanted[number], *row) for number, row in store.summaries.of(wanted).items()}
    for number in wanted.keys() - found.keys():
        computed = _compute(store, wanted[number])
        if computed is not None:
            found[number] = computed
    return found


def _from_row(run: Run, numbers: dict[str, Any], spectra: bytes) -> Measures:
    costs = {name: Cost(**numbers[name]) for name in ("cost", "dense_cost")}
    return Measures(**{**numbers, **costs}, spectra=unpack_spectra(spectra, run.experiment.sizes))


def _compute(store: Store, run: Run) -> Measures | None:
    network = final_network(store, run)
    if network is None:
        return None
    sizes = run.experiment.sizes
    pruned = store.histories.spectra(run.id, sizes)
    found = measure(sizes, network, recorded_masks(store, run, run.prunings), pruned[-1][1] if pruned else None)
    store.summaries.add(run.id, to_row(found))
    return found
