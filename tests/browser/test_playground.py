"""The playground in a real browser: draw, be understood, break the network, and leave nothing behind."""

from __future__ import annotations

import re
import sqlite3

import pytest

from abp.runs import worker
from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard
from tests.waiting import PATIENCE

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

WIDTHS = {"desktop": 1280, "phone": 390}


@pytest.fixture(scope="module", params=["digits", "mnist"])
def run(request, dashboard) -> int:
    """A dense run that has learned to read digits."""
    if request.param != "digits":
        request.getfixturevalue("real_data")
    epochs = 20 if request.param == "digits" else 2
    settings = {"hidden": (80, 40), "learning_rate": 0.1, "criterion": "none", "stop_accuracy": 1.0}
    number = dashboard.store.runs.add(Experiment(dataset=request.param, epochs=epochs, **settings), lane="self")
    assert worker.execute(dashboard.store, number, worker.new_owner(), park=False)
    return number


def drawn_line(page, *, finger: bool = False) -> None:
    """Draw an upright line with the mouse or a finger: a one."""
    pad = page.get_by_role("application", name="Drawing pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    middle = box["x"] + box["width"] / 2
    heights = [box["y"] + (0.2 + 0.6 * step / 8) * box["height"] for step in range(9)]
    if finger:
        touch = page.context.new_cdp_session(page)
        for kind, height in [("touchStart", heights[0]), *(("touchMove", height) for height in heights[1:])]:
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": middle, "y": height}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    page.mouse.move(middle, heights[0])
    page.mouse.down()
    for height in heights[1:]:
        page.mouse.move(middle, height)
    page.mouse.up()


def scores(page) -> list[float]:
    """Share of test pictures, in %, that each side classifies correctly."""
    texts = page.get_by_text(re.compile("of the test pictures correctly"))
    expect(texts).to_have_count(2)
    return [float(re.search(r"classifies ([\d.]+) %", text).group(1)) for text in texts.all_inner_texts()]  # type: ignore[union-attr]


def stored(dashboard: Dashboard, run: int) -> list:
    """All that the store holds of a run."""
    with sqlite3.connect(dashboard.home / "abp.sqlite3") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
        held = [table for table in tables if "run" in columns[table]]
        rows = [connection.execute(f"SELECT * FROM {table} WHERE run = ?", (run,)).fetchall() for table in held]
        return [*rows, connection.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchall()]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_visitor_draws_breaks_the_network_switches_a_neuron_and_changes_nothing_stored(width, run, visit, dashboard):
    before = stored(dashboard, run)
    finger = width == WIDTHS["phone"]
    page = visit(f"{dashboard.url}/playground?run={run}", width=width, height=900, has_touch=finger)
    says = page.get_by_role("heading", name=re.compile(r"^\d \(.* sure\)"))
    waits = page.get_by_role("heading", name="Draw or choose a picture")
    expect(waits).to_have_count(2)

    drawn_line(page, finger=finger)
    expect(says).to_have_count(2)
    if dashboard.store.runs.get(run).experiment.dataset == "mnist":
        expect(says.first).to_have_text(re.compile("^1 "))

    pad = page.get_by_role("application", name="Drawing pad")
    pad.focus()
    page.keyboard.press("Escape")
    expect(waits).to_have_count(2)
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(says).to_have_count(2)

    whole = scores(page)
    assert whole[0] == whole[1] > 70
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    loss = page.get_by_text(re.compile(r"correctly \(−\d+\.\d points\)"))
    expect(loss).to_be_visible()
    assert scores(page)[1] < whole[0] - 20
    page.keyboard.press("Home")
    expect(loss).to_be_hidden()

    cells = page.get_by_role("application", name=re.compile("^Your copy: outputs of the 80 neurons of hidden 1"))
    first = {"position": {"x": 6, "y": 6}}
    cells.click(**first)
    off = page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 1", exact=True)
    expect(off).to_be_visible()
    expect(page.get_by_text(f"Hidden 1, neuron 1 of run {run}, as trained")).to_be_visible()
    expect(page.get_by_role("heading", name="Preferred pattern")).to_be_visible()
    cells.click(**first)
    expect(off).to_be_hidden()
    cells.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^Neuron 2: output [\d.]+, \d+ incoming weights left\.$"))).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 2", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 2", exact=True)).to_be_hidden()

    trained = page.get_by_role("application", name=re.compile("^As trained: outputs of the 80 neurons of hidden 1"))
    trained.hover(position={"x": 32, "y": 6})
    expect(page.get_by_text(f"Hidden 1, neuron 3 of run {run}, as trained")).to_be_visible()

    page.get_by_text("Compare mistakes").click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    expect(page.locator('[aria-label^="Accuracy after removal"] > svg')).to_be_visible()
    assert stored(dashboard, run) == before
