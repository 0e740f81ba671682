"""Damage to a copy of a trained network: what is removed, and the accuracy that is left, by each criterion."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.analysis.confusion import predictions
from abp.dashboard.charts.charts import Chart
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.charts.widgets import chart_with_data
from abp.dashboard.components.network_flow import Neuron
from abp.dashboard.components.share_slider import share_slider
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.links import in_link
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.refresh import version
from abp.dashboard.networks.cache import pictures_of
from abp.data.datasets import DataUnavailable
from abp.pruning.criteria import CRITERIA
from abp.runs.damage import BREAKING, KNEE, TrainedNetwork, damaged, knee, switched_off, trained_network
from abp.store.records import Run
from abp.store.store import Store

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
"""Shares at which the curves are computed."""

BESIDE = ("activation", "activation-neuron", "magnitude", "random")
"""Criteria whose curves stand beside that of the chosen one at first."""


@dataclass(frozen=True)
class Damage:
    """What a visitor removes: a share of the remaining weights, 0 to 1, chosen by a criterion."""

    criterion: str
    share: float


UNDAMAGED = Damage("none", 0.0)


@dataclass(frozen=True, eq=False)
class Copy:
    """A copy of a trained network.

    Attributes
    ----------
    off
        Neurons that are switched off in it.
    key
        What identifies it among all copies of all runs.
    """

    trained: TrainedNetwork
    off: tuple[Neuron, ...]
    key: Hashable


def choose_damage(run: Run) -> tuple[Damage, bool]:
    """Fields for the criterion and the share to remove; also whether the slider rests."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        criterion = in_link("criterion", "break-criterion", BREAKING, BREAKING[0], _choose_criterion)
        with st.container(width="stretch"):
            share, rests = share_slider("Share to remove, % of the remaining weights", key=f"break-{run.id}")
            if run.sparsity:
                st.caption(f"{100 * run.sparsity:.0f}\u00a0% of all weights were removed in training already.")
    return Damage(criterion, share / 100), rests


def _choose_criterion() -> str:
    return st.selectbox(
        "Pruning criterion",
        BREAKING,
        format_func=lambda name: CRITERIA[name].title,
        key="break-criterion",
        width=240,
        help="What is chosen is removed from your copy at once, without training afterwards; no record is changed.",
    )


def copy_of(store: Store, run: Run, damage: Damage, off: tuple[Neuron, ...] = ()) -> Copy | None:
    """A run's network after the damage and with some neurons switched off; None without weights or counts.

    Computed once for all visitors, in about a twentieth of a second.

    Raises
    ------
    abp.runs.damage.NotMeasured
        If the criterion looks at the training samples and has not yet; see `damage_measured`.
    """
    return _copy(store, store.name, run.id, version(run), damage if damage.share else UNDAMAGED, off)


@st.cache_resource(show_spinner=False, max_entries=64)
def _copy(
    _store: Store, database: str, run: int, version: tuple, damage: Damage, off: tuple[Neuron, ...]
) -> Copy | None:
    whole = _trained(_store, database, run, version)
    if whole is None:
        return None
    broken = damaged(whole, damage.criterion, damage.share, at_once=True) if damage.share else whole
    return Copy(switched_off(broken, off), off, (database, "copy", run, version, damage, off))


@st.cache_resource(show_spinner=False, max_entries=16)
def _trained(_store: Store, database: str, run: int, version: tuple) -> TrainedNetwork | None:
    return trained_network(_store, _store.runs.get(run))


def damage_measured(store: Store, run: Run, criterion: str) -> bool:
    """Let a criterion look at the training samples, in the background; False, after saying so, until it has.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the training samples cannot be had.
    """
    whole = _trained(store, store.name, run.id, version(run))
    assert whole is not None
    work = (store.name, "look", run.id, version(run), criterion)
    words = f"“{CRITERIA[criterion].title}” looks at the training samples"
    return in_background(work, partial(damaged, whole, criterion, SHARES[1]), words) is not None


def predictions_of(copy: Copy, *, patience: float, quiet: bool = False) -> NDArray[np.int64] | None:
    """Predicted class of every test sample, computed in the background; None while it is, or without test samples."""
    if not has_test_samples(copy.trained.run.experiment.dataset):
        return None
    x, _ = pictures_of(copy.trained.run.experiment.dataset)
    work = partial(predictions, copy.trained.network, x)
    return in_background((copy.key, "predictions"), work, "Testing the network", patience=patience, quiet=quiet)


def has_test_samples(dataset: str) -> bool:
    """Whether the test samples of a data set are on this machine."""
    try:
        pictures_of(dataset)
    except DataUnavailable:
        return False
    return True


def accuracy(copy: Copy, *, patience: float) -> float | None:
    """Share of the test samples that a copy gets right; None while it is tested, or without test samples."""
    predicted = predictions_of(copy, patience=patience, quiet=True)
    if predicted is None:
        return None
    _, y = pictures_of(copy.trained.run.experiment.dataset)
    return float((predicted == y.numpy()).mean())


