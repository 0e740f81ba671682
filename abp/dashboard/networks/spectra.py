"""The spectra page: singular values of the hidden layers before and after every pruning."""

from functools import partial

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.analysis.spectra import summarise
from abp.dashboard.charts.charts import LOWEST, Chart
from abp.dashboard.charts.colours import METHODS, MUTED, distinct
from abp.dashboard.charts.legend import legend, line_png
from abp.dashboard.charts.widgets import chart_with_data, download_csv
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.links import in_link
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.refresh import redraw_on_change, version
from abp.dashboard.frame.run_label import labels
from abp.dashboard.networks.chance import chance_section
from abp.dashboard.networks.spectrum_chart import dashes, spectrum_chart, thinned
from abp.store.records import Run, RunUnknown, Status
from abp.store.snapshots import Snapshot, spectral_snapshots
from abp.store.store import Store

_SCALES = ["linear", "log"]
_PATIENCE = 0.4  # seconds that a page waits for singular values before it says that they are being computed


def spectra_view(store: Store, run: Run) -> None:
    """Everything the page shows of one run."""
    redraw_on_change(store, run)
    choices = st.container(horizontal=True, vertical_alignment="bottom")
    waiting = st.container()  # reserved, so that nothing shifts when there is something to wait for
    found = _snapshots(store, run, waiting)
    if found is None:
        return
    if len(found) < 2:
        st.info(_too_early(run), icon=":material/hourglass_empty:")
        return
    with choices:
        log = choose_scale()
        before, after = _chosen_snapshots(run, found)
        others = _other_runs(store, run)
    table = pd.concat([curves(found[0], before, after), *(_end_of(store, other, waiting) for other in others)])
    highest = max(float(values.max(initial=0)) for snapshot in found for values in snapshot.spectra)
    highest = max(highest, float(table["value"].max()))  # another run's curve may rise above this one's
    _spectra_charts(table, run, others, log=log, highest=highest)
    _change_charts(run, found[0], before, after)
    _summary_table(found)
    chance_section(store, run, log=log)


def choose_scale() -> bool:
    """Show the choice of the axes' scale, which is in the link; whether it is logarithmic."""

    def draw() -> str | None:
        return st.segmented_control("Scale", _SCALES, required=True, key="spectra-scale")

    return bool(in_link("scale", "spectra-scale", _SCALES, _SCALES[0], draw) == "log")


def _too_early(run: Run) -> str:
    if run.active:
        return (
            "Singular values are recorded at the start, before and after each pruning, and at the end; this run has "
            "not reached its first pruning yet. They appear here by themselves."
        )
    return (
        "Singular values are recorded at the start, before and after each pruning, and at the end; this run ended "
        "before its first pruning and without final weights."
    )


@st.cache_resource(show_spinner=False, max_entries=12)
def _newest(database: str, run: int) -> dict[str, list[Snapshot]]:
    """The newest snapshots of a run that are computed, under the key ``"snapshots"``."""
    return {}


def _snapshots(store: Store, run: Run, waiting: DeltaGenerator, patience: float | None = None) -> list[Snapshot] | None:
    """Snapshots of a run, or what of them was computed before while newer ones are; None, after saying so, until then.

    Those of layers with thousands of neurons take many seconds. `patience` is `_PATIENCE` by default; `waiting` is the
    place for the words.
    """
    newest = _newest(store.name, run.id)
    with waiting:
        found = in_background(
            (store.name, "moments", run.id, version(run)),
            lambda: spectral_snapshots(store, store.runs.get(run.id)),
            f"Computing the singular values of {literal(run.name)}",
            patience=_PATIENCE if patience is None else patience,
        )
    if found is not None:
        newest["snapshots"] = found
    return newest.get("snapshots")


