"""The layers of one or two networks as pictures: their weights, or their zero patterns."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.charts.colours import METHODS
from abp.dashboard.charts.images import block_of, legend_png, mask_png, swatch_png, weights_png
from abp.dashboard.charts.legend import legend
from abp.dashboard.charts.widgets import download_csv, picture
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.refresh import version
from abp.dashboard.networks.cache import limits_of, moments_of, snapshot_of
from abp.pruning.criteria import CRITERIA
from abp.store.records import Run, RunUnknown
from abp.store.snapshots import Moment, Snapshot
from abp.store.store import Store


def layer_pictures(store: Store, run: Run, snapshot: Snapshot, other: Run | None, *, zeros: bool) -> None:
    """Every hidden layer of a run at one moment, beside that of the other run: weights, or zero patterns."""
    sides, limits = [(run, snapshot)], limits_of(store, run)
    if other is not None:
        try:
            sides.append((other, _beside(store, other, snapshot.moment)))
            limits = [max(pair) for pair in zip(limits, limits_of(store, other), strict=True)]
        except RunUnknown:
            st.caption(f"{literal(other.name)} was deleted or has recorded no weights yet.")
    st.subheader(
        "Zero pattern of each layer" if zeros else "Weights of each layer",
        anchor=False,
        help="A row that is grey throughout is a dead neuron; a grey column is an unused input. Colours mean the "
        "same at every moment.",
    )
    what = "coloured cells are weights that are kept" if zeros else "the larger the weight, the stronger its colour"
    st.caption(f"Each row is a neuron, each column one of its inputs; {what}.")
    _legend([side for side, _ in sides], zeros=zeros)
    flow = st.container(horizontal=True, gap="medium") if len(sides) == 1 else st.container()
    for layer, limit in enumerate(limits):
        with flow, st.container(width="content" if len(sides) == 1 else "stretch"):
            st.markdown(_heading(layer, snapshot.masks[layer].shape, limit, zeros=zeros))
            places = st.columns(2) if len(sides) > 1 else [st.container()]
            for place, (side, shown) in zip(places, sides, strict=True):
                with place:
                    _layer(store, side, shown, layer, limit, zeros=zeros, named=len(sides) > 1)


def matrix_table(matrix: NDArray) -> pd.DataFrame:
    """A layer's matrix ``[neurons, inputs]`` as a table: a row a neuron, a column an input, both counted from 1."""
    table = pd.DataFrame(matrix, columns=np.arange(1, matrix.shape[1] + 1).astype(str))
    table.insert(0, "neuron", np.arange(1, len(matrix) + 1))
    return table


def _beside(store: Store, other: Run, moment: Moment) -> Snapshot:
    """The other run at the moment of the same name, or at its newest if there is none of that name."""
    theirs = moments_of(store, other)
    same = [other for other in theirs if other.name == moment.name] or theirs[-1:]
    if not same:
        raise RunUnknown(f"Run {other.id} has recorded no weights yet.")
    return snapshot_of(store, other, same[0])


def _heading(layer: int, shape: tuple[int, ...], limit: float, *, zeros: bool) -> str:
    neurons, inputs = shape
    words = f"**Hidden {layer + 1}** · {neurons:,} neurons, {inputs:,} inputs each"
    words += "" if zeros else f" · full colour from ±{limit:.2g}"
    rows, columns = block_of((neurons, inputs))
    if (rows, columns) == (1, 1):
        return words
    return f"{words} · each cell is {rows} × {columns} weights: {'the share kept' if zeros else 'the largest of them'}"


def _legend(runs: list[Run], *, zeros: bool) -> None:
    removed = (swatch_png(), 28, "removed")
    if not zeros:
        legend([(legend_png(), 180, "negative to positive; zero is transparent"), removed])
        return
    kinds = dict.fromkeys(run.experiment.criterion for run in runs)
    words = {kind: f"kept ({CRITERIA[kind].title})" if len(runs) > 1 else "kept" for kind in kinds}
    legend([*((swatch_png(METHODS[kind]), 28, words[kind]) for kind in kinds), removed])


def _layer(store: Store, run: Run, snapshot: Snapshot, layer: int, limit: float, *, zeros: bool, named: bool) -> None:
    mask, missing = snapshot.masks[layer], snapshot.network is None
    words = f"{run.name}, {snapshot.moment.name}: " if named else f"{snapshot.moment.name.capitalize()}: "
    words += f"{100 * mask.float().mean():.1f} % of the weights kept, "
    words += f"{int(mask.any(dim=1).sum()):,} of {len(mask):,} neurons alive."
    if missing and not zeros:
        words += " The weights were not recorded at this moment; this is the zero pattern."
    zeros = zeros or missing
    colour = METHODS[run.experiment.criterion]
    png = _picture(snapshot, store.name, run.id, version(run), snapshot.moment, layer, limit, colour, zeros)
    picture(
        png,
        caption=literal(words),
        alt=f"{'Zero pattern' if zeros else 'Weights'} of hidden layer {layer + 1}. {words}",
    )
    download_csv(
        f"{'zero-pattern' if zeros else 'weights'}-run-{run.id}-hidden-{layer + 1}",
        lambda: matrix_table(_matrix(snapshot, layer, zeros=zeros)),
    )


@st.cache_data(show_spinner=False, max_entries=256)
def _picture(
    _snapshot: Snapshot,
    database: str,
    run: int,
    version: tuple,
    moment: Moment,
    layer: int,
    limit: float,
    colour: str,
    zeros: bool,
) -> bytes:
    mask = _snapshot.masks[layer].numpy()
    return mask_png(mask, colour) if zeros else weights_png(_matrix(_snapshot, layer, zeros=False), mask, limit)


def _matrix(snapshot: Snapshot, layer: int, *, zeros: bool) -> NDArray:
    """Weights of a layer, or 1 for what was kept and 0 for what was removed."""
    if zeros or snapshot.network is None:
        return snapshot.masks[layer].int().numpy()
    return snapshot.network.weights[layer].numpy()
