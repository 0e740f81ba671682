"""Summaries of the final networks of finished runs, recorded once, as a run ends."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from abp.analysis.cost import Cost
from abp.analysis.network_summary import NetworkSummary, by_chance, summarise_network
from abp.store.records import Run, unpack_spectra
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store


def to_row(found: NetworkSummary) -> dict[str, Any]:
    """A summary as a row of the store without its run; spectra are float64."""
    numbers = {name: value for name, value in asdict(found).items() if name != "spectra"}
    return {"numbers": numbers, "spectra": b"".join(values.tobytes() for values in found.spectra)}


def recorded_summaries(store: Store, runs: Iterable[Run]) -> dict[int, NetworkSummary]:
    """Summaries by run, of those of these finished runs whose final weights are recorded.

    A run that an earlier version of this software finished has none yet, or one without what chance would give: what is
    missing is computed and recorded now.
    """
    wanted = {run.id: run for run in runs}
    found = {
        number: _from_row(wanted[number], _complete(store, wanted[number], numbers), spectra)
        for number, (numbers, spectra) in store.summaries.of(wanted).items()
    }
    for number in wanted.keys() - found.keys():
        computed = _compute(store, wanted[number])
        if computed is not None:
            found[number] = computed
    return found


def _from_row(run: Run, numbers: dict[str, Any], spectra: bytes) -> NetworkSummary:
    costs = {name: Cost(**numbers[name]) for name in ("cost", "dense_cost")}
    return NetworkSummary(**{**numbers, **costs}, spectra=unpack_spectra(spectra, run.experiment.sizes))


def _complete(store: Store, run: Run, numbers: dict[str, Any]) -> dict[str, Any]:
    """The numbers with what chance would give; empty lists where the weights are gone."""
    if "shuffled_ranks" in numbers:
        return numbers
    network = final_network(store, run)
    if network is None:
        return {**numbers, "shuffled_ranks": [], "above_edge": []}
    shuffled_ranks, above_edge = by_chance(network)
    numbers = {**numbers, "shuffled_ranks": shuffled_ranks, "above_edge": above_edge}
    store.summaries.complete(run.id, numbers)
    return numbers


def _compute(store: Store, run: Run) -> NetworkSummary | None:
    network = final_network(store, run)
    if network is None:
        return None
    pruned = store.histories.spectra(run.id, run.experiment.sizes)
    masks = recorded_masks(store, run, run.prunings)
    found = summarise_network(network, masks, pruned[-1][1] if pruned else None)
    store.summaries.add(run.id, to_row(found))
    return found