def damage_curves(store: Store, run: Run, damage: Damage) -> None:
    """Accuracy against the share removed, for the chosen criterion and some others, with the knee of the chosen one."""
    whole = _trained(store, store.name, run.id, version(run))
    if whole is None:
        return
    try:
        pictures_of(run.experiment.dataset)
    except DataUnavailable as error:
        st.info(
            f"The accuracy cannot be shown without the test samples. {literal(str(error))}",
            icon=":material/image_not_supported:",
        )
        return
    place = st.container()
    others = st.multiselect(
        "Criteria beside the chosen one",
        [name for name in BREAKING if name != damage.criterion],
        default=[name for name in BESIDE if name != damage.criterion],
        format_func=lambda name: CRITERIA[name].title,
        key=f"curves-beside-{damage.criterion}",
    )
    parts = [_curve(store, whole, criterion) for criterion in (damage.criterion, *others)]
    found = [part for part in parts if part is not None]
    if found:
        with place:
            _curves(pd.concat(found, ignore_index=True), damage)


def _curve(store: Store, whole: TrainedNetwork, criterion: str) -> pd.DataFrame | None:
    """The curve of one criterion, computed in the background once for all visitors; None while it is."""
    work = (store.name, "break", whole.run.id, version(whole.run), criterion)
    words = f"Computing the accuracy curve of “{CRITERIA[criterion].title}”"
    return in_background(work, partial(curves, whole, (criterion,)), words)


def _curves(table: pd.DataFrame, damage: Damage) -> None:
    mine = table[table["criterion"] == damage.criterion]
    if not mine.empty:  # else the training pictures that it needs are not on this machine
        last = knee(mine["removed"].tolist(), mine["accuracy"].tolist())
        st.markdown(
            f"By “{CRITERIA[damage.criterion].title}”, **{100 * last:.0f}\u00a0%** of the remaining weights can be "
            f"removed before accuracy falls by more than {100 * KNEE:.0f} points."
        )
    chart_with_data(
        "Accuracy after removal",
        "Test accuracy of a copy from which a growing share of the remaining weights is removed at once; the diamond "
        "is the knee, from where the chosen criterion's accuracy falls, the dotted line the position of the slider.",
        "Nothing is trained in between, so accuracy falls earlier than in a run that is pruned step by step and "
        "goes on learning.",
        [curve_chart(table, damage)],
        lambda: table,
        "accuracy-after-removal",
    )


def curves(whole: TrainedNetwork, criteria: Sequence[str] = BREAKING) -> pd.DataFrame:
    """Accuracy of copies damaged by each criterion: columns ``criterion``, ``method``, ``removed``, ``accuracy``.

    Criteria that need training pictures which cannot be had are left out.
    """
    x, y = pictures_of(whole.run.experiment.dataset)
    rows = []
    for criterion in criteria:
        try:
            for share in SHARES:
                right = predictions(damaged(whole, criterion, share).network, x) == y.numpy()
                rows.append((criterion, CRITERIA[criterion].title, share, float(right.mean())))
        except DataUnavailable:
            continue
    return pd.DataFrame(rows, columns=["criterion", "method", "removed", "accuracy"])


_PLOT, _LEGEND_ROW = 260, 22  # pixels


def curve_chart(table: pd.DataFrame, damage: Damage) -> Chart:
    """The curves (columns as of `curves`), the chosen one bold, with its knee and the slider's position."""
    shown = {CRITERIA[name].title: METHODS[name] for name in BREAKING if name in set(table["criterion"])}
    chosen = CRITERIA[damage.criterion].title
    x = alt.X(
        "removed:Q",
        title="remaining weights removed, %",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", grid=False),
    )
    y = alt.Y(
        "accuracy:Q", title="test accuracy, %", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)
    )
    scale = alt.Scale(domain=list(shown), range=list(shown.values()))
    legend = alt.Legend(orient="top", title=None, columns=2, labelLimit=150, symbolType="stroke")
    lines = (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=alt.Color("method:N", scale=scale, legend=legend),
            strokeDash=alt.StrokeDash("method:N", scale=alt.Scale(domain=list(shown)), legend=legend),
            strokeWidth=alt.condition(alt.datum.method == chosen, alt.value(3.5), alt.value(1.5)),
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip("removed:Q", format=".0%"),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        )
    )
    height = _PLOT + _LEGEND_ROW * -(-len(shown) // 2)  # the legend takes its room from the chart's height
    here = alt.Chart(pd.DataFrame({"removed": [damage.share]})).mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x=x)
    mine = table[table["criterion"] == damage.criterion]
    if mine.empty:
        return alt.layer(here, lines).properties(height=height)
    last = knee(mine["removed"].tolist(), mine["accuracy"].tolist())
    point = mine[mine["removed"] == last].assign(what="knee")
    marked = alt.Chart(point).encode(x=x, y=y)
    diamond = marked.mark_point(size=160, filled=True, shape="diamond", opacity=1, color=METHODS[damage.criterion])
    word = marked.mark_text(dy=-14, fontSize=13, fontWeight="bold", color=MUTED).encode(text=alt.Text("what:N"))
    return alt.layer(here, lines, diamond, word).properties(height=height)
