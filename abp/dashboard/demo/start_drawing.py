"""The pictures on the first page: a network before, while and after its seldom used neurons are removed."""

import altair as alt
import numpy as np
import pandas as pd

from abp.dashboard.charts.colours import MUTED

_LAYERS = (5, 8, 6, 3)
_STAGES = ("it learns", "some hardly fire", "they are removed")
_SELDOM = {(1, 1), (1, 4), (1, 6), (2, 0), (2, 3)}  # layer and place of the neurons that hardly fire


def pruning_pictures() -> list[alt.LayerChart]:
    """Three small drawings of one network, one after the other in time; drawings, not measurements."""
    return [_picture(stage, words) for stage, words in enumerate(_STAGES)]


def _picture(stage: int, words: str) -> alt.LayerChart:
    neurons, links = _drawing(stage)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.3, 3.3]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.6, 8.2]))
    lines = alt.Chart(links).mark_rule(color=MUTED, opacity=0.35).encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    dots = (
        alt.Chart(neurons[neurons["state"] != "removed"])
        .mark_circle(size=170, opacity=1)
        .encode(x=x, y=y, color=alt.Color("frequency:Q", scale=alt.Scale(domain=[0, 1]), legend=None))
    )
    crosses = (
        alt.Chart(neurons[neurons["state"] == "removed"])
        .mark_point(shape="M-.5,-.5L.5,.5M.5,-.5L-.5,.5", size=60, color=MUTED, filled=False, aria=False)
        .encode(x=x, y=y)
    )
    label = pd.DataFrame([{"x": 1.5, "y": 8.0, "text": words}])
    labels = alt.Chart(label).mark_text(fontSize=14, color=MUTED).encode(x=x, y=y, text="text:N")
    return alt.layer(lines, dots, crosses, labels).configure_view(strokeWidth=0).properties(width=200, height=240)


def _drawing(stage: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    shades = np.random.default_rng(4)
    neurons, links = [], []
    for layer, width in enumerate(_LAYERS):
        for place in range(width):
            frequency = shades.uniform(0.45, 0.95)
            seldom = (layer, place) in _SELDOM and stage > 0
            removed = seldom and stage == 2
            x, y = _place(layer, place)
            neurons.append(
                {"x": x, "y": y, "frequency": 0.03 if seldom else frequency, "state": "removed" if removed else "live"}
            )
            links += [] if removed else _links(stage, layer, place)
    return pd.DataFrame(neurons), pd.DataFrame(links)


def _links(stage: int, layer: int, place: int) -> list[dict[str, float]]:
    """Lines from a neuron to those of the next layer that are still there."""
    if layer + 1 == len(_LAYERS):
        return []
    x, y = _place(layer, place)
    there = [next_ for next_ in range(_LAYERS[layer + 1]) if stage < 2 or (layer + 1, next_) not in _SELDOM]
    ends = [_place(layer + 1, next_) for next_ in there]
    return [{"x": x, "y": y, "x2": x2, "y2": y2} for x2, y2 in ends]


def _place(layer: int, place: int) -> tuple[float, float]:
    return float(layer), place + (7 - _LAYERS[layer]) / 2
