"""What charts have in common.

Their channels are objects, such as ``alt.X("epoch:Q")``: of a text alone, Altair takes 7 ms to find the class.
"""

import io
from typing import Any

Chart = Any  # Altair has no common class for its layered and plain charts

_STEPS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


def step_above(epochs: int) -> int:
    """The next round number of epochs, so that an axis grows in rare steps.

    >>> step_above(11), step_above(25)
    (25, 25)
    """
    return next((step for step in _STEPS if step >= epochs), epochs)


LOWEST = 220
"""Pixels that no plot is lower than."""

_LEGEND_ROW = 22  # pixels of a row of a legend above a plot


def height(plot: float, *, legend: int = 0, columns: int = 2) -> float:
    """Pixels for a plot and, above it, a legend of so many entries, which takes its room from the chart.

    >>> height(300, legend=5), height(40)
    (366, 220)
    """
    return max(plot, LOWEST) + _LEGEND_ROW * -(-legend // columns)


def svg(chart: Chart) -> str:
    """A chart as a picture, for places without its scripts.

    Names beside the plot get more room than they were measured to need, since a reader's font may be wider.
    """
    drawn = io.StringIO()
    chart.properties(padding={"left": 40, "top": 5, "right": 5, "bottom": 5}).save(drawn, format="svg")
    return drawn.getvalue()
