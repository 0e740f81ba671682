"""What a page's link says: the numbers in it, and the run or the study that the page shows."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import moved_in_history, plain_errors, store
from abp.dashboard.frame.run_label import labels
from abp.store.records import Run, RunUnknown, StudyUnknown, no_run, no_study
from abp.studies.registry import studies

_LARGEST = 10**15 - 1  # every number in a link stays far below what the database can hold
_MANY = 200  # runs offered in the list


class LinkInvalid(ValueError):
    """A link holds no usable number where one belongs; the error's text is what it holds, shortened."""


def linked_number(parameter: str, highest: int = _LARGEST) -> int | None:
    """The whole number from 1 to `highest` that the page's link gives a parameter; None if it gives none.

    Raises
    ------
    LinkInvalid
        If the link gives it anything else.
    """
    text = st.query_params.get(parameter)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST)) and 1 <= int(text) <= highest:
        return int(text)
    shown = text.encode("utf-8", "replace").decode()
    raise LinkInvalid(shown if len(shown) <= 40 else f"{shown[:40]}…")


def number_or_warning(parameter: str, highest: int, what: str, instead: str) -> int | None:
    """Like `linked_number`, but None, after saying so, for an unusable one too.

    Parameters
    ----------
    what
        What the number stands for: "step".
    instead
        A sentence that says what the page shows instead.
    """
    try:
        return linked_number(parameter, highest)
    except LinkInvalid as error:
        invalid_link(error, f"{what}, which must be from 1 to {highest:,}", instead)
        return None


def invalid_link(error: LinkInvalid, what: str, more: str) -> None:
    """Say that a link's number cannot be used, and what follows from that."""
    st.warning(f"“{literal(str(error))}” in the link is not a valid {what}. {more}", icon=":material/link_off:")


def run_from_link(parameter: str = "run") -> int | None:
    """The number of a run in the link's ``?run=``, or another parameter; None if there is none.

    Raises
    ------
    abp.store.records.RunUnknown
        If it is not the number of any run.
    """
    try:
        return linked_number(parameter)
    except LinkInvalid as error:
        raise RunUnknown(f"“{error}” is not the number of a run.") from None


def study_from_link() -> int | None:
    """The number of a study in the link's ``?study=``; None if there is none.

    Raises
    ------
    abp.store.records.StudyUnknown
        If it is not the number of any study.
    """
    try:
        return linked_number("study")
    except LinkInvalid as error:
        raise StudyUnknown(f"“{error}” is not the number of a study.") from None


def _left_out(parameter: str, wrong: str) -> None:
    invalid_link(LinkInvalid(wrong[:40]), f"value of “{parameter}” here", "It is left out.")


def in_link(
    parameter: str,
    key: str,
    options: Sequence[Any],
    usual: Any,
    draw: Callable[[], Any],
    *,
    explain: Callable[[str, str], None] = _left_out,
) -> Any:
    """The value of a widget that the page's link holds, so that Back, Forward and a copied address restore it.

    What a person chooses goes into the link; what the link says when it changes goes into the widget.

    Parameters
    ----------
    parameter
        Its name in the link.
    key
        The widget's; it must be drawn with no value of its own.
    options
        What can be chosen. A value that is a list of some of them stands in the link with commas between.
    usual
        What is shown while the link does not say; the widget follows it if it changes.
    draw
        Draws the widget; returns its value.
    explain
        Says, given the parameter and what the link says, that this is none of the options.
    """
    state, said = st.session_state, st.query_params.get(parameter)
    linked = _read(parameter, said, options, usual, explain)
    # What the link has said since the browser last caught up with it, newest last, and what was usual then.
    told, usual_before = state.get(f"{key}-in-link", ((said,), usual))
    # Choices that follow one another quickly are sent with the link as it was before the first of them.
    behind = said in told[:-1] and not moved_in_history()
    followed = said != told[-1] and not behind
    if key not in state or followed or usual != usual_before or not _possible(state[key], options):
        state[key] = linked
    if not behind:
        told = (said,)
    value = draw()
    if value != linked:
        written = None if value is None and usual is None else _written(value)
        if written is None:
            st.query_params.pop(parameter, None)
        else:
            st.query_params[parameter] = written
        told = (*told, written)
    state[f"{key}-in-link"] = told, usual
    return value


def _possible(value: Any, options: Sequence[Any]) -> bool:
    """Whether a widget can still show a value: a run that was chosen may have been deleted since."""
    return all(each in options for each in (value if isinstance(value, list) else [value]) if each is not None)


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)


