"""The compacted network, without its dead neurons: its size, its speed and its files."""

from functools import partial

import pandas as pd
import streamlit as st
import torch

from abp.analysis.cost import cost
from abp.analysis.latency import Latency, latencies
from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.frame.background import in_background
from abp.network.masks import full_masks
from abp.network.mlp import Network
from abp.runs.export import Compacted, NotTheSame, compact
from abp.store.records import Run
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store

BATCHES = (1, 1024)
"""Batch sizes for which the latency is measured, in pictures."""


def compacted_network(store: Store, run: Run) -> None:
    """What removing the dead neurons gains: files, sizes and measured latency."""
    st.subheader(
        "Compacted network",
        anchor=False,
        help="A neuron without incoming weights computes nothing, so the network can be stored without it. Single "
        "zeros among the weights of live neurons stay where they are.",
    )
    st.caption(
        "A mask alone makes nothing faster, since a zero is multiplied like any other number; a network stored without "
        "its dead neurons is smaller and faster."
    )
    work = (store.name, "compact", run.id)
    try:
        compacted = in_background(
            work, lambda: compact(store, run), "Removing the dead neurons and checking the result"
        )
    except NotTheSame as error:
        st.error(str(error), icon=":material/error:")
        return
    if compacted is None:
        return
    _files(run, compacted)
    _measured(store, run, compacted)


def _files(run: Run, compacted: Compacted) -> None:
    full, left = " – ".join(map(str, run.experiment.sizes)), " – ".join(map(str, compacted.network.sizes))
    st.markdown(
        f"From {full} to **{left}** neurons. On all test pictures no output differs by more than "
        f"{compacted.difference:.1e} (ONNX: {compacted.onnx_difference:.1e})."
    )
    with st.container(horizontal=True):
        for kind, content, ending in (
            ("safetensors", compacted.safetensors, "safetensors"),
            ("ONNX", compacted.onnx, "onnx"),
        ):
            st.download_button(
                f"Download as {kind}",
                content,
                file_name=f"run-{run.id}-compact.{ending}",
                mime="application/octet-stream",
                icon=":material/download:",
                on_click="ignore",
            )


def _measured(store: Store, run: Run, compacted: Compacted) -> None:
    work = (store.name, "latency", run.id)
    measured = in_background(work, lambda: measure(store, run, compacted), "Measuring the latency of each network")
    if measured is None:
        return
    table = latency_table(store, run, compacted, measured)
    microseconds = st.column_config.NumberColumn(format="%.0f µs")
    ratio = st.column_config.NumberColumn(format="%.2f ×")
    st.dataframe(
        table,
        hide_index=True,
        alt="Size, FLOPs and measured latency of the dense, the masked and the compacted network.",
        column_config={
            "Bytes": st.column_config.NumberColumn(format="localized"),
            "FLOPs": st.column_config.NumberColumn(format="localized"),
            **{name: microseconds if name.endswith("time") else ratio for name in table.columns[3:]},
        },
    )
    st.caption(
        "Measured on this machine with PyTorch on one core, the networks taking turns; compare the ratios rather "
        "than the times, which depend on what else the machine is doing. The masked network is stored as one bit "
        "per weight and the values that are left. FLOPs are 2 × the non-zero weights, per picture; a plain matrix "
        "product does not skip zeros."
    )
    download_csv("latency", lambda: table)


def measure(store: Store, run: Run, compacted: Compacted) -> dict[int, dict[str, Latency]]:
    """Latency of the dense, the masked and the compacted network, by batch size."""
    final = final_network(store, run)
    assert final is not None  # there is a compacted network, so there are final weights
    generator = torch.Generator().manual_seed(0)
    dense = Network.glorot(run.experiment.sizes, generator)
    networks = {"dense": dense, "masked": final, "compacted": compacted.network}
    measured = {}
    for batch in BATCHES:
        x = torch.rand(batch, run.experiment.sizes[0], generator=generator)
        measured[batch] = latencies({name: partial(network, x) for name, network in networks.items()})
    return measured


def latency_table(
    store: Store, run: Run, compacted: Compacted, measured: dict[int, dict[str, Latency]]
) -> pd.DataFrame:
    """Size, FLOPs and latency, a row per network; ratios are to the dense one."""
    sizes, masks = run.experiment.sizes, recorded_masks(store, run, run.prunings)
    whole, pruned = cost(sizes, full_masks(sizes)), cost(sizes, masks)
    left = compacted.network.sizes
    dense_flops = 2 * sum(a * b for a, b in zip(left[:-2], left[1:-1], strict=True))
    sized = {
        "dense": (whole.bytes_dense, whole.flops),
        "masked": (pruned.bytes_masked, pruned.flops),
        "compacted": (pruned.bytes_compacted, dense_flops),
    }
    rows = []
    for network, (size, flops) in sized.items():
        row = {"Network": network, "Bytes": size, "FLOPs": flops}
        for batch in measured:
            latency = measured[batch][network]
            row[f"Batch {batch:,}: time"] = 1e6 * latency.seconds
            row[f"Batch {batch:,}: relative to dense"] = latency.ratio
        rows.append(row)
    return pd.DataFrame(rows)
