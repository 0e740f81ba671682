"""What charts have in common."""

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


def svg(chart: Chart) -> str:
    """A chart as a picture, for places without its scripts."""
    drawn = io.StringIO()
    chart.save(drawn, format="svg")
    return drawn.getvalue()
