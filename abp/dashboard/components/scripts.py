"""JavaScript of our components: each is one text to Streamlit, and several files here, so that they share a core."""

from pathlib import Path

GRID = ("grid_layout", "neuron_grid", "grid_pointer")
"""The drawing core, for components that draw neurons."""

_FOLDER = Path(__file__).parent


def script(*names: str) -> str:
    """The files of these names joined in order; only the last has a default export, the others are its words."""
    return "\n".join((_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)


def style(name: str) -> str:
    """The style sheet of a component."""
    return (_FOLDER / f"{name}.css").read_text(encoding="utf-8")