def _chosen_snapshots(run: Run, found: list[Snapshot]) -> tuple[Snapshot, Snapshot]:
    """The two snapshots to compare: around the pruning of the slider, or start and end where there was none."""
    by_name = {snapshot.moment.name: snapshot for snapshot in found}
    numbers = [int(name.split()[1]) for name in by_name if name.startswith("after")]
    if not numbers:
        st.caption("Nothing was pruned in this run; its start and its end are shown.")
        return found[0], found[-1]
    key = f"spectra-pruning-{run.id}"
    if len(numbers) == 1:
        chosen = 1
    else:
        chosen = in_link(
            "moment", key, numbers, numbers[-1], lambda: st.slider("Pruning", 1, numbers[-1], key=key, width=300)
        )
    return by_name[f"before {chosen}"], by_name[f"after {chosen}"]


def _other_runs(store: Store, run: Run) -> list[Run]:
    """Runs chosen as overlays: those with the same layers that have ended."""
    shape = run.experiment.sizes
    candidates = {
        other.id: other
        for other in store.runs.readable(limit=200)
        if other.id != run.id and other.status in (Status.FINISHED, Status.STOPPED) and other.experiment.sizes == shape
    }
    if not candidates:
        return []
    key, shown = f"spectra-others-{run.id}", labels(candidates)

    def draw() -> list[int]:
        return st.multiselect(
            "Overlay another run",
            list(candidates),
            format_func=lambda number: shown[number],
            key=key,
            max_selections=5,
            width=380,
        )

    chosen = in_link("overlay", key, list(candidates), [], draw)
    return [candidates[number] for number in chosen]


