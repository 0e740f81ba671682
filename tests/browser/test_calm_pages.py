"""What pages of every kind has in common on a screen: its title comes first, and links look like links."""

from __future__ import annotations

import pytest

from abp.runs import worker
from abp.training.experiment import Experiment
from tests.waiting import PATIENCE

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

PAGES = ("", "runs", "playground", "low_rank")


@pytest.fixture(scope="module")
def run(dashboard) -> int:
    """A small run with one pruning, so that pages of every kind has something to show."""
    settings = Experiment(hidden=(12, 8), epochs=3, prunings=1, start_accuracy=0.0, stop_accuracy=1.0)
    number = dashboard.store.runs.add(settings, lane="self")
    assert worker.execute(dashboard.store, number, worker.new_owner(), park=False)
    return number


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)], ids=["projector", "phone"])
def test_a_page_begins_with_its_title_and_nothing_sticks_out(size, run, visit, dashboard):
    width, height = size
    page = visit("about:blank", width=width, height=height, has_touch=width < 640)
    for name in PAGES:
        page.goto(f"{dashboard.url}/{name}{'' if name in ('', 'train', 'runs', 'pair') else f'?run={run}'}")
        title = page.get_by_role("heading", level=1)
        expect(title).to_be_visible()
        page.wait_for_function("document.querySelector('h1').getBoundingClientRect().y < 70")
        aid = page.get_by_role("button", name="What am I looking at?")
        expect(aid).to_be_visible()
        edge = aid.bounding_box()
        assert edge["x"] + edge["width"] <= width and edge["y"] + edge["height"] <= 60, (name, edge)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("part => part.scrollWidth - part.clientWidth") <= 0, name
    page.goto(dashboard.url)
    link = page.get_by_test_id("stMain").get_by_role("link", name="Show all runs")
    expect(link).to_be_visible()
    assert "underline" in link.locator("p").evaluate("words => getComputedStyle(words).textDecorationLine")