def _read(
    parameter: str, said: str | None, options: Sequence[Any], usual: Any, explain: Callable[[str, str], None]
) -> Any:
    """What the link says, or what is usual, after saying so where it says something else."""
    if said is None:
        return usual
    by_name = {str(option): option for option in options}
    if isinstance(usual, list):
        names = [name for name in said.split(",") if name]
        known = [by_name[name] for name in names if name in by_name]
    else:
        names, known = [said], [by_name[said]] if said in by_name else []
        if usual is None and said == "none":
            return None
    if len(known) < len(names):
        explain(parameter, next(name for name in names if name not in by_name))
    return known if isinstance(usual, list) else known[0] if known else usual


_OF_ONE_RUN = ("moment", "overlay")
"""Parameters of a link that mean something else, or nothing, for another run."""


def choose_run(first: Callable[[Sequence[Run]], int] | None = None) -> Run | None:
    """The run of ``?run=``, or the newest one; a list to choose another, which changes the link.

    Parameters
    ----------
    first
        Which of the newest runs, in that order, is shown where the link names none; at least one is given to it.

    Returns
    -------
    Run or None
        None, after saying so, while there are no runs.

    Raises
    ------
    abp.store.records.RunUnknown
        If the link names a run that does not exist.
    """
    linked = run_from_link()
    runs = {run.id: run for run in store().runs.readable(limit=_MANY)}
    if linked is not None and linked not in runs:
        runs[linked] = store().runs.get(linked)
    if not runs:
        st.info("There are no runs yet. Train a network, and you can examine it here.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train a network", icon=":material/play_circle:")
        return None
    offered = list(runs)
    current = linked if linked is not None else first(list(runs.values())) if first else offered[0]

    def update_link() -> None:
        kept = {name: value for name, value in st.query_params.to_dict().items() if name not in _OF_ONE_RUN}
        st.query_params.from_dict({**kept, "run": str(st.session_state["chosen-run"])})

    st.session_state["chosen-run"] = current
    shown = labels(runs)
    st.selectbox(
        "Run",
        offered,
        format_func=lambda number: shown[number],
        key="chosen-run",
        on_change=update_link,
    )
    return runs[current]


def choose_two_runs() -> tuple[Run, Run] | None:
    """The runs of ``?run=`` and ``?other=``, each chosen from a list; None, after saying why, unless they are two."""
    runs = {run.id: run for run in store().runs.readable(limit=_MANY)}
    for parameter in ("run", "other"):
        with suppress(LinkInvalid, RunUnknown):  # said below
            linked = linked_number(parameter)
            if linked is not None and linked not in runs:
                runs[linked] = store().runs.get(linked)
    if len(runs) < 2:
        st.info("This page compares two runs, and there are not two yet.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train a network", icon=":material/play_circle:")
        return None
    offered, shown = list(runs), labels(runs)
    chosen = []
    for parameter, label in (("run", "First run"), ("other", "Second run")):

        def draw(label: str = label, key: str = f"pair-{parameter}") -> int | None:
            return st.selectbox(
                label,
                offered,
                index=None,
                format_func=lambda number: shown[number],
                placeholder="Choose a run",
                key=key,
            )

        chosen.append(in_link(parameter, f"pair-{parameter}", offered, None, draw, explain=_no_such_run))
    first, second = chosen
    if first is None or second is None:
        return None
    if first == second:
        st.info(f"Both are run {first}. Choose another one beside it.", icon=":material/info:")
        return None
    return runs[first], runs[second]


def _no_such_run(parameter: str, said: str) -> None:
    """Say that the run of a link does not exist, as the pages of one run do."""
    with plain_errors():
        number = run_from_link(parameter)
        if number is None or said != str(number):  # such as 007
            raise RunUnknown(f"“{said[:40]}” is not the number of a run.")
        raise no_run(number)


def choose_study() -> int | None:
    """The study of ``?study=``, or the newest one; a list to choose another, which changes the link.

    Returns
    -------
    int or None
        None, after saying so, while there are no studies.

    Raises
    ------
    abp.store.records.StudyUnknown
        If the link names a study that does not exist.
    """
    names = {record.id: record.name for record in studies(store())}
    linked = study_from_link()
    if linked is not None and linked not in names:
        raise no_study(linked)
    if not names:
        st.info("There are no studies yet. Start one, and its results appear here.", icon=":material/info:")
        st.page_link("pages/compare.py", label="Start a study", icon=":material/science:")
        return None

    def update_link() -> None:
        st.query_params["study"] = str(st.session_state["chosen-study"])

    if linked is None:  # the newest; a link to this page must go on showing it when there is a newer one
        linked = next(iter(names))
        st.query_params["study"] = str(linked)
    st.session_state["chosen-study"] = linked
    return st.selectbox(
        "Study",
        list(names),
        format_func=lambda number: f"{number}: {names[number]}",
        key="chosen-study",
        on_change=update_link,
    )
