"""Fields that say beside themselves why a value cannot be used.

Streamlit's own bounds are enforced in the browser, which keeps the value that was there before without a word.
"""

from contextlib import nullcontext
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.frame.markdown import literal
from abp.pruning.criteria import BROKEN


def number_field(
    label: str, value: float, low: float, high: float, *, place: DeltaGenerator | None = None, **details: Any
) -> Any:
    """A number from `low` to `high`, whole if `value` is; None, after saying why, while another one is written there.

    Parameters
    ----------
    place
        Where to say why, if there is no room below the field.
    details
        Passed on to ``st.number_input``.
    """
    whole = isinstance(value, int)
    details = {"step": 1} | details if whole else {"format": "%g"} | details
    # The bounds are not given to the browser, which would tell nobody that a value is outside of them.
    given = st.number_input(label, value=value if whole else float(value), **details)
    if low <= given <= high:
        return given
    shown = [f"{number:,}" if whole else f"{number:g}" for number in (low, high, given)]
    with place or nullcontext():
        refuse(f"“{label}” must be from {shown[0]} to {shown[1]}, not {shown[2]}.")
    return None


def broken_criteria() -> None:
    """Say below a choice of criteria which ones of other packages are not in it, if any."""
    if BROKEN:
        st.caption(literal(f"Not available here: {', '.join(BROKEN)}. The command “abp doctor” says why."))


def refuse(sentence: str) -> None:
    """Say beside the field above why its value cannot be used."""
    st.error(literal(sentence))
