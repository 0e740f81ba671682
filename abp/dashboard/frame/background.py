"""Work too long for a page's own thread: it goes on in another one, and the page looks again when it is done."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import streamlit as st
import torch
from threadpoolctl import threadpool_limits

from abp.dashboard.frame.page import fragment

Result = TypeVar("Result")

LOOK_EVERY = 0.3
"""Seconds between looks whether the work is done."""

_AT_ONCE = 0.25  # seconds for which a page waits before it says that it waits


@st.cache_resource(show_spinner=False)
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="page work")


def _on_one_core(work: Callable[[], Result]) -> Result:
    """Do work without more threads of its own: beside training, which has the cores, they wait for one another."""
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        return work()


@st.cache_resource(show_spinner=False, max_entries=32)
def _started(key: Hashable, _work: Callable[[], Any]) -> Future:
    return _workers().submit(_on_one_core, _work)


def in_background(key: Hashable, work: Callable[[], Result], what: str, *, patience: float = _AT_ONCE) -> Result | None:
    """What `work` returns, computed once for all browsers; None while it goes on, after saying so.

    The page is drawn anew when it is done. `work` must not call Streamlit.

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
    future = _started(key, work)
    if wait([future], timeout=patience).not_done:
        _say(future, what)
        return None
    if future.exception() is not None:
        _started.clear(key, work)
    return future.result()


def _say(future: Future, what: str) -> None:
    st.info(f"{what} …", icon=":material/hourglass_empty:")

    @fragment(run_every=LOOK_EVERY)
    def look() -> None:
        if future.done():
            st.rerun()

    look()
