"""Measures: what the final network of a finished run shows, computed once and kept in memory."""

from dataclasses import dataclass

from abp.analysis.cost import Cost, cost
from abp.analysis.spectra import Spectrum, summarise_all
from abp.pruning.masks import full_masks, live_neurons
from abp.runs.baselines import final_layers
from abp.runs.moments import recorded_masks
from abp.runs.records import Run
from abp.runs.store import Store


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
    dense_cost
        Of the network with nothing removed.
    """

    density: list[float]
    live_neurons: list[int]
    ranks: list[int]
    stable_ranks: list[float]
    effective_ranks: list[float]
    spectra: list[Spectrum]
    cost: Cost
    dense_cost: Cost


def measures(store: Store, run: Run) -> Measures | None:
    """Measures of a finished run, or None if its final weights are not recorded."""
    known = _MEASURED.get((str(store.path), run.id, run.finished))
    if known is None and (known := _measured(store, run)) is not None:
        if len(_MEASURED) >= _MOST_MEASURED:
            _MEASURED.clear()
        _MEASURED[str(store.path), run.id, run.finished] = known
    return known


def _measured(store: Store, run: Run) -> Measures | None:
    final = final_layers(store, run)
    if final is None:
        return None
    sizes, masks = run.experiment.sizes, recorded_masks(store, run, run.prunings)
    summaries = summarise_all(final[0][:-1])
    pruned = store.spectra(run.id, sizes)
    return Measures(
        density=[int(mask.sum()) / mask.numel() for mask in masks],
        live_neurons=[int(live.sum()) for live in live_neurons(masks)],
        ranks=[each.rank for each in summaries],
        stable_ranks=[each.stable_rank for each in summaries],
        effective_ranks=[each.effective_rank for each in summaries],
        spectra=pruned[-1][1] if pruned else [each.values for each in summaries],
        cost=cost(sizes, masks),
        dense_cost=cost(sizes, full_masks(sizes)),
    )


_MEASURED: dict[tuple[str, int, float | None], Measures] = {}
"""By store, run and when it finished: a finished run does not change."""

_MOST_MEASURED = 5000
