"""The Weights page: weights, zero patterns, what neurons respond to, and the cost of each layer."""

from dataclasses import asdict

import pandas as pd
import streamlit as st

from abp.analysis.cost import cost, layer_costs
from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.frame.links import in_link
from abp.dashboard.frame.refresh import redraw_on_change
from abp.dashboard.frame.run_label import labels
from abp.dashboard.networks.cache import frequencies_of, moments_of, snapshot_of
from abp.dashboard.networks.compact import compacted_network
from abp.dashboard.networks.layer_images import layer_pictures
from abp.dashboard.networks.neuron import neuron_view
from abp.dashboard.networks.neuron_sheet import neuron_sheet
from abp.store.records import Run
from abp.store.snapshots import Moment, Snapshot
from abp.store.store import Store

_SHOWN = ["weights", "zero pattern"]


def weights_view(store: Store, run: Run) -> None:
    """Everything the page shows of one run."""
    redraw_on_change(store, run)
    found = moments_of(store, run)
    if not found:
        waits = "It is waiting for a worker; its weights appear here by themselves."
        never = "It ended before training began; rerun it to record them."
        st.info(f"This run has recorded no weights. {waits if run.active else never}", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        shown = in_link("show", "shown", _SHOWN, _SHOWN[0], _choose_shown)
        moment = _chosen_moment(run, found)
        other = _other_run(store, run)
    snapshot = snapshot_of(store, run, moment)
    layer_pictures(store, run, snapshot, other, zeros=shown == "zero pattern")
    if snapshot.network is None:
        st.info(
            f"The weights {_when(moment)} were not recorded: this run keeps only its initial and final weights. "
            "Choose the start or the end to see its neurons. The cost of each layer is known at every moment.",
            icon=":material/info:",
        )
    else:
        frequencies = frequencies_of(store, run)
        neuron_sheet(store, run, snapshot, frequencies[0])
        neuron_view(store, run, snapshot, frequencies)
    _cost_table(run, snapshot)
    if found[-1].name == "end":
        compacted_network(store, run)


def _choose_shown() -> str | None:
    return st.segmented_control("Show", _SHOWN, required=True, key="shown")


def _chosen_moment(run: Run, found: list[Moment]) -> Moment:
    names = [moment.name for moment in found]
    if len(names) == 1:
        more = "more are recorded at each pruning and at the end" if run.active else "no others were recorded"
        st.caption(f"These are the initial weights; {more}.")
        return found[0]
    key = f"moment-{run.id}"
    meaning = "The start, just before and just after each pruning, and the end."
    name = in_link(
        "moment", key, names, names[-1], lambda: st.select_slider("Moment", names, key=key, width=320, help=meaning)
    )
    return found[names.index(name)]


def _other_run(store: Store, run: Run) -> Run | None:
    """The run with the same layers that is chosen for comparison, if any."""
    candidates = {
        other.id: other
        for other in store.runs.readable(limit=200)
        if other.id != run.id and other.started is not None and other.experiment.sizes == run.experiment.sizes
    }
    if not candidates:
        return None
    key, shown = f"beside-{run.id}", labels(candidates)

    def draw() -> int | None:
        return st.selectbox(
            "Compare with",
            list(candidates),
            index=None,
            format_func=lambda number: shown[number],
            placeholder="Another run with the same layers",
            key=key,
            width=340,
        )

    number = in_link("overlay", key, list(candidates), None, draw)
    return candidates.get(number) if number is not None else None


def _cost_table(run: Run, snapshot: Snapshot) -> None:
    st.subheader(
        "Cost of each layer",
        anchor=False,
        help="FLOPs are 2 × the non-zero weights of the hidden layers, for one picture, as in the published code. "
        "Masked: one bit for each hidden weight and 4 bytes for each one kept. Compacted: dense layers without the "
        "dead neurons.",
    )
    st.caption(f"Parameters, operations for one picture and size in bytes, {_when(snapshot.moment)}.")
    table = cost_table(run, snapshot)
    st.dataframe(
        table,
        hide_index=True,
        alt="Shape, sparsity, live neurons, parameters, operations and bytes of each layer.",
        column_config={
            "Sparsity": st.column_config.NumberColumn(format="percent"),
            **{name: st.column_config.NumberColumn(format="localized") for name in _NUMBERS},
        },
    )
    download_csv("layers", lambda: table)


_NUMBERS = {
    "live_neurons": "Live neurons",
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds",
    "flops": "FLOPs (published)",
    "bytes_dense": "Bytes, dense",
    "bytes_masked": "Bytes, masked",
    "bytes_compacted": "Bytes, compacted",
}


def cost_table(run: Run, snapshot: Snapshot) -> pd.DataFrame:
    """Cost of every layer and of the whole network at one moment, a row each."""
    sizes = run.experiment.sizes
    layers = layer_costs(sizes, snapshot.masks)
    rows = [
        {"Layer": layer.name, "Shape": f"{layer.inputs} → {layer.neurons}", "Sparsity": layer.sparsity}
        | {title: getattr(layer, name) for name, title in _NUMBERS.items()}
        for layer in layers
    ]
    whole = asdict(cost(sizes, snapshot.masks)) | {"live_neurons": sum(layer.live_neurons for layer in layers)}
    kept = sum(int(mask.sum()) for mask in snapshot.masks) / sum(mask.numel() for mask in snapshot.masks)
    rows.append(
        {"Layer": "all (sparsity: hidden layers)", "Shape": " → ".join(map(str, sizes)), "Sparsity": 1 - kept}
        | {title: whole[name] for name, title in _NUMBERS.items()}
    )
    table = pd.DataFrame(rows)
    return table.astype({"FLOPs (published)": "Int64"})  # whole numbers, and none for the output layer


def _when(moment: Moment) -> str:
    """A moment in words.

    >>> _when(Moment("after 2", 7, "before-2", 2))
    'after pruning 2'
    """
    kind, _, number = moment.name.partition(" ")
    return f"{kind} pruning {number}" if number else f"at the {kind}"
