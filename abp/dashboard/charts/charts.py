"""Charts: a DataFrame in, an Altair chart out.

Charts that follow a run keep their specification constant from tick to tick, so that the browser only exchanges the
data: domains are fixed or grow in rare steps, and nothing that changes stands in a title.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from abp.dashboard.charts.colours import MUTED, TRAINING, VALIDATION

Chart = Any  # Altair has no common class for its layered and plain charts

_WIDEST = 325  # pixels of the widest layer: what a phone can show
_STEPS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


def layer_columns(neurons: int, cell: int) -> int:
    """Columns in which a layer of so many neurons is laid out: a block about ten rows high, no wider than a phone."""
    return max(1, min(_WIDEST // cell, math.ceil(neurons / 10)))


def cell_size(hidden: Sequence[int]) -> int:
    """Pixels of a neuron's cell, the same for all layers of a network."""
    widest = max(hidden)
    return 13 if widest <= 400 else 8 if widest <= 1200 else 5


def activity(neurons: pd.DataFrame, count: int, cell: int) -> Chart:
    """Heatmap of one layer: each cell a neuron, coloured by activation frequency; removed ones are crosses.

    Parameters
    ----------
    neurons
        Columns ``neuron``, ``column``, ``row``, ``live_weights``, ``state`` (live or removed), ``frequency`` (share of
        samples for which it fires).
    count
        Neurons in the layer.
    cell
        Pixels of a cell.
    """
    columns = layer_columns(count, cell)
    rows = math.ceil(count / columns)
    gap = 1 if cell < 10 else 2
    place: dict[str, Any] = {
        "x": alt.X("column:Q", scale=alt.Scale(domain=[0, columns], nice=False), axis=None),
        "y": alt.Y("row:Q", scale=alt.Scale(domain=[rows, 0], nice=False), axis=None),
        "tooltip": [
            alt.Tooltip("layer:N", title="layer"),
            alt.Tooltip("neuron:Q", title="neuron"),
            alt.Tooltip("state:N", title="state"),
            alt.Tooltip("frequency:Q", title="fired for", format=".1%"),
            alt.Tooltip("live_weights:Q", title="incoming weights left"),
        ],
    }
    base = alt.Chart(neurons).encode(**place)
    live = (
        base.transform_filter("datum.state == 'live'")
        .mark_square(size=(cell - gap) ** 2, opacity=1, cornerRadius=2)
        .encode(color=alt.Color("frequency:Q", scale=alt.Scale(domain=[0, 1]), legend=None))
    )
    removed = base.transform_filter("datum.state == 'removed'").mark_point(
        shape="M-.5,-.5L.5,.5M.5,-.5L-.5,.5",
        size=cell * 2.5,
        color=MUTED,
        opacity=0.6,
        strokeWidth=1,
        filled=False,
        aria=False,  # the chart's words tell them; a group of none would be a picture without words
    )
    return _bare(alt.layer(live, removed).properties(width=columns * cell, height=rows * cell))


@functools.lru_cache(maxsize=64)
def activity_spec(count: int, cell: int) -> dict[str, Any]:
    """`activity` without its data, as Vega-Lite: a live page draws it each second, and Altair takes 30 ms for it."""
    columns = ["layer", "neuron", "column", "row", "frequency", "live_weights", "state"]
    return without_data(activity(pd.DataFrame(columns=columns), count, cell))


def without_data(chart: Chart) -> dict[str, Any]:
    """A chart as Vega-Lite, its data to be given each time."""
    return {name: part for name, part in chart.to_dict().items() if name not in ("data", "datasets")}


@functools.lru_cache(maxsize=1)
def frequency_legend_spec() -> dict[str, Any]:
    """`frequency_legend` as Vega-Lite, with its data, written once."""
    return frequency_legend().to_dict()


def frequency_legend() -> Chart:
    """The colour scale of `activity`, from never to always."""
    shades = pd.DataFrame({"from": [step / 20 for step in range(20)], "to": [(step + 1) / 20 for step in range(20)]})
    chart = (
        alt.Chart(shades)
        .mark_rect()
        .encode(
            x=alt.X("from:Q", title=None, axis=alt.Axis(values=[0, 0.5, 1], format="%", ticks=False, domain=False)),
            x2="to:Q",
            color=alt.Color("from:Q", scale=alt.Scale(domain=[0, 1]), legend=None),
        )
        .properties(width=170, height=42)
    )
    return _bare(chart)


