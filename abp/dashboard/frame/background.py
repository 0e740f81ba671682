"""Work that takes too long for a page's own thread: it runs in another one, and the page is redrawn when it is done."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import streamlit as st

from abp.analysis.threads import on_one_core
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.result_cache import ResultCache
from abp.dashboard.frame.turns import turns

Result = TypeVar("Result")

LOOK_EVERY = 0.3
"""Seconds between checks whether the work is done."""

_PATIENCE = 0.25  # seconds for which a page waits before it says that it is waiting


@st.cache_resource(show_spinner=False)
def _results() -> ResultCache:
    return ResultCache(ThreadPoolExecutor(max_workers=2, thread_name_prefix="page work"))


def _alone(work: Callable[[], Result]) -> Result:
    """Do work on one core: beside training, which has the others, more threads would wait for one another."""
    with on_one_core():
        return work()


def in_background(
    key: Hashable,
    work: Callable[[], Result],
    what: str,
    *,
    patience: float = _PATIENCE,
    quiet: bool = False,
    keep: bool = True,
) -> Result | None:
    """The result of `work`, computed once for all browsers; None, after saying so, while it is being computed.

    The page is redrawn when it is done. `work` must not call Streamlit.

    Parameters
    ----------
    key
        Identifies the result: everything that it depends on.
    what
        The work in words: "Reducing the layers".
    patience
        Seconds to wait for it before saying so.
    quiet
        Say nothing: the page itself shows that something is missing.
    keep
        Whether to keep the result for the next call, so long as there is room; else the caller keeps it.

    Raises
    ------
    Exception
        Whatever `work` raised; the next call starts it again.
    """
    future = _results().future(key, partial(_alone, work))
    if not future.done():  # else it would go to the end of the line for nothing
        with turns.waiting():
            wait([future], timeout=patience)
    if not future.done():
        _show_waiting(future, "" if quiet else what)
        return None
    if future.exception() is not None or not keep:
        _results().forget(key, future)
    return future.result()


def _show_waiting(future: Future, what: str) -> None:
    if what:
        st.info(f"{what} …", icon=":material/hourglass_empty:")

    @fragment(run_every=LOOK_EVERY)
    def check() -> None:
        if future.done():
            st.rerun()

    check()
