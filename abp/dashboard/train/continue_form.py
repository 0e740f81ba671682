"""The form that continues a run: what to make of it, for how long."""

import streamlit as st

from abp.dashboard.frame.page import plain_errors
from abp.runs.continuation import continue_run
from abp.store.records import Run
from abp.store.store import Store
from abp.training.experiment import settings

WAYS = {
    "fine-tune": ("Train it further", "The network goes on with the weights it ended with."),
    "rewind": (
        "Rewind to the initial weights",
        "What was removed in the end stays removed; the rest gets its first weights back.",
    ),
    "rewind-K": (
        "Rewind to before a pruning",
        "What was removed in the end stays removed; the rest gets the weights back that it had before that pruning.",
    ),
    "reinitialise": (
        "New random weights",
        "What was removed stays removed; the rest is drawn anew. Were the weights worth more than their places?",
    ),
}
"""What can be done, for people: title and meaning."""


def continue_form(store: Store, parent: Run) -> int | None:
    """Fields of a run that continues `parent`; the new run's number once *Start* was pressed."""
    st.title("Continue a run", anchor=False)
    st.caption("A new run starts from what this one recorded and keeps its mask: nothing that was removed grows back.")
    st.page_link(
        "pages/train.py",
        label=f"Run {parent.id}: {parent.name}",
        icon=":material/open_in_new:",
        query_params={"run": str(parent.id)},
    )
    if not parent.has_weights:
        st.info(
            f"This run is {parent.status} and has no final weights, so nothing can start from it. A run that finished "
            "or was stopped can be continued.",
            icon=":material/info:",
        )
        return None
    pruned = [number for number in range(1, parent.prunings + 1) if store.weights.has(parent.id, f"before-{number}")]
    ways = [how for how in WAYS if how != "rewind-K" or pruned]
    how = st.radio(
        "What to do",
        ways,
        format_func=lambda choice: WAYS[choice][0],
        captions=[WAYS[choice][1] for choice in ways],
        key=f"continue-how-{parent.id}",
    )
    given = _fields(parent, how, pruned)
    with plain_errors():
        if st.button("Start", type="primary", icon=":material/play_arrow:"):
            return continue_run(store, parent, **given)
    return None


def _fields(parent: Run, how: str, pruned: list[int]) -> dict:
    """Arguments of `continue_run`; fields that the chosen way has no use for are idle."""
    bounds = settings()
    columns = iter(st.columns(4 if pruned else 3))
    if pruned:
        with next(columns):
            pruning = st.selectbox(
                "Before pruning", pruned, disabled=how != "rewind-K", key=f"continue-pruning-{parent.id}"
            )
        how = how.replace("K", str(pruning))
    with next(columns):
        epochs = st.number_input(
            "Epochs",
            min_value=1,
            max_value=int(bounds["epochs"].high or 1),
            value=5,
            key=f"continue-epochs-{parent.id}",
            help="It trains exactly so many, so that runs which continue the same one can be compared.",
        )
    with next(columns):
        seed = st.number_input(
            "Seed of the new weights",
            min_value=0,
            max_value=int(bounds["seed"].high or 0),
            value=(parent.experiment.seed + 1) % 2**31,
            disabled=how != "reinitialise",
            key=f"continue-seed-{parent.id}",
            help="Another than this run's own, which would draw its initial weights again.",
        )
    with next(columns):
        name = st.text_input(
            "Name", max_chars=200, placeholder="made from this run's", key=f"continue-name-{parent.id}"
        )
    return {
        "how": how,
        "epochs": epochs,
        "seed": seed if how == "reinitialise" else None,
        "name": name.strip() or None,
    }
