"""A run in a list to choose from: what tells it from others of the same name."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import streamlit as st

from abp.store.records import Run


def run_label(run: Run) -> str:
    """Number, name, test accuracy and time of a run: ``7: Demo · 95.3 % · 2 Mar 14:05``."""
    accuracy = run.status if run.test_accuracy is None else f"{100 * run.test_accuracy:.1f} %"
    return f"{run.id}: {run.name} · {accuracy} · {moment(run.started or run.created)}"


def labels(runs: Mapping[int, Run]) -> dict[int, str]:
    """The labels of runs, by their numbers."""
    return {number: run_label(run) for number, run in runs.items()}


def moment(seconds: float) -> str:
    """A time in seconds since 1970 as the person who looks at the page reads it: ``2 Mar 14:05``."""
    then = datetime.fromtimestamp(seconds, time_zone())
    return f"{then.day} {then:%b %H:%M}"


def time_zone() -> tzinfo | None:
    """The browser's time zone; None, for the server's own, where it is not known."""
    name = st.context.timezone
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError):  # unknown here, or no zone at all
        return None
