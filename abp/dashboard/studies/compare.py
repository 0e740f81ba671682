"""The Compare page: how far a study is, what it found, and how sure that is."""

import os

import pandas as pd
import streamlit as st

from abp.dashboard.charts.widgets import chart_with_data, download_csv
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.page import fragment
from abp.dashboard.studies import charts as study_charts
from abp.dashboard.studies.findings import Findings, findings, sentences
from abp.dashboard.studies.report import report
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.registry import StudyProgress, StudyRecord, extend_study, resume_study, study_progress, study_record
from abp.studies.specification import Study
from abp.studies.verdicts import duration

_WORKERS = os.cpu_count() or 1


def compare_view(store: Store, number: int) -> None:
    """Everything the page shows of one study."""
    record = study_record(store, number)
    _progress(store, number)
    if operating():
        _extend(store, record)
    found = findings(store, record)
    if found is None:
        return
    runs, cells = found.runs, found.cells
    if not runs["counts"].any():
        st.info("No run of this study has finished yet; its comparison appears here by itself.", icon=":material/info:")
        return
    for sentence in sentences(cells):
        st.markdown(sentence)
    for dataset in record.study.datasets:
        if len(record.study.datasets) > 1:
            st.header(DATASETS[dataset].title, anchor=False)
        _one_dataset(dataset, found)
    _downloads(store, record, found)


# How far it is


def _progress(store: Store, number: int) -> None:
    shown = study_progress(store, number, workers=_WORKERS)
    paused = study_record(store, number).paused

    @fragment(run_every=2.0 if shown.going_on else None)
    def draw() -> None:
        now = study_progress(store, number, workers=_WORKERS)
        if now.done != shown.done or bool(now.going_on) != bool(shown.going_on):
            st.rerun()
        st.progress(now.done / max(now.total, 1), text=progress_words(now, paused=paused))

    draw()
    if not operating():
        return
    with st.container(horizontal=True):
        if st.button("Pause", icon=":material/pause:", disabled=paused or not shown.going_on, key="pause-study"):
            store.studies.pause(number)
            st.rerun()
        incomplete = shown.done < shown.total and (paused or not shown.going_on)
        if st.button("Go on", icon=":material/play_arrow:", disabled=not incomplete, key="resume-study"):
            resume_study(store, number)
            st.rerun()


def progress_words(now: StudyProgress, *, paused: bool) -> str:
    """How far a study is, in one line; nothing that went wrong is left out."""
    parts = [f"{now.done} of {now.total} runs done"]
    if paused:
        parts.append("paused")
    elif now.going_on:
        parts.append(f"{now.running} training")
        if now.runs_per_second:
            parts.append(f"{60 * now.runs_per_second:.1f} runs a minute")
        if now.seconds_left is not None:
            parts.append(f"about {duration(now.seconds_left)} left")
    troubles = {
        "interrupted": now.interrupted,
        "failed": now.failed,
        "diverged": now.diverged,
        "stopped or pruned by hand": now.spoilt,
        "missing": now.missing,
    }
    parts += [f"{count} {what}" for what, count in troubles.items() if count]
    return " · ".join(parts)


def _extend(store: Store, record: StudyRecord) -> None:
    """More seeds or methods for a study that is there."""
    study = record.study
    with st.expander("More seeds or methods", icon=":material/add:"), st.container(horizontal=True):
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
        if st.button("Extend", icon=":material/add:", disabled=more == study, key="extend-study"):
            extend_study(store, record.id, more)
            st.rerun()


def more_of(study: Study, seeds: int, criteria: list[str]) -> Study:
    """The study with so many seeds, the lowest that it does not have added, and with more criteria."""
    free = (seed for seed in range(seeds + len(study.seeds)) if seed not in study.seeds)
    return study.extended(seeds=[next(free) for _ in range(seeds - len(study.seeds))], criteria=criteria)


