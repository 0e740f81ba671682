"""Choosing the run or the study that a page shows: by its link, or from a list."""

import streamlit as st

from abp.dashboard.frame.page import run_from_link, store, study_from_link
from abp.store.records import Run, RunUnknown, StudyUnknown
from abp.studies.registry import studies

_MANY = 200  # runs offered in the list


def choose_run() -> Run | None:
    """The run of ``?run=``, or the newest one; a list to choose another, which changes the link.

    Returns
    -------
    Run or None
        None, after saying so, while there are no runs.

    Raises
    ------
    abp.store.store.RunUnknown
        If the link names a run that is not there.
    """
    linked = run_from_link()
    runs = {run.id: run for run in store().runs.all()}
    if linked is not None and linked not in runs:
        raise RunUnknown(f"There is no run {linked} (any more).")
    if not runs:
        st.info("There are no runs yet. Start one, and it can be looked at here.", icon=":material/info:")
        st.page_link("pages/train.py", label="Start a run", icon=":material/play_circle:")
        return None
    offered = list(runs)[:_MANY]
    current = linked if linked is not None else offered[0]
    if current not in offered:
        offered.append(current)

    def follow() -> None:
        st.query_params["run"] = str(st.session_state["chosen-run"])

    st.session_state["chosen-run"] = current
    st.selectbox(
        "Run", offered, format_func=lambda number: f"{number}: {runs[number].name}", key="chosen-run", on_change=follow
    )
    return runs[current]


def choose_study() -> int | None:
    """The study of ``?study=``, or the newest one; a list to choose another, which changes the link.

    Returns
    -------
    int or None
        None, after saying so, while there are no studies.

    Raises
    ------
    abp.studies.registry.StudyUnknown
        If the link names a study that is not there.
    """
    names = {record.id: record.name for record in studies(store())}
    linked = study_from_link()
    if linked is not None and linked not in names:
        raise StudyUnknown(f"There is no study {linked} (any more).")
    if not names:
        st.info("There are no studies yet. Start one, and its comparison can be seen here.", icon=":material/info:")
        st.page_link("pages/compare.py", label="Start a study", icon=":material/science:")
        return None

    def follow() -> None:
        st.query_params["study"] = str(st.session_state["chosen-study"])

    st.session_state["chosen-study"] = next(iter(names)) if linked is None else linked
    return st.selectbox(
        "Study", list(names), format_func=lambda number: f"{number}: {names[number]}", key="chosen-study",
        on_change=follow,
    )  # fmt: skip
