"""The Claims page: the paper's four claims, the measurements for each, and the resulting verdicts."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from abp.analysis.claims import (
    CHOOSING,
    CLAIMS,
    FEWEST,
    LOSS,
    MARGIN,
    MATCH,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    former_verdict,
)
from abp.analysis.paired_statistics import Interval
from abp.dashboard.charts.charts import Chart, height
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.charts.widgets import chart_with_data, download_csv, download_table
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.studies.charts import interval_words, method, percent, verdict_table
from abp.dashboard.studies.findings import findings
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.comparison import Results
from abp.studies.registry import StudyRecord, extend_study, read_study
from abp.studies.typesetting import verdicts_sentence
from abp.studies.verdicts import fill_baselines, missing_baselines, verdicts

MEANING = {
    1: "Pruning by activation should cost little accuracy compared with the dense network of the same seed.",
    2: "Each layer's matrix should have a lower rank than in the dense network, and all together than after pruning by "
    "magnitude.",
    3: "The pruned network should be more accurate than its dense twin reduced to the same ranks by PCA. That alone "
    "says little about activation: the lower the ranks, the easier PCA is beaten, and the pruned network was trained "
    "on under its mask while PCA's was not. Equal training (abp study --equal-training) makes up for that; on all "
    "three data sets that were tried, PCA's networks were ahead after it. The table shows every way to remove neurons.",
    4: "The singular values should decline as in a network trained with a nuclear-norm regulariser, judged by "
    "comparing the distance between normalised spectra with that between seeds. Seeds 0 and 1 choose the regulariser's "
    "strength by validation accuracy; the others are judged, two by two.",
    5: "Pruning by activation should leave a more accurate network than removing as much in another way. This, rather "
    "than the comparison with PCA, shows whether it matters that activation chooses.",
}
"""What each claim means, in one sentence."""

LOOKS = {
    SUPPORTED: ("green", ":material/check_circle:"),
    NOT_SUPPORTED: ("red", ":material/cancel:"),
    UNDECIDED: ("gray", ":material/help:"),
}
"""Colour and icon of each verdict."""
JUDGED_ANEW = datetime(2026, 11, 25, tzinfo=UTC)
"""When verdicts began to take five seeds and a correction for their number."""
JUDGED_OTHERWISE = {
    2: "this was judged seed by seed, without a test",
    4: "the regulariser's strength was chosen by the spectra and judged on the same seeds, each against all others",
}
"""How claims were judged before that, where the test is another one since."""
SEEDS_OF_CLAIM_4 = len(CHOOSING) + 2 * FEWEST
"""Seeds that claim 4 takes: two choose, and of the others each pair is a value."""
NUCLEAR = (0.0003, 0.001, 0.003)
"""Strengths of the regulariser that are added to a study for claim 4."""


def claims_view(store: Store, number: int) -> None:
    """Everything the page shows of one study."""
    state = read_study(store, number)
    st.page_link(
        "pages/compare.py",
        label="Compare the methods of this study",
        icon=":material/compare:",
        query_params={"study": str(number)},
    )
    findings_now = findings(store, state)
    if findings_now is None:
        return
    found = findings_now.results
    answer = st.container()  # comes first, though the thresholds below decide what it says
    with st.expander("How verdicts are reached", icon=":material/balance:"):
        loss, match = _thresholds()
    judged = verdicts(found, loss=loss, match=match)
    if not judged:
        st.info(
            "The claims are about pruning by activation, and this study has neither weights nor neurons by activation "
            "among its methods. Add them on the Compare page.",
            icon=":material/info:",
        )
        return
    with answer:
        _in_short(judged)
        _missing(store, state.record, found)
        _excluded(found)
    old = state.record.created < JUDGED_ANEW.timestamp()
    for claim, words in CLAIMS.items():
        _claim(claim, words, [verdict for verdict in judged if verdict.claim == claim], old=old)
        if claim == 3:
            _against_pca(findings_now.cells)
    _all_verdicts(number, judged)


def _in_short(judged: Sequence[Verdict]) -> None:
    st.header("In short", anchor=False)
    st.markdown("\n".join(overview(judged)))
    st.caption(
        "Undecided: the 95\u00a0% interval holds both answers, as with “No significant difference” on Compare, or "
        "there are too few seeds. More seeds may tell."
    )


def overview(judged: Sequence[Verdict]) -> list[str]:
    """A line of Markdown for each claim: its verdicts by method, or, of claim 5, by what activation is compared with.

    Where a method was judged in several cases (data sets and amounts), the verdicts are counted.
    """
    lines = []
    for claim, words in CLAIMS.items():
        by_name: dict[str, list[str]] = {}
        for verdict in judged:
            if verdict.claim == claim:
                name = f"better than {method(verdict.against)}" if verdict.against else method(verdict.criterion)
                by_name.setdefault(name, []).append(verdict.verdict)
        badges = [
            badge(verdict, f"{name}: {verdict}{f' in {n} of {len(found)}' if len(found) > 1 else ''}")
            for name, found in by_name.items()
            for verdict in LOOKS
            if (n := found.count(verdict))
        ]
        said = " ".join(badges) or "nothing to compare with in this study"
        lines.append(f"{claim}. [{words}](#claim-{claim}): {said}")
    return lines


def badge(verdict: str, words: str) -> str:
    """Words in the colour of a verdict and behind its icon, as Markdown."""
    colour, icon = LOOKS[verdict]
    return f":{colour}-badge[{icon} {words}]"


def _thresholds() -> tuple[float, float]:
    """Thresholds of claims 1 and 4, as shares."""
    with st.container(horizontal=True):
        loss = st.number_input(
            "Acceptable loss of accuracy, points",
            0.0,
            100.0,
            100 * LOSS,
            0.1,
            key="claims-loss",
            width=320,
            help="Claim 1 is supported if the whole 95 % interval lies above minus this value, and not if it lies "
            "below.",
        )
        match = st.number_input(
            "Tolerance for equal accuracy, points",
            0.0,
            100.0,
            100 * MATCH,
            0.1,
            key="claims-match",
            width=320,
            help="Claim 4 compares networks whose validation accuracies differ by no more than this.",
        )
    st.caption(
        "Verdicts rest on paired 95\u00a0% t intervals over seeds, no narrower than the test set's resolution. A "
        f"verdict takes at least {FEWEST} seeds and is corrected for the number of verdicts on this page (Holm): in "
        "95\u00a0% of such pages none is wrong by chance, if accuracies scatter normally over the seeds; where one "
        "seed in five fails badly, more are wrong. Claim 4 takes twelve seeds: two choose the regulariser's strength, "
        f"the others make five pairs, whose spectra may lie {MARGIN:g} times as far from the regularised ones as from "
        "each other. Another test set of the same size would move each accuracy too; the standard error of that "
        "stands beside the verdict."
    )
    return loss / 100, match / 100


def _excluded(found: Results) -> None:
    """Runs that stand for an amount that they did not reach."""
    unreached = [member.run.id for runs in found.cells.values() for member in runs.values() if member.unreached]
    if unreached:
        numbers = ", ".join(map(str, unreached))
        st.warning(
            f"Left out, since they ended before their last pruning: runs {numbers}.", icon=":material/filter_list_off:"
        )


def _missing(store: Store, record: StudyRecord, found: Results) -> None:
    """Buttons that start what a verdict still needs."""
    baselines = missing_baselines(found)
    wanted = {"none", "magnitude"} - set(record.study.criteria)
    with st.container(horizontal=True):
        if operating() and (wanted or not record.study.nuclear):
            runs = record.study.extended(criteria=sorted(wanted), nuclear=NUCLEAR if not record.study.nuclear else ())
            more = len(runs.experiments()) - len(record.study.experiments())
            if st.button(f"Train the {more} missing runs", icon=":material/play_arrow:", key="claims-runs"):
                extend_study(store, record.id, runs)
                st.rerun()
        _compute(store, record, len(baselines))
    if operating() and not set(range(SEEDS_OF_CLAIM_4)) <= set(record.study.seeds):
        st.caption(
            f"Claim 4 takes seeds 0 to {SEEDS_OF_CLAIM_4 - 1}, of which this study does not have all: on Compare, "
            "*Add seeds or methods*."
        )


def _compute(store: Store, record: StudyRecord, runs: int) -> None:
    """Compute PCA and SVD for this many runs once requested; their number falls as they are computed."""
    requested = f"claims-baselines-{record.id}"
    idle = runs and requested not in st.session_state
    if idle and st.button(f"Compute PCA and SVD for {runs} runs", icon=":material/compress:"):
        st.session_state[requested] = time.time()
        st.rerun()
    if requested in st.session_state:

        def compute() -> bool:
            fill_baselines(store, record.id)
            return True

        key = (store.name, requested, st.session_state[requested])
        try:
            done = in_background(key, compute, "Computing PCA and SVD")
        except Exception:
            del st.session_state[requested]
            raise
        if done:
            del st.session_state[requested]
            st.rerun()


def _claim(claim: int, words: str, judged: list[Verdict], *, old: bool) -> None:
    st.subheader(f"{claim}. {words}", anchor=f"claim-{claim}")
    st.caption(MEANING[claim])
    if old and judged and claim in JUDGED_OTHERWISE:
        st.caption(f"Until {_day(JUDGED_ANEW)} {JUDGED_OTHERWISE[claim]}; the verdict may have been another then.")
    for verdict in judged:
        seeds = "1 seed" if verdict.seeds == 1 else f"{verdict.seeds} seeds"
        st.markdown(
            f"{badge(verdict.verdict, verdict.verdict)} **{_case(verdict)}**, {seeds}. {verdict.words} "
            f"{aside(verdict, old=old)}"
        )
    if not judged:
        st.caption("This study has nothing to compare with for this claim.")
        return
    table, statistic = intervals(judged), judged[0].statistic
    if claim == 5:
        statistic = "accuracy against the other criterion"
    if len(table):
        chart_with_data(
            f"Evidence on claim {claim}",
            f"Mean and 95\u00a0% interval over the seeds; the dashed line is the limit for the {statistic}.",
            "An interval that lies wholly on one side of the line decides the claim; one that crosses it does not.",
            [interval_chart(table, _axis(statistic))],
            lambda: table,
            f"claim-{claim}",
        )


def aside(verdict: Verdict, *, old: bool = False) -> str:
    """What the correction changed, how many more seeds would decide, and the test set's own error, in words.

    Parameters
    ----------
    old
        Whether the study is older than today's rules: then also what the verdict was before.
    """
    said = []
    if old and (former := former_verdict(verdict)) not in (None, verdict.verdict):
        said.append(
            f"Until {_day(JUDGED_ANEW)}, when two seeds were enough and nothing was corrected, this was *{former}*."
        )
    if verdict.uncorrected != verdict.verdict:
        said.append(f"Alone it would be *{verdict.uncorrected}*; with the correction it is not.")
    if verdict.more_seeds:
        said.append(f"At this difference and scatter about {verdict.more_seeds} more seeds would decide.")
    elif verdict.p_corrected is not None and verdict.verdict == UNDECIDED:
        said.append("More seeds alone are not expected to decide.")
    if verdict.test_error is not None:
        said.append(f"Standard error of the test set: {100 * verdict.test_error:.2f} points.")
    return " ".join(said)


def _day(moment: datetime) -> str:
    return f"{moment:%-d %B %Y}"


def _all_verdicts(number: int, judged: Sequence[Verdict]) -> None:
    st.subheader("All verdicts", anchor=False)
    st.caption("The test behind each verdict; differences of accuracies and the test set's error are in points.")
    table = verdict_table(judged)
    st.dataframe(table, hide_index=True, alt="Each verdict with its difference, p and number of seeds.")
    tests = sum(verdict.p is not None for verdict in judged)
    with st.container(horizontal=True):
        download_csv(f"verdicts-{number}", lambda: table)
        note = verdicts_sentence([verdict.seeds for verdict in judged], tests)
        download_table(f"verdicts-{number}", table, note)


def _against_pca(cells: pd.DataFrame) -> None:
    """Test accuracy against PCA of every criterion that removes whole neurons, with the ranks at which PCA is."""
    table = pca_table(cells)
    if len(table):
        st.markdown("**Every way to remove neurons against PCA at its ranks**")
        st.dataframe(table, hide_index=True, alt="Accuracy of each neuron criterion against PCA at its ranks.")


def pca_table(cells: pd.DataFrame) -> pd.DataFrame:
    """A row per criterion that removes whole neurons and was compared with PCA (columns of `comparison.table`)."""
    whole = [CRITERIA[criterion].whole_neurons for criterion in cells["criterion"]]
    rows = [
        {
            "Method": method(row["criterion"]),
            "Amount": percent(row["amount"]),
            "Seeds": int(row["difference_from_pca_n"]),
            "Test accuracy": f"{100 * row['test_accuracy_mean']:.2f}\u00a0%",
            "Against PCA": interval_words(row, "difference_from_pca"),
            **(
                {"Equally trained": interval_words(row, "difference_from_pca_tuned")}
                if cells["difference_from_pca_tuned_n"].any()
                else {}
            ),
            "Ranks": " ".join(f"{rank:.0f}" for rank in row["ranks"]),
        }
        for _, row in cells[whole].iterrows()
        if row["difference_from_pca_n"]
    ]
    return pd.DataFrame(rows)


def _beside_bars(verdict: Verdict, *, data: bool) -> str:
    """The case that a verdict is about, short enough for a phone: of claim 5, what activation is compared with.

    The amount comes first, since the end of a long name is cut off there.
    """
    where = f"{DATASETS[verdict.dataset].title}, " if data else ""
    return f"{where}{percent(verdict.amount)}, {method(verdict.against or verdict.criterion)}"


def _case(verdict: Verdict) -> str:
    """The case that a verdict is about, in words."""
    against = f" rather than {method(verdict.against)}" if verdict.against else ""
    return f"{DATASETS[verdict.dataset].title}, {method(verdict.criterion)}{against}, {percent(verdict.amount)}"


def intervals(judged: list[Verdict]) -> pd.DataFrame:
    """The intervals behind the verdicts and those shown beside them, a row each; accuracies and limits in points."""
    rows = []
    several = len({verdict.dataset for verdict in judged}) > 1
    for verdict in judged:
        for what, interval in ((verdict.statistic, verdict.interval), *verdict.beside.items()):
            if interval is not None:
                about = {"case": _beside_bars(verdict, data=several), "criterion": verdict.criterion}
                scale = _scale(what)
                seeds = verdict.seeds if what == verdict.statistic else interval.n
                decides = {"limit": scale * verdict.limit if what == verdict.statistic else None}
                shown = "accuracy against the other criterion" if verdict.against else what
                rows.append({**about, "what": shown, **_scaled(scale, interval), "seeds": seeds, **decides})
    return pd.DataFrame(rows)


def _axis(statistic: str) -> str:
    """The title of an axis for a statistic and what is shown beside it, such as the same against something else."""
    if _scale(statistic) == 100:
        return "difference in test accuracy, points"
    return "difference in sum of ranks" if statistic.startswith("sum of ranks") else statistic


def _scale(what: str) -> int:
    """Accuracies are shown in points."""
    return 100 if what.startswith("accuracy") else 1


def _scaled(scale: int, interval: Interval) -> dict:
    bounds = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {name: None if value is None else scale * value for name, value in bounds.items()}


def interval_chart(table: pd.DataFrame, title: str = "difference") -> Chart:
    """Means with their intervals (columns of `intervals`), the deciding ones filled."""
    x = alt.X("mean:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
    y = alt.Y("case:N", title=None, sort=None, axis=alt.Axis(labelLimit=180))
    colour = alt.Color("criterion:N", scale=alt.Scale(domain=list(METHODS), range=list(METHODS.values())), legend=None)
    bounds = [alt.Tooltip(f"{name}:Q", format="+.3f") for name in ("mean", "low", "high")]
    tooltip: list[Any] = [alt.Tooltip("case:N"), alt.Tooltip("what:N"), *bounds, alt.Tooltip("seeds:Q")]
    kinds = table["what"].nunique()
    legend = alt.Legend(orient="top", title=None, columns=1, labelLimit=400, symbolFillColor=MUTED)
    base = alt.Chart(table).encode(y=y, yOffset=alt.YOffset("what:N"), color=colour, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    dots = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=x, shape=alt.Shape("what:N", legend=legend if kinds > 1 else None)
    )
    limits = (
        alt.Chart(table.dropna(subset=["limit"])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=alt.X("limit:Q"))
    )
    return alt.layer(limits, bars, dots).properties(
        height=height(26 * len(table), legend=kinds if kinds > 1 else 0, columns=1)
    )
