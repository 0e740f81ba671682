"""The chart of a layer's singular values."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from abp.dashboard.charts.charts import Chart

_FLOOR = 1e-4  # where a logarithmic axis begins; smaller values are not on it
_MANY = 500  # values of a layer; of more, some are not drawn


def spectrum_chart(
    table: pd.DataFrame,
    colours: dict[str, str],
    *,
    log: bool,
    highest: float,
    dashed: Sequence[Sequence[int]] | None = None,
) -> Chart:
    """One layer's singular values against their index, on a scale up to `highest`.

    Parameters
    ----------
    table
        Columns ``layer``, ``index``, ``value``, ``curve``.
    colours
        By curve.
    dashed
        The dashes of each curve; by default those of `dashes`.
    """
    table = thinned(table)
    highest = highest or 1.0  # of a layer without weights
    floor = min(_FLOOR, highest / 100)
    # A zero has no place on a logarithmic axis: its curve ends before.
    shown = table.assign(shown=table["value"].where(table["value"] >= floor) if log else table["value"])
    domain = [floor, highest * 1.1] if log else [0, highest * 1.05]
    scale = alt.Scale(type="log" if log else "linear", domain=domain, nice=False)
    names, lines = list(colours), dashed or dashes(len(colours))
    return (
        alt.Chart(shown)
        .mark_line(strokeWidth=2, clip=True, point=bool(table["index"].max() == 1))  # one point makes no line
        .encode(
            x=alt.X("index:Q", title="index", axis=alt.Axis(grid=False, tickCount=4, tickMinStep=1)),
            y=alt.Y("shown:Q", title="singular value", scale=scale, axis=alt.Axis(tickCount=5, format="~g")),
            color=alt.Color("curve:N", scale=alt.Scale(domain=names, range=list(colours.values())), legend=None),
            strokeDash=alt.StrokeDash("curve:N", scale=alt.Scale(domain=names, range=lines), legend=None),
            tooltip=[
                alt.Tooltip("curve:N"),
                alt.Tooltip("layer:N"),
                alt.Tooltip("index:Q"),
                alt.Tooltip("value:Q", format=".5g"),
            ],
        )
        .properties(height=260)
    )


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Of more than 500 singular values the first hundred, the last, and some in between at even distances."""
    last = table["index"].max()
    if last <= _MANY:
        return table
    index = table["index"]
    return table[(index <= 100) | (index % -(-last // (_MANY - 101)) == 0) | (index == last)]


def dashes(count: int) -> list[list[int]]:
    """The dashes of so many curves of one chart."""
    return [[2, 2], [6, 3], [1, 0], [8, 2, 2, 2], [4, 4], [3, 1], [10, 3], [1, 3]][:count]
