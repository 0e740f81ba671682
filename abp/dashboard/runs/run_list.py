"""The list of runs, and the actions on those that are ticked."""

from collections.abc import Collection

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from abp.dashboard.charts import tables
from abp.dashboard.charts.widgets import csv_file
from abp.dashboard.frame.links import study_from_link
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment, store
from abp.dashboard.frame.run_label import time_zone
from abp.dashboard.runs.actions import actions
from abp.dashboard.runs.family import family
from abp.store.records import Run
from abp.training.experiment import Experiment

_LINES_OF_NAMES = 66  # pixels of a row: a long name takes several lines, which Streamlit allows from 65 on
_DEMOS = 3  # shown at first

# What is ticked changes the actions, and the table below them must not move from under the mouse.
_STYLE = "<style>.st-key-run-actions { min-height: 9.5rem; }</style>"


def run_list(demos: Collection[Experiment]) -> None:
    """All runs, or those of the link's study, as a table that keeps up to date; above it the actions on what is ticked.

    Parameters
    ----------
    demos
        Settings of demos, of which only the newest are shown at first.
    """
    study = study_from_link()
    if study is not None:
        _study_heading(study)
    runs = _read(study)
    if not runs:
        st.info("There are no runs yet. Train a network, and it appears here.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train a network", icon=":material/play_circle:")
        return
    older = [] if study is not None else _older_demos(runs, demos)
    all_demos = bool(older) and st.toggle(
        f"Show all demos ({len(older)} more)", key="all-demos", help="Older demos are kept, and folded away here."
    )
    hidden = set() if all_demos else {run.id for run in older}
    shown = [run for run in runs if run.id not in hidden]
    selected = _selected(shown)
    st.html(_STYLE)
    with st.container(key="run-actions"):
        actions(store(), [store().runs.get(number) for number in selected])

    @fragment(run_every=2.0 if any(run.active for run in runs) else 10.0)
    def listing() -> None:
        now = [run for run in _read(study) if run.id not in hidden]
        if _outside_table(now, selected) != _outside_table(shown, selected):
            st.rerun()
        _table(now)
        if _selected(now) != selected:
            st.rerun()

    listing()
    if len(selected) == 1:
        family(store().runs.get(selected[0]), runs)


def _read(study: int | None) -> list[Run]:
    """The runs, the newest first."""
    return store().runs.all() if study is None else store().studies.runs(study)[::-1]


def _study_heading(study: int) -> None:
    name = store().studies.get(study).name
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Runs of study {study}: **{literal(name)}**", width="content")
        query = {"study": str(study)}
        st.page_link("pages/compare.py", label="Back to the study", icon=":material/compare:", query_params=query)
        st.page_link("pages/runs.py", label="Show all runs", icon=":material/list_alt:")


def _older_demos(runs: list[Run], demos: Collection[Experiment]) -> list[Run]:
    """Demos that have ended, but for the newest."""
    ended = [run for run in runs if not (run.active or run.unreadable) and run.parent is None]
    return [run for run in ended if run.experiment in demos][_DEMOS:]


def _outside_table(runs: list[Run], selected: list[int]) -> tuple:
    """What the page shows of the runs outside the table, which updates itself."""
    chosen = [(run.name, run.status) for run in runs if run.id in selected]
    return [run.id for run in runs], any(run.active for run in runs), chosen


def _table_key(runs: list[Run]) -> str:
    """A selection is a row number, which would mean another run among other rows, so the key depends on the rows."""
    return f"runs-{runs[0].id if runs else 0}-{len(runs)}"


def _selected(runs: list[Run]) -> list[int]:
    """Numbers of the selected runs."""
    table = st.session_state.get(_table_key(runs))
    rows = table["selection"]["rows"] if table else []
    return [runs[row].id for row in sorted(rows) if row < len(runs)]


def _table(runs: list[Run]) -> None:
    table = tables.runs(runs)
    zone = time_zone()
    st.dataframe(
        table,
        key=_table_key(runs),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=_LINES_OF_NAMES,
        alt="runs",
        column_config={
            # Narrow enough for a phone to show a result beside the name.
            "Run": st.column_config.NumberColumn(width=45),
            "Name": st.column_config.TextColumn(width=190),
            "Status": st.column_config.TextColumn(width=95),
            "Validation accuracy": _accuracy("Validation", "Accuracy on the validation pictures", width=80),
            "Test accuracy": _accuracy("Test", "Accuracy on the test pictures", width=65),
            "Sparsity": st.column_config.NumberColumn(format="%.1f %%", width=75),
            "Epochs": st.column_config.NumberColumn(width=60),
            "Continues": st.column_config.TextColumn(width=130, help="The run that it continues, and how."),
            "Amount": st.column_config.NumberColumn(format="%.0f %%"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            "Started": st.column_config.DatetimeColumn(
                format="D MMM HH:mm", width=100, timezone=str(zone) if zone else None
            ),
        },
    )
    st.download_button(
        "Download table (CSV)",
        lambda: csv_file(table),
        file_name="runs.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def _accuracy(label: str, meaning: str, width: int) -> ColumnConfig:
    return st.column_config.NumberColumn(label, help=f"{meaning} after the last epoch.", format="%.1f %%", width=width)
