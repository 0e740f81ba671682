"""Widgets that several pages use: a chart with its words and its data, a table's download, a picture."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from abp.dashboard.charts.charts import Chart
from abp.studies import typesetting

_COLUMNS = 4  # of charts; the axes of more would leave no room for what they show


def chart_with_data(
    title: str,
    caption: str,
    meaning: str,
    charts: Sequence[Chart],
    data: Callable[[], pd.DataFrame],
    name: str,
    legend: Callable[[], None] | None = None,
    headings: Sequence[str] = (),
) -> None:
    """Charts under one heading: a one-sentence caption, the meaning behind an icon, and the data as CSV.

    Parameters
    ----------
    charts
        Side by side where there is room, in rows of four; if there are several, one for each hidden layer.
    data, name
        The contents of the CSV file, and its name.
    legend
        Draws the legend that all charts share, if they have none of their own.
    headings
        What stands above each chart, as Markdown, where they are not of hidden layers.
    """
    st.subheader(title, anchor=False, help=meaning)
    st.caption(caption)
    if legend is not None:
        legend()
    columns = min(len(charts), _COLUMNS)
    for index, chart in enumerate(charts):
        if index % columns == 0:
            places = st.columns(columns) if columns > 1 else [st.container()]
        with places[index % columns]:
            layer = f" Hidden layer {index + 1}." if len(charts) > 1 else ""
            if headings:
                layer = f" Layer {index + 1}."
                st.markdown(f"**{headings[index]}**")
            elif layer:
                st.markdown(f"**Hidden {index + 1}**")
            show_chart(chart, key=f"chart-{name}-{index}", alt=f"{title}: {caption}{layer}")
    download_csv(name, data)


_LEGENDS = {"legend": {"layout": {"top": {"anchor": "end"}}}}
"""Legends end where the plot does: one wider than a phone's plot begins above the axis, instead of being cut off."""

VALIDATE = False
"""Whether Altair compares charts with Vega-Lite's schema, which takes longer than all else about them. Tests do."""


def show_chart(chart: Chart, *, key: str, alt: str) -> None:
    """Draw a chart as wide as its place."""
    st.altair_chart(_Unvalidated(chart), width="stretch", key=key, alt=alt)  # type: ignore[call-overload]


class _Unvalidated:
    """A chart as far as Streamlit asks for it."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        specification = self._chart.to_dict(validate=VALIDATE)
        return {**specification, "config": {**specification.get("config", {}), **_LEGENDS}}


def download_csv(name: str, data: Callable[[], pd.DataFrame]) -> None:
    """A small button that downloads a table, which is computed only on request."""
    st.download_button(
        "CSV",
        lambda: csv_file(data()),
        file_name=f"{name}.csv",
        mime="text/csv",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{name}",
        help=f"Download these data ({name}.csv)",
    )


def csv_file(table: pd.DataFrame) -> bytes:
    """A table as a CSV file, UTF-8, that a spreadsheet shows as it is.

    Text that begins like a formula, such as the name ``=1+1`` of a run, would be computed there; an apostrophe before
    it keeps it text.

    >>> csv_file(pd.DataFrame({"run": [1], "name": ["=1+1"], "change": [-0.5]}))
    b"run,name,change\\n1,'=1+1,-0.5\\n"
    """
    texts = {name: column.map(_harmless) for name, column in table.select_dtypes(["object", "string"]).items()}
    return table.assign(**texts).to_csv(index=False).encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def download_text(label: str, name: str, content: str, meaning: str) -> None:
    """A small button that downloads a text under this file name."""
    st.download_button(
        label,
        content.encode(),
        file_name=name,
        mime="text/plain",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        key=f"text-{name}",
        help=meaning,
    )


def picture(png: bytes | Sequence[bytes], *, alt: str | Sequence[str], **details: Any) -> None:
    """One or several pictures, sent within the page.

    Streamlit would send them as files; but when a page is redrawn, the previous files are gone, often before a browser
    has fetched them.

    Parameters
    ----------
    png
        PNG files.
    details
        Passed on to ``st.image``.
    """
    files = [png] if isinstance(png, bytes) else png
    addresses = [f"data:image/png;base64,{base64.b64encode(file).decode()}" for file in files]
    st.image(addresses, alt=[alt] if isinstance(alt, str) else alt, **details)


def download_table(name: str, table: pd.DataFrame, note: str) -> None:
    """Buttons that take a table as Markdown and LaTeX, with the sentence that states N, the test and the correction."""
    meaning = "This table as text, with the sentence that states N, the test and the correction"
    download_text("Markdown", f"{name}.md", typesetting.to_markdown(table, note), f"{meaning}.")
    download_text("LaTeX", f"{name}.tex", typesetting.to_latex(table, note), f"{meaning} (booktabs).")
