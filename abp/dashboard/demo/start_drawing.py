"""The drawing on the first page while there is no run yet: a network before, while and after neurons are removed."""

import random

_LAYERS = (5, 8, 6, 3)
_STAGES = ("it learns", "some hardly fire", "they are removed")
_SELDOM = {(1, 1), (1, 4), (1, 6), (2, 0), (2, 3)}  # layer and place of the neurons that hardly fire
_STEP = 26  # pixels between neurons
_WIDTH, _HEIGHT = 190, 240

# The ends of the theme's scale for how often a neuron fires, light and dark.
_SELDOM_COLOUR = "light-dark(#FEEBD6, #3D1670)"
_COLOURS = (
    "light-dark(#FBAA58, #9E2C63)",
    "light-dark(#F58F31, #C23C4F)",
    "light-dark(#E57517, #E05536)",
    "light-dark(#CC5E0C, #F3771A)",
)


def pruning_drawings() -> list[str]:
    """Three small drawings of one network, one after the other in time, as SVG; drawings, not measurements."""
    return [_drawing(stage, words) for stage, words in enumerate(_STAGES)]


def _drawing(stage: int, words: str) -> str:
    shades = random.Random(4)
    lines, marks = [], []
    for layer, width in enumerate(_LAYERS):
        for place in range(width):
            seldom = (layer, place) in _SELDOM and stage > 0
            removed = seldom and stage == 2
            colour = shades.choice(_COLOURS)
            x, y = _position(layer, place)
            if removed:
                marks.append(f'<path d="M{x - 4} {y - 4}l8 8m0-8l-8 8" stroke="#8A8F98" stroke-width="1.5"/>')
                continue
            marks.append(f'<circle cx="{x}" cy="{y}" r="8" style="fill: {_SELDOM_COLOUR if seldom else colour}"/>')
            lines += _links(stage, layer, place)
    label = f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 4}" text-anchor="middle" font-size="14">{words}</text>'
    spoken = f"A drawing of a network, {stage + 1} of {len(_STAGES)}: {words}"
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" fill="currentColor" '
        f'aria-label="{spoken}">{"".join([*lines, *marks, label])}</svg>'
    )


def _links(stage: int, layer: int, place: int) -> list[str]:
    """Lines from a neuron to those of the next layer that are still there."""
    if layer + 1 == len(_LAYERS):
        return []
    x, y = _position(layer, place)
    there = [later for later in range(_LAYERS[layer + 1]) if stage < 2 or (layer + 1, later) not in _SELDOM]
    ends = [_position(layer + 1, later) for later in there]
    return [f'<path d="M{x} {y}L{x2} {y2}" stroke="#8A8F98" opacity="0.35"/>' for x2, y2 in ends]


def _position(layer: int, place: int) -> tuple[float, float]:
    return 20.0 + layer * 50, 14 + (place + (8 - _LAYERS[layer]) / 2) * _STEP
