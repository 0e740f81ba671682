"""The list of runs, and the actions on one of them."""

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from abp.dashboard.charts import tables
from abp.dashboard.charts.widgets import csv_file
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment, plain_errors, store
from abp.dashboard.runs.family import family
from abp.store.records import CommandKind, Run, Status
from abp.store.store import Store


def run_list() -> None:
    """All runs as a table that keeps up to date; selecting one shows the actions on it."""
    runs = store().runs.all()
    if not runs:
        st.info("There are no runs yet. Train a network, and it appears here.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train a network", icon=":material/play_circle:")
        return
    st.caption(
        "Select a run to open, rename, repeat, download or delete it, or two runs to compare them; accuracies are "
        "those after the last epoch."
    )
    selected = _selected(runs)

    @fragment(run_every=2.0 if any(run.active for run in runs) else None)
    def listing() -> None:
        now = store().runs.all()
        if _outside_table(now, selected) != _outside_table(runs, selected):
            st.rerun()
        _table(now)
        if _selected(now) != selected:
            st.rerun()

    listing()
    # Outside the fragment, whose timer would close a dialog that one of its own buttons had opened.
    if len(selected) == 1:
        _actions(store(), store().runs.get(selected[0]))
        family(store().runs.get(selected[0]), runs)
    elif len(selected) == 2:
        first, second = map(str, selected)
        query = {"run": first, "other": second}
        label = f"Compare runs {first} and {second}"
        st.page_link("pages/pair.py", label=label, icon=":material/compare_arrows:", query_params=query)
    elif selected:
        st.caption("Select one run for its actions, or two to compare them.")


def _outside_table(runs: list[Run], selected: list[int]) -> tuple:
    """What the page shows of the runs outside the table, which updates itself."""
    chosen = [(run.name, run.status) for run in runs if run.id in selected]
    return [run.id for run in runs], any(run.active for run in runs), chosen


def _table_key(runs: list[Run]) -> str:
    """A selection is a row number, which would mean another run among other rows, so the key depends on the rows."""
    return f"runs-{runs[0].id}-{len(runs)}"


def _selected(runs: list[Run]) -> list[int]:
    """Numbers of the selected runs."""
    table = st.session_state.get(_table_key(runs))
    rows = table["selection"]["rows"] if table else []
    return [runs[row].id for row in sorted(rows) if row < len(runs)]


def _table(runs: list[Run]) -> None:
    table = tables.runs(runs)
    st.dataframe(
        table,
        key=_table_key(runs),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        alt="All runs with their status, settings and results.",
        column_config={
            # Narrow enough for a phone to show a result beside the name; a click on a name shows it in full.
            "Run": st.column_config.NumberColumn(width=45),
            "Name": st.column_config.TextColumn(width=140),
            "Status": st.column_config.TextColumn(width=65),
            "Validation accuracy": _accuracy("Validation", "Accuracy on the validation pictures", width=78),
            "Test accuracy": _accuracy("Test", "Accuracy on the test pictures", width=65),
            "Sparsity": st.column_config.NumberColumn(format="%.1f %%", width=75),
            "Epochs": st.column_config.NumberColumn(width=60),
            "Continues": st.column_config.TextColumn(width=130, help="The run that it continues, and how."),
            "Amount": st.column_config.NumberColumn(format="%.0f %%"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            "Started": st.column_config.DatetimeColumn(format="distance"),
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


def _actions(store: Store, run: Run) -> None:
    number = run.id
    st.subheader(literal(run.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        query = {"run": str(number)}
        st.page_link("pages/train.py", label="Open", icon=":material/open_in_new:", query_params=query)
        again = {"from": str(number)}
        st.page_link("pages/train.py", label="Rerun with changes", icon=":material/replay:", query_params=again)
        go_on = {"continue": str(number)}
        st.page_link(
            "pages/train.py",
            label="Continue",
            icon=":material/fast_forward:",
            query_params=go_on,
            disabled=not run.has_weights,
        )
        if operating() and run.status == Status.INTERRUPTED and st.button("Resume", icon=":material/play_arrow:"):
            store.commands.add(number, CommandKind.RESUME)
            st.rerun()
        # Bytes, not functions: Streamlit answers a click with an error if the page has been redrawn since the button
        # was, as it is after a renaming.
        history = store.histories.epochs(number) if run.epoch else pd.DataFrame()
        st.download_button(
            "Download history (CSV)",
            csv_file(history),
            file_name=f"run-{number}-history.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=run.epoch == 0,
        )
        st.download_button(
            "Download weights (safetensors)",
            store.weights.get(number, "final") or b"",
            file_name=f"run-{number}.safetensors",
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            disabled=not run.has_weights,
            help="The final weights, which are recorded when a run ends.",
        )
        if operating() and st.button("Rename", icon=":material/edit:"):
            _rename(store, run)
        if operating() and st.button("Delete", icon=":material/delete:"):
            _delete(store, run)


@st.dialog("Rename run")
def _rename(store: Store, run: Run) -> None:
    name = st.text_input("Name", value=run.name, max_chars=200)
    if st.button("Save", type="primary"):
        try:
            with plain_errors():
                store.runs.rename(run.id, name)
                st.rerun()
        except ValueError as error:
            st.error(f"{error}.")


@st.dialog("Delete run?")
def _delete(store: Store, run: Run) -> None:
    st.markdown(f"**{literal(run.name)}** (run {run.id}) and all its records will be deleted. This cannot be undone.")
    if run.active:
        st.warning("This run is still in training; deleting it ends the training.", icon=":material/warning:")
    with st.container(horizontal=True):
        if st.button("Delete the run", type="primary", icon=":material/delete:"):
            with plain_errors():
                store.runs.delete(run.id)
                st.rerun()
        if st.button("Keep the run"):
            st.rerun()
