"""The form that starts a study: methods, amounts and seeds, and an estimate of the time it takes."""

import re

import streamlit as st

from abp.dashboard.frame.access import offers_controls
from abp.dashboard.frame.fields import broken_criteria, number_field, refuse
from abp.dashboard.frame.page import plain_errors
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.runs.cluster.workers import cores
from abp.store.store import Store
from abp.studies.registry import expected, start_study, studies
from abp.studies.specification import PRESETS, Study, preset
from abp.studies.verdicts import duration
from abp.training.setting import from_percent, to_percent


def study_form(store: Store) -> None:
    """A form in an expander, which is open while there is no study; a study that is started is shown."""
    if not offers_controls():
        return
    with st.expander("Start a study", icon=":material/science:", expanded=not studies(store)):
        kind = st.radio(
            "Kind of study",
            list(PRESETS),
            format_func=str.capitalize,
            captions=list(PRESETS.values()),
            horizontal=True,
        )
        study = None
        with plain_errors():
            study = _fields(kind)
        _start(store, study)


def _fields(kind: str) -> Study | None:
    """The study that the fields describe; None, after saying beside a field why, if there is none."""
    usual = preset(kind)
    left, middle, right = st.columns(3)
    with left:
        dataset = st.selectbox(
            "Data",
            list(DATASETS),
            index=list(DATASETS).index(usual.datasets[0]),
            format_func=lambda name: DATASETS[name].title,
            key=f"study-data-{kind}",
        )
    with middle:
        seeds = number_field(
            "Seeds",
            value=len(usual.seeds),
            low=1,
            high=100,
            key=f"study-seeds-{kind}",
            help="Use at least five for meaningful intervals.",
        )
    with right:
        text = st.text_input(
            "Shares to remove, %",
            ", ".join(f"{to_percent(amount):g}" for amount in usual.amounts),
            key=f"study-amounts-{kind}",
        )
    criteria = st.multiselect(
        "Methods",
        list(CRITERIA),
        default=list(usual.criteria),
        format_func=lambda name: CRITERIA[name].title if name != "none" else "dense (nothing is removed)",
        key=f"study-criteria-{kind}",
        help="Include dense, by magnitude and at random; without them the result says little.",
    )
    broken_criteria()
    amounts = shares(text)
    if amounts is None or (not amounts and criteria != ["none"]):
        with right:
            wanted = "different numbers above 0 and up to 99.9, such as 80, 90"
            refuse(f"“Shares to remove, %” must be {wanted}, not “{text}”.")
        return None
    if not criteria:
        refuse("“Methods” must name at least one.")
    if not criteria or seeds is None:
        return None
    return preset(kind, dataset=dataset, seeds=seeds, criteria=criteria, amounts=amounts)


def shares(text: str) -> list[float] | None:
    """Shares from percentages between commas or spaces; None if they cannot be used.

    >>> shares("80, 90,"), shares("80 97.5"), shares("120"), shares("80, 80")
    ([0.8, 0.9], [0.8, 0.975], None, None)
    """
    try:
        percentages = [float(part) for part in re.split(r"\s*,\s*|\s+", text.strip().removesuffix(",").strip()) if part]
    except ValueError:
        return None
    usable = len(set(percentages)) == len(percentages) and all(0 < percent <= 99.9 for percent in percentages)
    return [from_percent(percent) for percent in percentages] if usable else None


def _start(store: Store, study: Study | None) -> None:
    if study is not None:
        st.caption(size_of(store, study))
    with plain_errors():
        if st.button("Start the study", type="primary", icon=":material/play_arrow:", disabled=study is None) and study:
            st.query_params.from_dict({"study": str(start_study(store, study))})
            st.rerun()


def size_of(store: Store, study: Study) -> str:
    """The number of runs of a study, how many of them exist already, and how long the rest may take."""
    missing, seconds = expected(store, study, workers=cores())
    runs = len(study.experiments())
    existing = f", {runs - missing} of which exist already" if missing < runs else ""
    if not missing:
        return f"{runs} runs, all of which exist already."
    if seconds is None:
        return f"{runs} runs{existing}. Their duration can be estimated once a run of this kind has finished."
    return f"{runs} runs{existing}. About {duration(seconds)} on all cores of this machine."