def history(epochs: pd.DataFrame, prunings: pd.DataFrame, measure: str, last_epoch: int) -> Chart:
    """Training and validation accuracy, or loss, over the epochs, with a rule at each pruning.

    Parameters
    ----------
    epochs
        Columns ``epoch``, ``train_<measure>``, ``valid_<measure>``.
    prunings
        Columns ``position`` (in epochs), ``what``.
    measure
        ``"accuracy"`` (0 to 1) or ``"loss"`` (nats).
    last_epoch
        Epochs the axis must show; it grows in rare steps.
    """
    lines = epochs.melt("epoch", [f"train_{measure}", f"valid_{measure}"], "split", measure)
    lines["split"] = lines["split"].map({f"train_{measure}": "training", f"valid_{measure}": "validation"})
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[0, step_above(last_epoch)], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False),
    )
    kinds = alt.Scale(domain=["training", "validation"], range=[TRAINING, VALIDATION])
    dashes = alt.Scale(domain=["training", "validation"], range=[[1, 0], [5, 3]])
    curves = (
        alt.Chart(lines)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=12) if len(epochs) < 2 else False)
        .encode(
            x=x,
            y=_accuracy_axis(lines[measure]) if measure == "accuracy" else _loss_axis(lines[measure]),
            color=alt.Color("split:N", scale=kinds, title=None, legend=alt.Legend(orient="top", symbolType="stroke")),
            strokeDash=alt.StrokeDash("split:N", scale=dashes, title=None),
            tooltip=[
                "split:N",
                "epoch:Q",
                alt.Tooltip(f"{measure}:Q", format=".1%" if measure == "accuracy" else ".4f"),
            ],
        )
    )
    return alt.layer(_rules(prunings), curves).properties(height=270)


def sparsity(epochs: pd.DataFrame, prunings: pd.DataFrame, last_epoch: int) -> Chart:
    """Share of hidden weights removed over the epochs, as steps (columns ``position``, ``sparsity``)."""
    line = (
        alt.Chart(epochs)
        .mark_area(interpolate="step-after", color=MUTED, opacity=0.35, line={"color": MUTED, "strokeWidth": 2})
        .encode(
            x=alt.X(
                "position:Q",
                title="epoch",
                scale=alt.Scale(domain=[0, step_above(last_epoch)], nice=False),
                axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False),
            ),
            y=alt.Y("sparsity:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
            tooltip=[alt.Tooltip("position:Q", title="epoch"), alt.Tooltip("sparsity:Q", format=".1%")],
        )
    )
    return alt.layer(_rules(prunings), line).properties(height=270)


def step_above(epochs: int) -> int:
    """The next round number of epochs, so that an axis grows in rare steps.

    >>> step_above(11), step_above(25)
    (25, 25)
    """
    return next((step for step in _STEPS if step >= epochs), epochs)


def _accuracy_axis(values: pd.Series) -> alt.Y:
    """An accuracy axis from a round number below the lowest value to 100 %: no range wasted, and it seldom moves."""
    lowest = 0.0 if values.empty else math.floor(values.min() * 10) / 10
    return alt.Y(
        "accuracy:Q", title=None, scale=alt.Scale(domain=[min(lowest, 0.9), 1]), axis=alt.Axis(format="%", tickCount=5)
    )


def _loss_axis(values: pd.Series) -> alt.Y:
    """A loss axis from 0 to the next half above the highest value."""
    highest = 1.0 if values.empty else math.ceil(values.max() * 2) / 2
    return alt.Y("loss:Q", title=None, scale=alt.Scale(domain=[0, highest], nice=False), axis=alt.Axis(tickCount=5))


def _rules(prunings: pd.DataFrame) -> alt.Chart:
    return (
        alt.Chart(prunings)
        .mark_rule(strokeDash=[2, 3], color=MUTED, strokeWidth=1.5)
        .encode(x="position:Q", tooltip=[alt.Tooltip("what:N", title="pruning")])
    )


def _bare(chart: Chart) -> Chart:
    return chart.configure_view(strokeWidth=0).properties(padding={"left": 2, "right": 2, "top": 2, "bottom": 2})
