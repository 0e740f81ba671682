"""The Compare page: the progress of a study, its results, and how certain they are."""

import pandas as pd
import streamlit as st

from abp.analysis.paired_statistics import paired_difference, signed
from abp.dashboard.charts.widgets import chart_with_data, download_csv, download_table
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment, plain_errors
from abp.dashboard.frame.rename import rename_dialog
from abp.dashboard.studies import charts as study_charts
from abp.dashboard.studies.findings import Findings, conclusions, findings
from abp.dashboard.studies.report import report
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.runs.cluster.workers import cores
from abp.store.store import Store
from abp.studies import typesetting
from abp.studies.registry import (
    StudyProgress,
    StudyRecord,
    StudyState,
    extend_study,
    progress_of,
    read_study,
    rename_study,
    resume_study,
    study_progress,
    study_record,
)
from abp.studies.specification import Study
from abp.studies.verdicts import duration
from abp.training.experiment import SettingError


def compare_view(store: Store, number: int) -> None:
    """Everything the page shows of one study; of one that cannot be read, why, and how to be rid of it."""
    try:
        state = read_study(store, number)
    except SettingError as error:
        st.error(literal(f"This study cannot be read here: {error}."), icon=":material/error:")
        _delete_button(store, study_record(store, number))
        return
    record = state.record
    _progress(store, state)
    found = findings(store, state)
    if found is not None:
        _results(store, record, found)
    if operating():
        _extend(store, record)


def _results(store: Store, record: StudyRecord, found: Findings) -> None:
    if not found.runs["counts"].any():
        st.info("No run of this study has finished yet; its results appear here by themselves.", icon=":material/info:")
        return
    _conclusions(found.cells)
    for dataset in record.study.datasets:
        if len(record.study.datasets) > 1:
            st.header(DATASETS[dataset].title, anchor=False)
        _one_dataset(dataset, found)
    _downloads(store, record, found)


# Progress


def _progress(store: Store, state: StudyState) -> None:
    shown = progress_of(store, state, workers=cores())
    number, paused, read = state.record.id, state.record.paused, [shown]

    @fragment(run_every=2.0 if shown.going_on else None)
    def draw() -> None:
        now = read.pop() if read else study_progress(store, number, workers=cores())  # at first, what was just read
        if now.done != shown.done or bool(now.going_on) != bool(shown.going_on):
            st.rerun()
        st.progress(now.done / max(now.total, 1), text=progress_words(now, paused=paused))

    draw()
    place = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with place:
        query = {"study": str(number)}
        st.page_link("pages/runs.py", label="Runs of this study", icon=":material/list_alt:", query_params=query)
        st.page_link("pages/claims.py", label="Verdicts on claims", icon=":material/gavel:", query_params=query)
    if not operating():
        return
    with place:
        if shown.going_on and not paused and st.button("Pause", icon=":material/pause:", key="pause-study"):
            store.studies.pause(number)
            st.rerun()
        incomplete = shown.done < shown.total and (paused or not shown.going_on)
        if incomplete and st.button("Resume", icon=":material/play_arrow:", key="resume-study"):
            resume_study(store, number)
            st.rerun()
        if st.button("Rename", icon=":material/edit:", type="tertiary", key="rename-study"):
            rename_dialog("study", state.record.name, lambda name: rename_study(store, number, name))
        _delete_button(store, state.record)


def _delete_button(store: Store, record: StudyRecord) -> None:
    if operating() and st.button("Delete", icon=":material/delete:", type="tertiary", key="delete-study"):
        _delete(store, record)


def _delete(store: Store, record: StudyRecord) -> None:
    @st.dialog("Delete study?")
    def ask() -> None:
        st.markdown(
            f"**{literal(record.name)}** (study {record.id}) will be deleted. Its runs are kept; those that have not "
            "begun and that no other study needs are stopped."
        )
        with st.container(horizontal=True):
            if st.button("Delete the study", type="primary", icon=":material/delete:"):
                with plain_errors():
                    store.studies.delete(record.id)
                    st.query_params.pop("study", None)
                    st.rerun()
            if st.button("Keep the study"):
                st.rerun()

    ask()


def progress_words(now: StudyProgress, *, paused: bool) -> str:
    """The progress of a study in one line, with everything that went wrong."""
    parts = [f"{now.done} of {now.total} runs done"]
    if paused:
        parts.append("paused")
    elif now.going_on:
        parts.append(f"{now.running} in training")
        if now.runs_per_second:
            parts.append(f"{60 * now.runs_per_second:.1f} runs a minute")
        if now.seconds_left is not None:
            parts.append(f"about {duration(now.seconds_left)} left")
    troubles = {
        "interrupted": now.interrupted,
        "failed": now.failed,
        "diverged": now.diverged,
        "stopped or pruned by hand": now.spoilt,
        "ended before the last pruning": now.unreached,
        "missing": now.missing,
    }
    parts += [f"{count} {what}" for what, count in troubles.items() if count]
    return " · ".join(parts)


