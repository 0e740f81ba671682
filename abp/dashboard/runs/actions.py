"""What can be done with one run of the list, or with several."""

from collections.abc import Sequence

import streamlit as st

from abp.dashboard.charts.widgets import csv_file
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import plain_errors
from abp.dashboard.frame.refresh import version
from abp.dashboard.frame.rename import rename_dialog
from abp.dashboard.runs.archive import archive
from abp.store.records import CommandKind, Run, Status
from abp.store.store import Store


def actions(store: Store, runs: Sequence[Run]) -> None:
    """Draw the actions on the ticked runs, or what to tick."""
    if not runs:
        st.caption(
            "Tick a run to open, rename, repeat, download or delete it, or several to compare, download or delete "
            "them together. Accuracies are those after the last epoch."
        )
    elif len(runs) == 1:
        _of_one(store, runs[0])
    else:
        _of_several(store, runs)


def _of_one(store: Store, run: Run) -> None:
    number = run.id
    st.subheader(literal(run.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        query = {"run": str(number)}
        st.page_link("pages/train.py", label="Open", icon=":material/open_in_new:", query_params=query)
        again = {"from": str(number)}
        st.page_link("pages/train.py", label="Rerun with changes", icon=":material/replay:", query_params=again)
        if run.has_weights:
            go_on = {"continue": str(number)}
            st.page_link("pages/train.py", label="Continue", icon=":material/fast_forward:", query_params=go_on)
        if operating() and run.status == Status.INTERRUPTED and st.button("Resume", icon=":material/play_arrow:"):
            store.commands.add(number, CommandKind.RESUME)
            st.rerun()
        if run.epoch:
            _file("Download history (CSV)", csv_file(store.histories.epochs(number)), f"run-{number}-history.csv")
        weights = store.weights.get(number, "final") if run.has_weights else None
        if weights is not None:
            _file("Download weights (safetensors)", weights, f"run-{number}.safetensors")
        if operating() and st.button("Rename", icon=":material/edit:"):
            rename_dialog("run", run.name, lambda name: store.runs.rename(number, name))
        if operating() and st.button("Delete", icon=":material/delete:"):
            _delete(store, [run])


def _of_several(store: Store, runs: Sequence[Run]) -> None:
    st.subheader(f"{len(runs)} runs ticked", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(runs) == 2:
            first, second = (str(run.id) for run in runs)
            st.page_link(
                "pages/pair.py",
                label=f"Compare runs {first} and {second}",
                icon=":material/compare_arrows:",
                query_params={"run": first, "other": second},
            )
        else:
            st.caption("Tick one for more actions, or two to compare them.", width="content")
        _zip(store, runs)
        if operating() and st.button(f"Delete {len(runs)} runs", icon=":material/delete:"):
            _delete(store, runs)


def _zip(store: Store, runs: Sequence[Run]) -> None:
    """One file of all; made in the background once it is asked for."""
    key = (store.name, "zip", *((run.id, run.epoch, version(run)) for run in runs))
    asked = "zip-of-runs"
    if st.session_state.get(asked) != key:
        if st.button("Download as one zip", icon=":material/folder_zip:"):
            st.session_state[asked] = key
            st.rerun()
        return
    packed = in_background(key, lambda: archive(store, runs), f"Packing {len(runs)} runs")
    if packed is not None:
        _file("Save runs.zip", packed, "runs.zip")


def _file(label: str, content: bytes, name: str) -> None:
    """A download of bytes, not of a function: a page that has been redrawn since would answer a click with an error."""
    kinds = {"csv": "text/csv", "zip": "application/zip"}
    st.download_button(
        label,
        content,
        file_name=name,
        mime=kinds.get(name.rsplit(".", 1)[-1], "application/octet-stream"),
        icon=":material/download:",
        on_click="ignore",
    )


def _delete(store: Store, runs: Sequence[Run]) -> None:
    one = len(runs) == 1

    @st.dialog("Delete run?" if one else f"Delete {len(runs)} runs?")
    def ask() -> None:
        if one:
            what = f"**{literal(runs[0].name)}** (run {runs[0].id}) and all its records"
        else:
            what = f"Runs {', '.join(str(run.id) for run in runs)} and all their records"
        st.markdown(f"{what} will be deleted. This cannot be undone.")
        if any(run.active for run in runs):
            which = "This run is" if one else "Some of them are"
            st.warning(f"{which} still in training; deleting ends the training.", icon=":material/warning:")
        with st.container(horizontal=True):
            if st.button("Delete the run" if one else "Delete the runs", type="primary", icon=":material/delete:"):
                with plain_errors():
                    for run in runs:
                        store.runs.delete(run.id)
                    st.rerun()
            if st.button("Keep the run" if one else "Keep the runs"):
                st.rerun()

    ask()
