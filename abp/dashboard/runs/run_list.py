"""The list of runs and what can be done with one of them."""

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from abp.dashboard.charts import tables
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.page import fragment, plain_errors, store
from abp.dashboard.runs.family import family
from abp.store.records import Run
from abp.store.store import Store


def run_list() -> None:
    """All runs as a table that follows them; choosing one opens what can be done with it."""
    runs = store().runs.all()
    if not runs:
        st.info("There are no runs yet. Start one, and it will be listed here.", icon=":material/info:")
        st.page_link("pages/train.py", label="Start a run", icon=":material/play_circle:")
        return
    st.caption("Tick a run to open, rename, repeat, download or delete it. Accuracies are those of the last epoch.")
    ticked = _ticked(runs)

    @fragment(run_every=2.0 if any(run.active for run in runs) else None)
    def listing() -> None:
        now = store().runs.all()
        if _standing(now, ticked) != _standing(runs, ticked):
            st.rerun()
        _table(now)
        if _ticked(now) != ticked:
            st.rerun()

    listing()
    # Outside the fragment: a dialog that a button of a fragment opened would be torn down by the fragment's timer.
    if ticked is not None:
        _actions(store(), store().runs.get(ticked))
        family(store().runs.get(ticked), runs)


def _standing(runs: list[Run], ticked: int | None) -> tuple:
    """What the page shows, or has to know, of the runs outside the table, whose own numbers change without it."""
    chosen = [(run.name, run.status) for run in runs if run.id == ticked]
    return [run.id for run in runs], any(run.active for run in runs), chosen


def _table_key(runs: list[Run]) -> str:
    """A tick is a row's place: with other rows it would be another run's, so such a table starts without one."""
    return f"runs-{runs[0].id}-{len(runs)}"


def _ticked(runs: list[Run]) -> int | None:
    """Number of the ticked run."""
    table = st.session_state.get(_table_key(runs))
    rows = table["selection"]["rows"] if table else []
    return runs[rows[0]].id if rows and rows[0] < len(runs) else None


def _table(runs: list[Run]) -> None:
    table = tables.runs(runs)
    st.dataframe(
        table,
        key=_table_key(runs),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        alt="All runs with their status, settings and results.",
        column_config={
            # So narrow that a phone shows a result beside the name; a click on a name shows all of it.
            "Run": st.column_config.NumberColumn(width=45),
            "Name": st.column_config.TextColumn(width=140),
            "Status": st.column_config.TextColumn(width=65),
            "Validation accuracy": _accuracy("Validation", "Accuracy on the validation pictures", width=78),
            "Test accuracy": _accuracy("Test", "Accuracy on the test pictures", width=65),
            "Sparsity": st.column_config.NumberColumn(format="%.1f %%", width=75),
            "Epochs": st.column_config.NumberColumn(width=60),
            "Continues": st.column_config.TextColumn(width=130, help="The run it started from, and how."),
            "Amount": st.column_config.NumberColumn(format="%.0f %%"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            "Started": st.column_config.DatetimeColumn(format="distance"),
        },
    )
    st.download_button(
        "CSV of this table",
        lambda: table.to_csv(index=False).encode(),
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
    st.subheader(run.name, anchor=False)
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
        if operating() and run.status == "interrupted" and st.button("Resume", icon=":material/play_arrow:"):
            store.commands.add(number, "resume")
            st.rerun()
        # Bytes, not functions: Streamlit answers a click on a function's button with an error when the page has been
        # drawn anew meanwhile, as it is after a renaming.
        history = store.histories.epochs(number) if run.epoch else pd.DataFrame()
        st.download_button(
            "History (CSV)",
            history.to_csv(index=False).encode(),
            file_name=f"run-{number}-history.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=run.epoch == 0,
        )
        st.download_button(
            "Weights (safetensors)",
            store.weights.get(number, "final") or b"",
            file_name=f"run-{number}.safetensors",
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            disabled=not run.has_weights,
            help="The final weights; there are none before a run has ended.",
        )
        if operating() and st.button("Rename", icon=":material/edit:"):
            _rename(store, run)
        if operating() and st.button("Delete", icon=":material/delete:"):
            _delete(store, run)


@st.dialog("Rename the run")
def _rename(store: Store, run: Run) -> None:
    name = st.text_input("Name", value=run.name, max_chars=200)
    if st.button("Save", type="primary"):
        try:
            with plain_errors():
                store.runs.rename(run.id, name)
                st.rerun()
        except ValueError as error:
            st.error(f"{error}.")


@st.dialog("Delete the run?")
def _delete(store: Store, run: Run) -> None:
    st.markdown(f"**{run.name}** (run {run.id}) and everything recorded of it will be gone. This cannot be undone.")
    if run.active:
        st.warning("It is not finished: its training ends too.", icon=":material/warning:")
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", icon=":material/delete:"):
            with plain_errors():
                store.runs.delete(run.id)
                st.rerun()
        if st.button("Keep it"):
            st.rerun()