def _extend(store: Store, record: StudyRecord) -> None:
    """A form that adds seeds or methods to a study."""
    study = record.study
    with st.expander("Add seeds or methods", icon=":material/add:"), st.container(horizontal=True):
        seeds = st.number_input(
            "Seeds",
            len(study.seeds),
            1000,
            len(study.seeds),
            key=f"more-seeds-{record.id}-{len(study.seeds)}",
            width=140,
        )
        others = [name for name in CRITERIA if name not in study.criteria]
        criteria = st.multiselect(
            "Methods to add",
            others,
            format_func=lambda name: CRITERIA[name].title,
            key=f"more-criteria-{record.id}-{len(study.criteria)}",
            width=420,
        )
        more = more_of(study, seeds, criteria)
        if st.button("Extend the study", icon=":material/add:", disabled=more == study, key="extend-study"):
            extend_study(store, record.id, more)
            st.rerun()


def more_of(study: Study, seeds: int, criteria: list[str]) -> Study:
    """The study with this many seeds, adding the lowest that it lacks, and with more criteria."""
    free = (seed for seed in range(seeds + len(study.seeds)) if seed not in study.seeds)
    return study.extended(seeds=[next(free) for _ in range(seeds - len(study.seeds))], criteria=criteria)


# Results


def _conclusions(cells: pd.DataFrame) -> None:
    """The answer in sentences, before any chart."""
    sentences = conclusions(cells)
    if not sentences:
        return
    st.header("What it shows", anchor=False)
    st.caption(
        "Dense network: nothing removed. Points: percentage points of test accuracy. Unless it says "
        "otherwise, “more” and “less” are beyond chance, also after the correction for the number of comparisons "
        "here (Holm)."
    )
    for sentence in sentences:
        st.markdown(sentence)


def _one_dataset(dataset: str, found: Findings) -> None:
    runs, cells, histories = (
        table[table["dataset"] == dataset] for table in (found.runs, found.cells, found.histories)
    )
    counting = runs[runs["counts"]]
    if counting.empty:
        st.caption("No run has finished yet.")
        return
    named = study_charts.named(counting)
    chart_with_data(
        study_charts.accuracies_title(named),
        "Each dot is one run, each diamond the mean over the seeds, and each bar the 95\u00a0% interval of that mean.",
        "Where intervals overlap widely, there is no evidence of a difference. The differences paired by seed in the "
        "table below are more precise.",
        [study_charts.accuracies(named)],
        lambda: named,
        f"accuracy-{dataset}",
    )
    chart_with_data(
        "Accuracy by epoch",
        "Validation accuracy of each run (thin) and the mean of each method (bold) while all its runs are training.",
        "With the same seed, all methods start from the same weights and see the pictures in the same order.",
        [study_charts.over_epochs(histories)],
        lambda: histories,
        f"epochs-{dataset}",
    )
    _cells(cells, counting, dataset)
    densities = study_charts.densities(cells)
    if len(densities):
        chart_with_data(
            "Density of each layer",
            "Share of each hidden layer's weights that is kept, averaged over the seeds.",
            "Methods differ not only in which weights of a layer they remove but also in how many.",
            [study_charts.density(densities)],
            lambda: densities,
            f"density-{dataset}",
        )
    _costs(counting, dataset)


def _cells(cells: pd.DataFrame, runs: pd.DataFrame, dataset: str) -> None:
    st.subheader(
        "Results by method",
        anchor=False,
        help="Mean ± sample standard deviation over the seeds. Differences are paired by seed: each pruned network "
        "is compared with the dense one, or the one pruned by magnitude, of the same seed; 95 % t intervals are in "
        "brackets.",
    )
    st.caption(
        "One row for each method and amount; differences are in percentage points of test accuracy. Tick a row for its "
        "runs, or two to compare them."
    )
    shown = study_charts.readable(cells)
    key = f"methods-table-{dataset}-{len(cells)}"
    st.dataframe(
        shown,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        alt="Accuracy, differences, sparsity, epochs, ranks and cost of each method and amount.",
        column_config={
            **{name: st.column_config.NumberColumn(format="%.1f %%") for name in ("Sparsity", "Test accuracy")},
            "±": st.column_config.NumberColumn(format="%.2f"),
            **{
                name: st.column_config.NumberColumn(format="%.1f ×")
                for name in ("Compression ratio", "Theoretical speed-up")
            },
            "Relative latency": st.column_config.NumberColumn(
                format="%.2f ×",
                help="Measured time of the network without its dead neurons relative to the dense one, in turns, "
                "for 256 pictures on one core when each run ended. Single zeros among the weights of live neurons "
                "save no time.",
            ),
            "Epochs": st.column_config.NumberColumn(format="%.0f"),
            "Ranks by chance": st.column_config.TextColumn(
                help="Ranks of the same weights in random order in the kept places. Where they are as low, the number "
                "and places of the weights make the rank low, and not their values."
            ),
            "Above chance": st.column_config.TextColumn(
                help="Singular values above what random weights would give (the Marchenko-Pastur edge). Where few "
                "weights are left the law fits poorly and too many are counted; Spectra says where."
            ),
        },
    )
    table = st.session_state.get(key)
    selected = [row for row in (table["selection"]["rows"] if table else []) if row < len(cells)]
    if len(selected) == 1:
        _runs_of(cells.iloc[selected[0]], runs)
    if len(selected) == 2:
        _two_rows(cells.iloc[sorted(selected)], runs, dataset)
    with st.container(horizontal=True):
        download_csv(f"methods-{dataset}", lambda: cells)
        note = typesetting.sentence(DATASETS[dataset].title, cells["seeds"].tolist())
        download_table(f"methods-{dataset}", shown, note)


