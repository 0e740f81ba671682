"""The Compare page: how far a study is, what it found, and how sure that is."""

import os
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from abp.pruning.criteria import CRITERIA
from abp.pruning.data import DATASETS
from abp.runs.baselines import known_baselines
from abp.runs.comparison import Results, read_results, run_table
from abp.runs.comparison import table as cell_table
from abp.runs.store import Store
from abp.runs.studies import (
    StudyProgress,
    StudyRecord,
    extend_study,
    pause_study,
    resume_study,
    study_progress,
    study_record,
    study_runs,
)
from abp.runs.study import Study
from abp.runs.verdicts import duration
from abp.view import study_charts
from abp.view.background import in_background
from abp.view.page import fragment
from abp.view.parts import chart_with_data, download_csv
from abp.view.report import report

_WORKERS = os.cpu_count() or 1
_MOST_CURVES = 200  # runs whose histories are drawn


def compare_view(store: Store, number: int) -> None:
    """Everything the page shows of one study."""
    record = study_record(store, number)
    _progress(store, number)
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
    _downloads(record, found)


@dataclass(frozen=True)
class Findings:
    """What a study found so far, read and tabled once for all browsers.

    Attributes
    ----------
    runs, cells
        As `abp.runs.comparison.run_table` and `table` make them.
    histories
        Validation accuracy per epoch of the first runs of each data set: columns ``dataset``, ``method``, ``run``,
        ``seed``, ``epoch``, ``accuracy``.
    """

    results: Results
    runs: pd.DataFrame
    cells: pd.DataFrame
    histories: pd.DataFrame


def findings(store: Store, record: StudyRecord) -> Findings | None:
    """What a study found so far; None, after saying so, while it is being read."""
    finished = tuple((member.run.id, member.run.status) for member in study_runs(store, record.id))
    baselines = len(known_baselines(store))
    work = (str(store.path), "study", record.id, record.specification, finished, baselines)
    return in_background(work, lambda: _read(store, record), "Reading what the study found", patience=0.4)


def _read(store: Store, record: StudyRecord) -> Findings:
    found = read_results(store, record.id)
    runs = run_table(found)
    return Findings(found, runs, cell_table(found), _histories(store, runs[runs["counts"]]))


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
    with st.container(horizontal=True):
        if st.button("Pause", icon=":material/pause:", disabled=paused or not shown.going_on, key="pause-study"):
            pause_study(store, number)
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


def sentences(cells: pd.DataFrame) -> list[str]:
    """What the data show of activation-based pruning and how sure that is, a sentence for each data set and method."""
    told = []
    for dataset in cells["dataset"].unique():
        rows = cells[(cells["dataset"] == dataset) & cells["criterion"].str.startswith("activation")]
        for _, of_criterion in rows.groupby("criterion", sort=False):
            row = of_criterion.loc[(of_criterion["amount"] - 0.8).abs().idxmin()]
            sentence = _sentence(row)
            if sentence:
                told.append(
                    f"**{DATASETS[dataset].title}, {CRITERIA[row['criterion']].title}, "
                    f"{100 * row['amount']:g} %**: {sentence}"
                )
    return told


def _sentence(row: pd.Series) -> str:
    parts = [
        _difference(row, f"difference_from_{other}", words)
        for other, words in (("dense", "the dense network"), ("magnitude", "pruning by magnitude"))
    ]
    return " ".join(part for part in parts if part)


def _difference(row: pd.Series, name: str, other: str) -> str:
    mean, low, high, seeds = (row[f"{name}_{part}"] for part in ("mean", "low", "high", "n"))
    if pd.isna(mean):
        return ""
    if pd.isna(low):
        return f"Against {other} {100 * mean:+.2f} points in one seed: one seed proves nothing."
    interval = f"({100 * mean:+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {int(seeds)} seeds)"
    if low > 0:
        return f"More accurate than {other} {interval}."
    if high < 0:
        return f"Less accurate than {other} {interval}."
    return f"No difference from {other} can be told {interval}."


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


def _histories(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """See `Findings`."""
    parts = [pd.DataFrame(columns=["dataset", "method", "run", "seed", "epoch", "accuracy"])]
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        for row in study_charts.named(of_dataset).head(_MOST_CURVES).itertuples():
            epochs = store.epochs(int(row.run))[["epoch", "valid_accuracy"]]
            epochs = epochs.rename(columns={"valid_accuracy": "accuracy"})
            parts.append(epochs.assign(dataset=dataset, method=row.method, run=row.run, seed=row.seed))
    return pd.concat(parts[1:] or parts, ignore_index=True)


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


def _downloads(record: StudyRecord, found: Findings) -> None:
    st.subheader("Take it along", anchor=False)
    with st.container(horizontal=True):
        download_csv(f"study-{record.id}-runs", lambda: found.runs)
        st.download_button(
            "Report (HTML)",
            lambda: report(record, found.runs, found.cells, found.results, sentences(found.cells)),
            file_name=f"study-{record.id}.html",
            mime="text/html",
            icon=":material/summarize:",
            on_click="ignore",
            help="One page with its charts and tables, to be opened anywhere.",
        )
