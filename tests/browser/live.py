"""What browser tests of a run's page share: a run to watch, and where on the page its parts are."""

from __future__ import annotations

import dataclasses
from typing import Any

from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard
from tests.waiting import PATIENCE, wait_until

# Learns, prunes nothing by itself, and goes on for as long as it is let: no story has to hurry.
ENDLESS = Experiment(
    criterion="none", hidden=(60, 40), epochs=10_000, learning_rate=1e-3, stop_accuracy=1.0, patience=0
)

_JOINED = """root => new Promise(done => {
  const look = () => (root.view?.record?.status ? done() : setTimeout(look, 20))
  look()
})"""

PIXELS = "root => root.querySelector('canvas').toDataURL()"


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def number_of(page: Any, name: str) -> Any:
    """One of the numbers in a row: epoch, training, validation, test, removed, alive or rate."""
    return page.locator(f'.live [data-number="{name}"]')


def paused_run(dashboard: Dashboard, **details: Any) -> int:
    """A run that its worker has paused before the first batch; resumed, it trains four epochs a second."""
    run = dashboard.store.runs.add(dataclasses.replace(ENDLESS, **details), held=True, pace=4.0, name="A paused run")
    hidden = dashboard.store.runs.get(run).experiment.hidden
    wait_until(lambda: dashboard.store.frames.newest(run, hidden), "for a worker")
    assert dashboard.store.runs.get(run).status == "paused"
    return run


def run_settled(dashboard: Dashboard, run: int) -> int:
    """The run, when it has ended."""
    wait_until(lambda: not dashboard.store.runs.get(run).active, "for the run to end")
    return run


def watched(visit: Any, dashboard: Dashboard, run: int, **details: Any) -> Any:
    """The page of a run, joined to its channel."""
    page = visit(f"{dashboard.url}/train?run={run}", **details)
    page.locator(".live canvas").wait_for(timeout=1000 * PATIENCE)
    page.locator(".live").evaluate(_JOINED)
    return page


def choose(page: Any, name: str, title: str) -> None:
    """Choose an option of a field; the list is opened again when a redraw of the page has closed it."""
    from playwright.sync_api import TimeoutError

    field, option = page.get_by_role("combobox", name=name), page.get_by_role("option", name=title, exact=True)

    def chosen() -> bool:
        try:
            field.click(timeout=5000)
            option.click(timeout=5000)
        except TimeoutError:
            return field.input_value() == title
        return True

    wait_until(chosen, f"for the option {title}")