def curves(start: Snapshot, before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Singular values of three snapshots, a row each: columns ``layer``, ``index``, ``value``, ``curve``.

    Without a pruning, where `before` is the start and `after` the end, there are only those two.
    """
    named = [("at the start", start), ("before", before), ("after", after)]
    if before is start:  # no pruning
        named = [("at the start", start), ("at the end", after)]
    return pd.concat([_rows(snapshot, name) for name, snapshot in named], ignore_index=True)


def _rows(snapshot: Snapshot, curve: str) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"layer": layer + 1, "index": np.arange(1, len(values) + 1), "value": values, "curve": curve})
        for layer, values in enumerate(snapshot.spectra)
    ]
    return pd.concat(parts, ignore_index=True)


def _end_of(store: Store, run: Run, waiting: DeltaGenerator) -> pd.DataFrame:
    try:
        found = _snapshots(store, run, waiting, _PATIENCE / 4)  # there may be several
        if found:
            return _rows(found[-1], _label(run))
    except RunUnknown:  # deleted meanwhile
        pass
    return pd.DataFrame({"layer": [], "index": [], "value": [], "curve": []})


def _label(run: Run) -> str:
    """Number and name of a run, since several may have the same name."""
    return f"{run.id}: {run.name}"


def _spectra_charts(table: pd.DataFrame, run: Run, others: list[Run], *, log: bool, highest: float) -> None:
    method = METHODS[run.experiment.criterion]
    colours = {"at the start": MUTED, "before": "#56B4E9", "after": method, "at the end": method}
    colours |= {_label(other): METHODS[other.experiment.criterion] for other in others}
    colours = distinct({curve: colours[curve] for curve in table["curve"].unique()})
    lines = [
        (line_png(colour, dash), 40, curve)
        for (curve, colour), dash in zip(colours.items(), dashes(len(colours)), strict=True)
    ]
    chart_with_data(
        "Singular values of each hidden layer",
        "Each chart shows one layer's singular values, largest first; where a curve reaches zero, the layer has "
        "lost rank" + (", and its curve ends, since a logarithmic scale has no zero." if log else "."),
        "A weight matrix stretches its input along as many directions as it has singular values, each by that factor. "
        "Directions with small values hardly matter. The grey curve is the network before training. The scale is the "
        "same at every pruning. Of layers with more than 500 values only some are drawn; the CSV contains all of them.",
        [spectrum_chart(part, colours, log=log, highest=highest) for _, part in table.groupby("layer")],
        lambda: table,
        "spectra",
        legend=lambda: legend(lines),
    )


def _change_charts(run: Run, start: Snapshot, before: Snapshot, after: Snapshot) -> None:
    colour = METHODS[run.experiment.criterion]
    steps = [("through this pruning", before), ("since the start", start)][1 if before is start else 0 :]
    for name, earlier in steps:
        table = changes(earlier, after)
        limit = max(0.05, min(1.0, float(table["change"].abs().max())))
        chart_with_data(
            f"Change {name}",
            f"Relative change of each singular value {name}.",
            "Negative values have shrunk; −100 % means that the value is now zero. The paper claims that "
            "activation-based pruning shrinks singular values as a nuclear-norm regulariser would.",
            [_change_chart(part, colour, limit) for _, part in table.groupby("layer")],
            partial(_same, table),
            f"change-{name.replace(' ', '-')}",
        )


def changes(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Relative change of each singular value but zeros: columns ``layer``, ``index``, ``change`` (-1: gone)."""
    parts = []
    for layer, (old, new) in enumerate(zip(before.spectra, after.spectra, strict=True)):
        there = old > 1e-9
        change = np.divide(new - old, old, out=np.zeros_like(old), where=there)
        parts.append(pd.DataFrame({"layer": layer + 1, "index": np.flatnonzero(there) + 1, "change": change[there]}))
    return pd.concat(parts, ignore_index=True)


def _change_chart(table: pd.DataFrame, colour: str, limit: float) -> Chart:
    table = thinned(table)
    scale = alt.Scale(domain=[-limit, limit], nice=False, clamp=True)
    base = alt.Chart(table).encode(x=alt.X("index:Q", title="index", axis=alt.Axis(grid=False, tickCount=4)))
    line = base.mark_line(color=colour, strokeWidth=2, point={"color": colour} if len(table) == 1 else False).encode(
        y=alt.Y("change:Q", title="change, %", scale=scale, axis=alt.Axis(format="%", tickCount=5)),
        tooltip=[alt.Tooltip("layer:Q"), alt.Tooltip("index:Q"), alt.Tooltip("change:Q", format="+.2%")],
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[2, 2]).encode(y=alt.Y("zero:Q"))
    return alt.layer(zero, line).properties(height=LOWEST)


def _same(table: pd.DataFrame) -> pd.DataFrame:
    return table


def _summary_table(found: list[Snapshot]) -> None:
    st.subheader(
        "Ranks and norms",
        anchor=False,
        help="Rank: the number of singular values above the tolerance. Stable rank: squared Frobenius norm over "
        "squared spectral norm. Effective rank: exponential of the singular values' entropy. Nuclear norm: their "
        "sum.",
    )
    st.caption("Rank, live neurons and norms of each hidden layer at each moment of the run.")
    table = summaries(found)
    st.dataframe(
        table,
        hide_index=True,
        alt="Ranks, live neurons and norms of each layer at each moment.",
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in _MEASURES},
    )
    download_csv("ranks-and-norms", lambda: table)


_MEASURES = ("Stable rank", "Effective rank", "Spectral norm", "Frobenius norm", "Nuclear norm")


def summaries(found: list[Snapshot]) -> pd.DataFrame:
    """Ranks, live neurons and norms, a row per layer and moment."""
    rows = []
    for snapshot in found:
        for layer, (values, mask) in enumerate(zip(snapshot.spectra, snapshot.masks, strict=True)):
            summary = summarise(values, (mask.shape[0], mask.shape[1]))
            rows.append(
                {
                    "Layer": layer + 1,
                    "Moment": snapshot.moment.name,
                    "Epoch": snapshot.moment.epoch,
                    "Rank": summary.rank,
                    "Tolerance": summary.tolerance,
                    "Stable rank": summary.stable_rank,
                    "Effective rank": summary.effective_rank,
                    "Live neurons": int(mask.any(dim=1).sum()),
                    "Spectral norm": summary.spectral_norm,
                    "Frobenius norm": summary.frobenius_norm,
                    "Nuclear norm": summary.nuclear_norm,
                }
            )
    return pd.DataFrame(rows).sort_values("Layer", kind="stable")