# What it found


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
        "Accuracy and sparsity",
        "Each dot is one run, each diamond the mean over the seeds, and its bar the 95 % interval of that mean.",
        "Where bars overlap widely, the methods cannot be told apart. Differences paired by seed, in the table below, "
        "tell more than the bars.",
        [study_charts.accuracies(named)],
        lambda: named,
        f"accuracy-{dataset}",
    )
    chart_with_data(
        "Accuracy over the epochs",
        "Validation accuracy of each run (thin) and the mean of each method (bold), as long as all its runs train.",
        "All methods of a seed start from the same weights and see the pictures in the same order.",
        [study_charts.over_epochs(histories)],
        lambda: histories,
        f"epochs-{dataset}",
    )
    _cells(cells, dataset)
    densities = study_charts.densities(cells)
    if len(densities):
        chart_with_data(
            "What each layer keeps",
            "Share of each hidden layer's weights that are left, on average over the seeds.",
            "Methods differ in where they remove: that is half of what a method decides.",
            [study_charts.density(densities)],
            lambda: densities,
            f"density-{dataset}",
        )
    _costs(counting, dataset)


def _cells(cells: pd.DataFrame, dataset: str) -> None:
    st.subheader(
        "Every method",
        anchor=False,
        help="Mean ± sample standard deviation over the seeds. Differences are paired by seed: each pruned network "
        "with the dense one, or the one pruned by magnitude, of the same seed; in brackets the 95 % t interval.",
    )
    st.caption("A row for each method and amount; differences in points of test accuracy.")
    shown = study_charts.readable(cells)
    st.dataframe(
        shown,
        hide_index=True,
        alt="Accuracy, differences, sparsity, epochs, ranks and cost of each method and amount.",
        column_config={
            **{name: st.column_config.NumberColumn(format="%.1f %%") for name in ("Sparsity", "Test accuracy")},
            "±": st.column_config.NumberColumn(format="%.2f"),
            **{name: st.column_config.NumberColumn(format="%.1f ×") for name in ("Smaller", "Fewer multiply-adds")},
            "Measured time": st.column_config.NumberColumn(
                format="%.2f ×",
                help="Time of the network without its dead neurons over a dense one's, the two taking turns: 256 "
                "pictures on one core, measured as each run ended. Single zeros among live weights save no time.",
            ),
            "Epochs": st.column_config.NumberColumn(format="%.0f"),
        },
    )
    download_csv(f"methods-{dataset}", lambda: cells)


def _costs(runs: pd.DataFrame, dataset: str) -> None:
    measure = st.segmented_control(
        "Accuracy against",
        list(study_charts.COSTS),
        format_func=lambda name: study_charts.COSTS[name],
        default="flops",
        required=True,
        key=f"cost-{dataset}",
    )
    table = study_charts.costs(runs)
    chart_with_data(
        f"Accuracy against {study_charts.COSTS[measure]}",
        "Each dot is one run: the higher and the further left, the better.",
        "FLOPs are 2 × the hidden weights that are left, as the published code counts them; sparse weights save time "
        "only where whole neurons are gone.",
        [study_charts.cost_chart(table, measure)],
        lambda: table,
        f"cost-{dataset}",
    )


def _downloads(store: Store, record: StudyRecord, found: Findings) -> None:
    st.subheader("Take it along", anchor=False)
    wanted = f"report-{record.id}"
    with st.container(horizontal=True):
        download_csv(f"study-{record.id}-runs", lambda: found.runs)
        if st.button("Make a report", icon=":material/summarize:", help="One page that can be opened anywhere."):
            st.session_state[wanted] = True
    if st.session_state.get(wanted):
        results = tuple(found.runs["run"]), tuple(found.runs["status"]), tuple(found.cells["seeds"])
        content = in_background(
            (str(store.path), wanted, record.name, results),
            lambda: report(record, found.runs, found.cells, found.results, sentences(found.cells)),
            "Writing the report",
        )
        if content is not None:
            # Bytes, not a function: a page that is drawn anew in between would lose the click.
            st.download_button(
                "Report (HTML)",
                content,
                file_name=f"study-{record.id}.html",
                mime="text/html",
                icon=":material/download:",
                on_click="ignore",
            )
