"""Legends outside charts and pictures: swatches with words, which wrap on a narrow screen as text does."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from abp.dashboard.charts.images import pixels_png
from abp.dashboard.charts.widgets import picture


def legend(entries: Sequence[tuple[bytes, int, str]]) -> None:
    """Swatches in a row: each a PNG, its width in pixels, and what it means."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        for png, width, words in entries:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
                picture(png, width=width, alt=f"Swatch: {words}")
                st.caption(words, width="content")


def line_png(colour: str, dash: Sequence[int]) -> bytes:
    """A piece of a line of a chart, 40 x 14 pixels.

    Parameters
    ----------
    dash
        Pixels drawn, left out, drawn, ... by turns, as in a chart's ``strokeDash``.
    """
    pixels = np.zeros((14, 40, 4), dtype=np.uint8)
    turn = np.concatenate([np.full(length, index % 2 == 0) for index, length in enumerate(dash)])
    drawn = np.resize(turn, pixels.shape[1])
    pixels[5:8, drawn] = (*bytes.fromhex(colour[1:]), 255)
    return pixels_png(pixels)
