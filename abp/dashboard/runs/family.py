"""The family of a run: the run that it continues, and the runs that continue it."""

import streamlit as st

from abp.dashboard.frame.markdown import literal
from abp.store.records import Run


def family(run: Run, runs: list[Run]) -> None:
    """Links to the run that `run` continues and to those that continue it; nothing where there are none.

    Parameters
    ----------
    runs
        All runs of the store.
    """
    parent = next((other for other in runs if other.id == run.parent), None)
    children = [other for other in runs if other.parent == run.id]
    if run.parent is None and not children:
        return
    st.markdown("**Related runs**")
    with st.container(horizontal=True, vertical_alignment="center"):
        if parent is not None:
            _relative(parent, f"Continues run {parent.id}: {literal(parent.name)}", ":material/arrow_upward:")
        elif run.from_file:
            st.caption(f"Trained elsewhere: {literal(str(run.origin))}.")
        elif run.parent is not None:
            st.caption(f"Continues run {run.parent}, which was deleted ({run.origin}).")
        for child in children:
            _relative(child, f"Run {child.id}: {child.origin}", ":material/subdirectory_arrow_right:")


def _relative(run: Run, label: str, icon: str) -> None:
    st.page_link("pages/train.py", label=label, icon=icon, query_params={"run": str(run.id)})
