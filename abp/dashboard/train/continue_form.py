"""The form that continues a run: from which weights, and for how long."""

import streamlit as st

from abp.dashboard.frame.fields import number_field
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import plain_errors
from abp.runs.continuation import continue_run
from abp.store.records import Run
from abp.store.store import Store
from abp.training.experiment import settings

WAYS = {
    "fine-tune": ("Fine-tune", "Training continues from the final weights."),
    "rewind": (
        "Rewind to the initial weights",
        "The final mask stays; the weights that are kept return to their initial values.",
    ),
    "rewind-K": (
        "Rewind to before a pruning",
        "The final mask stays; the weights that are kept return to their values before that pruning.",
    ),
    "reinitialise": (
        "Reinitialise at random",
        "The final mask stays; the weights that are kept are drawn at random. Tests whether the learned weights matter "
        "beyond the mask.",
    ),
}
"""The ways to continue a run: title and explanation."""


def continue_form(store: Store, parent: Run) -> int | None:
    """Fields of a run that continues `parent`; the new run's number once *Start* was pressed."""
    st.title("Continue a run", anchor=False)
    st.caption("A new run starts from what this one recorded and keeps its mask, so that removed weights stay removed.")
    st.page_link(
        "pages/train.py",
        label=f"Run {parent.id}: {literal(parent.name)}",
        icon=":material/open_in_new:",
        query_params={"run": str(parent.id)},
    )
    if not parent.has_weights:
        st.info(
            f"This run is {parent.status} and has no final weights to start from; only a run that finished or was "
            "stopped can be continued.",
            icon=":material/info:",
        )
        return None
    pruned = [number for number in range(1, parent.prunings + 1) if store.weights.has(parent.id, f"before-{number}")]
    ways = [how for how in WAYS if how != "rewind-K" or pruned]
    how = st.radio(
        "Starting weights",
        ways,
        format_func=lambda choice: WAYS[choice][0],
        captions=[WAYS[choice][1] for choice in ways],
        key=f"continue-how-{parent.id}",
    )
    given = _fields(parent, how, pruned)
    wrong = given["epochs"] is None or (how == "reinitialise" and given["seed"] is None)
    with plain_errors():
        if st.button("Start", type="primary", icon=":material/play_arrow:", disabled=wrong) and not wrong:
            return continue_run(store, parent, **given)
    return None


def _fields(parent: Run, how: str, pruned: list[int]) -> dict:
    """Arguments of `continue_run`; fields that the chosen way does not use are disabled."""
    bounds = settings()
    columns = iter(st.columns(4 if pruned else 3))
    if pruned:
        with next(columns):
            pruning = st.selectbox(
                "Before pruning", pruned, disabled=how != "rewind-K", key=f"continue-pruning-{parent.id}"
            )
        how = how.replace("K", str(pruning))
    with next(columns):
        epochs = number_field(
            "Epochs",
            value=5,
            low=1,
            high=int(bounds["epochs"].high or 1),
            key=f"continue-epochs-{parent.id}",
            help="Trains for exactly this many, so that runs that continue the same one can be compared.",
        )
    with next(columns):
        seed = number_field(
            "Seed of the new weights",
            value=(parent.experiment.seed + 1) % 2**31,
            low=0,
            high=int(bounds["seed"].high or 0),
            disabled=how != "reinitialise",
            key=f"continue-seed-{parent.id}",
            help="Must differ from this run's own seed, which would give the same initial weights again.",
        )
    with next(columns):
        name = st.text_input(
            "Name", max_chars=200, placeholder="Derived from this run's name", key=f"continue-name-{parent.id}"
        )
    return {
        "how": how,
        "epochs": epochs,
        "seed": seed if how == "reinitialise" else None,
        "name": name.strip() or None,
    }
