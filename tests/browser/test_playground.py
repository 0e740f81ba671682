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

SIZES = {"projector": (1280, 720), "phone": (390, 844)}


@pytest.fixture(scope="module")
def runs(dashboard) -> dict[str, int]:
    """A dense run of each data set that has learned to read digits."""
    found = {}
    for dataset, epochs in (("digits", 20), ("mnist", 2)):
        settings = {"hidden": (80, 40), "learning_rate": 0.1, "criterion": "none", "stop_accuracy": 1.0}
        found[dataset] = dashboard.store.runs.add(Experiment(dataset=dataset, epochs=epochs, **settings), lane="self")
        assert worker.execute(dashboard.store, found[dataset], worker.new_owner(), park=False)
    return found


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
    """Share of test samples, in %, that each side classifies correctly."""
    texts = page.get_by_text(re.compile(r"^Run \d+, .*classifies [\d.]+ % correctly"))
    expect(texts).to_have_count(2)
    return [float(re.search(r"classifies ([\d.]+) %", text).group(1)) for text in texts.all_inner_texts()]  # type: ignore[union-attr]


def flow_of(page, side: str, layer: int):
    return page.get_by_role("application", name=re.compile(f"^{side}: outputs of the .* neurons of hidden {layer}"))


def below(page, part) -> float:
    """Where the lower edge of a part of the page is in the window."""
    box = part.bounding_box()
    return box["y"] + box["height"]


def stored(dashboard: Dashboard, run: int) -> list:
    """All that the store holds of a run."""
    with sqlite3.connect(dashboard.home / "abp.sqlite3") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
        held = [table for table in tables if "run" in columns[table]]
        rows = [connection.execute(f"SELECT * FROM {table} WHERE run = ?", (run,)).fetchall() for table in held]
        return [*rows, connection.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchall()]


@pytest.mark.parametrize("size", SIZES)
def test_a_visitor_draws_breaks_the_network_switches_a_neuron_and_changes_nothing_stored(
    size, runs, real_data, visit, dashboard
):
    (width, height), finger = SIZES[size], size == "phone"
    dataset = "digits" if finger else "mnist"
    run = runs[dataset]
    before = stored(dashboard, run)
    page = visit(f"{dashboard.url}/playground?run={run}", width=width, height=height, has_touch=finger)
    says = page.get_by_role("heading", name=re.compile(r"^\d, .* sure\. \(Second guess: \d, .*\)"))
    waits = page.get_by_role("heading", name="Draw a digit from 0 to 9")
    expect(waits).to_have_count(2)

    # Whatever is played with stands on one screen, or one below the other on a phone.
    pad, slider = page.get_by_role("application", name="Drawing pad"), page.get_by_role("slider")
    answers = page.get_by_role("list", name=re.compile("class probabilities"))
    last = flow_of(page, "Your copy", 2)
    expect(last).to_be_visible()
    expect(answers).to_have_count(2)
    if not finger:
        assert max(below(page, part) for part in (pad, answers.last, slider, last)) <= height
    else:
        assert below(page, pad) < below(page, answers.last) < below(page, slider) < below(page, last)
        assert below(page, answers.last) < height + 100

    drawn_line(page, finger=finger)
    expect(says).to_have_count(2)
    if dataset == "mnist":
        expect(says.first).to_have_text(re.compile("^1, "))
    spoke = page.locator(".spoke")
    expect(spoke).to_have_count(10)  # five of each hidden layer
    assert page.locator(".link").count() > 10

    # The drawing stays while another source is looked at.
    said = says.first.inner_text()
    page.get_by_role("radio", name="Test picture").click()
    expect(page.get_by_role("heading", name=re.compile(r"^\d: (correct|wrong)\."))).to_have_count(2)
    page.get_by_role("radio", name="Draw").click()
    expect(says.first).to_have_text(said)
    assert pad.evaluate("pad => pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data.some(Boolean)")
    pad.focus()
    page.keyboard.press("Escape")
    expect(waits).to_have_count(2)
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(says).to_have_count(2)

    # While the slider is dragged, the copy's answer follows; when it is let go, its accuracy does.
    whole = scores(page)
    assert whole[0] == whole[1] > 70
    yours = page.get_by_role("list", name="Your copy: class probabilities")
    untouched = yours.inner_text()
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + box["height"] / 2, steps=3)
    expect(yours).not_to_have_text(untouched, use_inner_text=True)
    loss = page.get_by_text(re.compile(r"correctly \(−\d+\.\d points\)"))
    expect(loss).to_be_hidden()
    page.mouse.up()
    expect(loss).to_be_visible()
    assert scores(page)[1] < whole[0] - 20
    slider.focus()
    page.keyboard.press("Home")
    expect(loss).to_be_hidden()
    expect(yours).to_have_text(untouched, use_inner_text=True)

    # A tap switches a neuron off, which a ring shows, and beside it stands what it responds to.
    cells, ring = flow_of(page, "Your copy", 1), page.locator("circle.off")
    first = {"position": {"x": 6, "y": 6}}
    cells.click(**first)
    off = page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 1", exact=True)
    expect(off).to_be_visible()
    expect(ring).to_have_count(1)
    tip = page.locator(".flow .tip")
    expect(tip.get_by_text("Neuron 1: switched off.")).to_be_visible()
    expect(tip.get_by_alt_text(re.compile("^The pattern that it prefers"))).to_be_visible()
    expect(tip.get_by_text(re.compile("^It fires most for: "))).to_be_visible()
    cells.click(**first)
    expect(off).to_be_hidden()
    expect(ring).to_have_count(0)
    cells.focus()
    page.keyboard.press("ArrowRight")
    expect(tip.get_by_text(re.compile(r"^Neuron 2: output [\d.]+, \d+ incoming weights left\."))).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 2", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stMultiSelect").get_by_text("hidden 1, neuron 2", exact=True)).to_be_hidden()

    page.get_by_role("radio", name="As trained").click()
    flow_of(page, "As trained", 1).hover(position={"x": 32, "y": 6})
    expect(tip.get_by_text(re.compile("^It fires most for: "))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"^More about neuron \d+ of hidden 1$"))).to_be_visible()
    page.get_by_text("Compare mistakes").click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    page.get_by_text("Accuracy for every share removed").click()
    expect(page.locator('[aria-label^="Accuracy after removal"] > svg')).to_be_visible()
    assert stored(dashboard, run) == before
