"""One colour per method, everywhere: Okabe & Ito's set and others as far from them, for any colour vision."""

from collections.abc import Mapping


class _Colours(dict[str, str]):
    """Methods that have no colour here, of other packages, share one."""

    def __missing__(self, method: str) -> str:
        return "#7B5B2E"


METHODS = _Colours(
    {
        "none": "#8A8F98",
        "activation": "#D55E00",
        "activation-neuron": "#E69F00",
        "magnitude": "#0072B2",
        "random": "#56B4E9",
        "inverted-activation": "#A0785A",
        "wanda": "#5A3FF0",
        "apoz": "#9C1420",
        "shuffled-activation": "#D63CF0",
        "reinitialised-activation": "#5F7A00",
        "pca": "#009E73",
        "svd": "#CC79A7",
        "random-neuron": "#8FD0F5",
        "magnitude-neuron": "#00386B",
        "shuffled-activation-neuron": "#F08CFF",
        "wanda-global": "#A79BF7",
        "taylor": "#1E6B2D",
        "taylor-neuron": "#7CC46B",
        "snip": "#B3A000",
        "lamp": "#00A5B5",
    }
)

TRAINING = "#D55E00"
VALIDATION = "#0072B2"
MUTED = "#8A8F98"

SPARE = ("#44AA99", "#882255", "#999933", "#332288", "#661100", "#117733", "#AA4499", "#DDCC77")
"""Colours for what has none of its own, or whose own is taken."""


def distinct(wanted: Mapping[str, str | None]) -> dict[str, str]:
    """Colours by name, no two alike while there are spare ones: the first to want a colour has it.

    >>> distinct({"dense": "#8A8F98", "another dense": "#8A8F98", "regularised": None})
    {'dense': '#8A8F98', 'another dense': '#44AA99', 'regularised': '#882255'}
    """
    spare = [colour for colour in SPARE if colour not in wanted.values()]
    found: dict[str, str] = {}
    for name, colour in wanted.items():
        if colour is None or colour in found.values():
            colour = spare.pop(0) if spare else MUTED
        found[name] = colour
    return found