def _runs_of(row: pd.Series, runs: pd.DataFrame) -> None:
    """Links to the runs of one row, seed by seed."""
    cell = (runs["criterion"] == row["criterion"]) & (runs["amount"] == row["amount"])
    same = runs[cell & (runs["nuclear"] == row["nuclear"])].sort_values("seed")
    with st.container(horizontal=True):
        for run in same.head(20).itertuples():
            label = f"Seed {run.seed}: {100 * run.test_accuracy:.1f}\u00a0%"
            query = {"run": str(run.run)}
            st.page_link("pages/train.py", label=label, icon=":material/play_circle:", query_params=query)


def _two_rows(rows: pd.DataFrame, runs: pd.DataFrame, dataset: str) -> None:
    """The paired difference of two rows, and links to their runs of each seed side by side."""
    parts = []
    for row in rows.itertuples():
        same = (runs["criterion"] == row.criterion) & (runs["amount"] == row.amount) & (runs["nuclear"] == row.nuclear)
        parts.append(runs[same].set_index("seed"))
    names = [
        study_charts.method(row.criterion, row.nuclear)
        + (f", {study_charts.percent(row.amount)}" if row.amount else "")
        for row in rows.itertuples()
    ]
    accuracies: list[dict[int, float]] = [part["test_accuracy"].to_dict() for part in parts]
    resolution = 1 / (2 * DATASETS[dataset].test_samples)
    difference = paired_difference(accuracies[0], accuracies[1], least=resolution)
    if difference is None:
        st.caption(f"{names[0]} and {names[1]} have no finished runs of the same seed.")
        return
    interval = (
        f", 95\u00a0% interval {signed(100 * difference.low)} to {signed(100 * difference.high)}"
        if difference.low is not None and difference.high is not None
        else ""
    )
    seeds = "1 seed" if difference.n == 1 else f"{difference.n} seeds"
    mean = f"{signed(100 * difference.mean)} points of test accuracy"
    st.markdown(f"**{names[0]}** against **{names[1]}**: {mean}{interval}, {seeds}.")
    with st.container(horizontal=True):
        for seed in sorted(set(accuracies[0]) & set(accuracies[1]))[:10]:
            query = {"run": str(parts[0].loc[seed, "run"]), "other": str(parts[1].loc[seed, "run"])}
            st.page_link("pages/pair.py", label=f"Seed {seed}", icon=":material/compare_arrows:", query_params=query)


def _costs(runs: pd.DataFrame, dataset: str) -> None:
    measure = st.segmented_control(
        "Compare accuracy with",
        list(study_charts.COSTS),
        format_func=lambda name: study_charts.COSTS[name],
        default="flops",
        required=True,
        key=f"cost-{dataset}",
    )
    table = study_charts.costs(runs)
    chart_with_data(
        f"Accuracy against {study_charts.COSTS[measure]}",
        "Each dot is one run; the higher and the further to the left, the better.",
        "FLOPs are 2 × the hidden weights that are left, as in the published code; sparse weights save time only where "
        "whole neurons have been removed.",
        [study_charts.cost_chart(table, measure)],
        lambda: table,
        f"cost-{dataset}",
    )


def _downloads(store: Store, record: StudyRecord, found: Findings) -> None:
    st.subheader("Downloads", anchor=False)
    requested = f"report-{record.id}"
    with st.container(horizontal=True):
        download_csv(f"study-{record.id}-runs", lambda: found.runs)
        if st.button("Create a report", icon=":material/summarize:", help="One HTML file that opens in any browser."):
            st.session_state[requested] = True
    if st.session_state.get(requested):
        content = in_background(
            (store.name, requested, record.name, found.version),
            lambda: report(record, found.runs, found.cells, found.results, conclusions(found.cells)),
            "Creating the report",
        )
        if content is not None:
            # Bytes, not a function: a redraw of the page in between would lose the click.
            st.download_button(
                "Download report (HTML)",
                content,
                file_name=f"study-{record.id}.html",
                mime="text/html",
                icon=":material/download:",
                on_click="ignore",
            )
