"""Parts that several pages use: a chart with its words and its data."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from abp.dashboard.charts.charts import Chart


def chart_with_data(
    title: str,
    caption: str,
    meaning: str,
    charts: Sequence[Chart],
    data: Callable[[], pd.DataFrame],
    name: str,
    legend: Callable[[], None] | None = None,
) -> None:
    """Charts under one heading: one plain sentence, what it means behind an icon, and the data as CSV.

    Parameters
    ----------
    charts
        Side by side where there is room, one for each hidden layer where there are several.
    data, name
        What the CSV holds, and the name of its file.
    legend
        Draws what all charts have in common, where they have no legends of their own.
    """
    st.subheader(title, anchor=False, help=meaning)
    st.caption(caption)
    if legend is not None:
        legend()
    places = st.columns(len(charts)) if len(charts) > 1 else [st.container()]
    for index, (place, chart) in enumerate(zip(places, charts, strict=True)):
        with place:
            layer = f" Hidden layer {index + 1}." if len(charts) > 1 else ""
            if layer:
                st.markdown(f"**Hidden {index + 1}**")
            st.altair_chart(chart, width="stretch", key=f"chart-{name}-{index}", alt=f"{title}: {caption}{layer}")
    download_csv(name, data)


def download_csv(name: str, data: Callable[[], pd.DataFrame]) -> None:
    """A small button that downloads a table; it is made only when someone asks for it."""
    st.download_button(
        "CSV",
        lambda: data().to_csv(index=False).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{name}",
        help=f"Download the data of this picture ({name}.csv)",
    )


def picture(png: bytes | Sequence[bytes], *, alt: str | Sequence[str], **details: Any) -> None:
    """One or several pictures, sent within the page.

    Not as files, as Streamlit does by itself: when a page is drawn anew, the files of the last time are gone, often
    before a browser has fetched them.

    Parameters
    ----------
    png
        PNG files.
    details
        As of ``st.image``.
    """
    files = [png] if isinstance(png, bytes) else png
    addresses = [f"data:image/png;base64,{base64.b64encode(file).decode()}" for file in files]
    st.image(addresses, alt=[alt] if isinstance(alt, str) else alt, **details)
