"""Work too long for a page's own thread: it goes on in another one, and the page looks again when it is done."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import streamlit as st

from abp.analysis.threads import on_one_core
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.result_cache import ResultCache

Result = TypeVar("Result")

LOOK_EVERY = 0.3
"""Seconds between looks whether the work is done."""

_AT_ONCE = 0.25  # seconds for which a page waits before it says that it waits


@st.cache_resource(show_spinner=False)
def _results() -> ResultCache:
    return ResultCache(ThreadPoolExecutor(max_workers=2, thread_name_prefix="page work"))


def _alone(work: Callable[[], Result]) -> Result:
    """Do work on one core: beside training, which has the others, more threads would wait for one another."""
    with on_one_core():
        return work()


def in_background(key: Hashable, work: Callable[[], Result], what: str, *, patience: float = _AT_ONCE) -> Result | None:
    """What `work` returns, computed once for all browsers; None while it goes on, after saying so.

    The page is redrawn when it is done. `work` must not call Streamlit.

    Parameters
    ----------
    key
        Names the result: all that it depends on.
    what
        What goes on, for people: "Reducing the layers".
    patience
        Seconds to wait for it before saying so.

    Raises
    ------
    Exception
        What `work` raised; the next look starts it again.
    """
    future = _results().future(key, partial(_alone, work))
    if wait([future], timeout=patience).not_done:
        _say(future, what)
        return None
    if future.exception() is not None:
        _results().forget(key, future)
    return future.result()


def _say(future: Future, what: str) -> None:
    st.info(f"{what} …", icon=":material/hourglass_empty:")

    @fragment(run_every=LOOK_EVERY)
    def look() -> None:
        if future.done():
            st.rerun()

    look()
