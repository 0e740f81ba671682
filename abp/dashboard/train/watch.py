"""One run: its state, its controls, its network as it learns, and links to what can be done next."""

import streamlit as st

from abp.dashboard.components.live_run import live_run
from abp.dashboard.frame.access import offers_controls
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.status import STATUS
from abp.dashboard.train.controls import controls
from abp.data.datasets import DATASETS
from abp.runs.balance import balanced_test_accuracy, is_unbalanced
from abp.store.records import Run, Status
from abp.store.store import Store
from abp.training.experiment import Experiment, settings


def watch(store: Store, number: int) -> None:
    """Draw the page of a run."""
    run = store.runs.get(number)
    _heading(run)
    if (run.active or run.status == Status.INTERRUPTED) and offers_controls():
        controls(store, run)
    if run.from_file:
        _not_trained_here(run)
    else:
        live_run(store, run)
    _balance(store, run)
    if run.has_weights:
        _look_closer(store, run)
    if not run.from_file:
        _settings(run)
    _next_links(run)


def _heading(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(literal(run.name), anchor=False, width="content")
        word, icon, colour = STATUS[run.status]
        st.badge(word, icon=icon, color=colour)
        if not run.active and not run.from_file:
            st.caption(f"{run.epoch} of {run.experiment.epochs} epochs", width="content")
        if run.experiment.nuclear and run.seconds:
            share = run.regulariser_seconds / run.seconds
            st.caption(f"Regulariser: {100 * share:.0f} % of the time", width="content")
        if run.pruned_by_hand:
            st.badge("Pruned by hand", icon=":material/content_cut:", color="violet")
        if run.from_file:
            st.badge(literal(str(run.origin)), icon=":material/upload_file:", color="gray")
        elif run.parent is not None:
            st.badge(f"Run {run.parent}, {run.origin}", icon=":material/fast_forward:", color="gray")


LOOKS = (
    ("playground", "Playground: draw for it", ":material/draw:"),
    ("spectra", "Spectra: singular values", ":material/show_chart:"),
    ("weights", "Weights: what neurons detect", ":material/grid_on:"),
    ("low_rank", "Low rank: PCA and SVD", ":material/compress:"),
)
"""Where a trained network can be looked at more closely: page, words and icon."""


def _look_closer(store: Store, run: Run) -> None:
    """Links to the pages that show what a trained network can do, and to the studies that it serves."""
    st.markdown("**Look closer**")
    with st.container(horizontal=True):
        for page, label, icon in LOOKS:
            st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={"run": str(run.id)})
        for study in store.studies.of_run(run.id):
            label, query = f"Study {study.id}: {literal(study.name)}", {"study": str(study.id)}
            st.page_link("pages/compare.py", label=label, icon=":material/compare:", query_params=query)


def _settings(run: Run) -> None:
    """All settings of a run, as its form shows them; those that differ from the usual ones first."""
    usual = Experiment()
    rows = [
        {"Setting": setting.label, "Value": setting.shown(value), "Usual": setting.shown(getattr(usual, name))}
        for name, setting in settings().items()
        for value in [getattr(run.experiment, name)]
    ]
    rows.sort(key=lambda row: row["Value"] == row["Usual"])
    with st.expander("Settings of this run", icon=":material/tune:"):
        st.dataframe(
            rows,
            hide_index=True,
            alt="Settings of this run and the usual ones.",
            column_config={"Setting": st.column_config.TextColumn(width=190)},
        )


def _not_trained_here(run: Run) -> None:
    """Of a network that was read from a file there is nothing to watch, and all the rest to look at."""
    accuracies = {"training": run.train_accuracy, "validation": run.valid_accuracy, "test": run.test_accuracy}
    words = ", ".join(f"{part} {100 * share:.1f} %" for part, share in accuracies.items() if share is not None)
    sizes = " – ".join(map(str, run.experiment.sizes))
    st.markdown(f"This network was trained elsewhere. Its layers: {sizes}. Its accuracy: {words}.")


def _balance(store: Store, run: Run) -> None:
    """The balanced accuracy beside the accuracy, where classes of one's own data are unbalanced."""
    counts = DATASETS[run.experiment.dataset].notes.get("counts", [1])
    if not run.has_weights or not is_unbalanced(counts):
        return
    from abp.dashboard.frame.background import in_background  # needs PyTorch, which a run in training does without

    work = (store.name, "balance", run.id)
    found = in_background(work, lambda: balanced_test_accuracy(store, run), "Measuring the balanced accuracy")
    if found is not None and run.test_accuracy is not None:
        st.caption(
            f"The classes are unbalanced: test accuracy {100 * run.test_accuracy:.1f} %, balanced "
            f"{100 * found:.1f} % (the share of each class that is right, averaged over the classes)."
        )


def _next_links(run: Run) -> None:
    with st.container(horizontal=True):
        st.page_link("pages/train.py", label="New run", icon=":material/add:")
        st.page_link(
            "pages/train.py", label="Rerun with changes", icon=":material/replay:", query_params={"from": str(run.id)}
        )
        if run.has_weights:
            st.page_link(
                "pages/train.py",
                label="Continue",
                icon=":material/fast_forward:",
                query_params={"continue": str(run.id)},
            )
        st.page_link("pages/runs.py", label="All runs", icon=":material/list_alt:")
