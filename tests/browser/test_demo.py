"""The guided demo in a real browser: from the first page to the last step, on a projector and on a phone."""

from __future__ import annotations

import operator
import re

import pytest

from abp.dashboard.demo.presets import GUIDED, start_guided
from abp.data.datasets import load_test_set
from tests.browser.conftest import Dashboard
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)


LIVE_FRAMES = """async root => {
  const { view } = root
  for (let turn = 0; turn < 5; turn++) {
    const before = view.live?.number ?? 0
    await new Promise(done => {
      const look = () => (view.following && view.live?.number > before ? done() : setTimeout(look, 20))
      look()
    })
  }
}"""

ALIVE = "({ view: { grid } }) => [grid.neurons, grid.alive.reduce((sum, one) => sum + one, 0)]"


def button(page, name: str):
    return page.get_by_role("button", name=re.compile(f"^{name}"))


def title(page, step: int):
    return page.locator(".stage .title", has_text=re.compile(rf"^{step}\. "))


def go_to(page, step: int) -> None:
    """Go by keys, step by step, to one where it stays: it must be paused, or gone through like this."""
    here = int(page.locator(".stage .title").inner_text()[0])
    for passed in range(here + 1, step + 1) if step > here else range(here - 1, step - 1, -1):
        page.keyboard.press("ArrowRight" if step > here else "ArrowLeft")
        expect(title(page, passed)).to_be_visible()


def of_100(share: float) -> str:
    return f"{round(100 * share)} of 100"


@pytest.fixture(scope="module")
def recorded(dashboard) -> tuple[int, int]:
    """A demo that is over, recorded as fast as it goes."""
    run, beside = start_guided(dashboard.store)
    dashboard.store.commands.add(run, "pace", epochs_per_second=0)
    ended(dashboard, run, beside)
    return run, beside


def ended(dashboard: Dashboard, *runs: int) -> None:
    for run in runs:
        wait_until(lambda run=run: dashboard.store.runs.get(run).status == "finished", "for the demo's runs")


def test_from_the_first_page_to_the_last_step(visit, dashboard):
    page = visit(dashboard.url)
    button(page, "Show me, in a minute").click()
    page.wait_for_url(re.compile(r"/demo\?run=\d+&beside=\d+"))
    run, beside = map(int, re.findall(r"\d+", page.url.rsplit("/", 1)[-1])[:2])
    expect(title(page, 1)).to_be_visible()
    expect(page.locator(".stage .note")).to_have_text(re.compile("round [2-9]"))  # it is followed
    view = page.locator(".stage")
    view.evaluate(LIVE_FRAMES)  # frame by frame, over the live channel
    dashboard.store.commands.add(run, "pace", epochs_per_second=0)
    ended(dashboard, run, beside)

    page.keyboard.press("p")
    expect(button(page, "Play")).to_be_enabled()
    go_to(page, 2)
    expect(page.locator(".stage .sentence")).to_contain_text("hardly ever fire")
    expect(button(page, "Play")).to_be_enabled()  # it has been played to its end, and stays
    page.keyboard.press("g")
    expect(title(page, 5)).to_be_visible()  # by itself
    expect(button(page, "Play")).to_be_enabled()
    expect(button(page, "Next")).to_be_disabled()
    go_to(page, 3)
    prunings = dashboard.store.histories.prunings(run)
    expect(page.locator(".stage .sentence")).to_contain_text(f"{prunings['neurons_removed'][0]} least active")
    left = sum(GUIDED.hidden) - prunings["neurons_removed"][0]
    wait_until(lambda: view.evaluate(ALIVE) == [sum(GUIDED.hidden), left], "for the neurons to go")
    go_to(page, 5)
    last = page.locator(".stage .sentence").inner_text()
    assert of_100(dashboard.store.runs.get(run).test_accuracy) in last
    assert of_100(dashboard.store.runs.get(beside).test_accuracy) in last
    read = list(dashboard.store.histories.predictions(run)[0].values())[-1]
    labels = load_test_set("digits")[1][: len(read)].tolist()
    right = sum(map(operator.eq, read, labels))
    expect(page.locator(".stage figcaption")).to_have_text(f"{right} of these 24 test pictures read correctly")
    expect(page.locator(".stage li.wrong")).to_have_count(24 - right)

    page.reload(wait_until="commit")
    expect(page.locator(".stage .sentence")).to_have_text(last)
    other = visit(page.url)  # another browser, cold
    expect(other.locator(".stage .sentence")).to_have_text(last)
    button(other, "Now draw one yourself").click()
    other.wait_for_url(re.compile(rf"/playground\?run={run}"))
    expect(other.get_by_role("application", name="Drawing pad")).to_be_visible()
    other.wait_for_function("document.title.startsWith('Playground')")
    other.go_back()  # to the step that it came from, not to the beginning
    other.wait_for_url(re.compile(rf"/demo\?run={run}.*step=5"))
    expect(title(other, 5)).to_be_visible()


def test_it_is_paused_and_stepped_by_keys_and_the_browsers_back_goes_back(visit, dashboard, recorded):
    page = visit(f"{dashboard.url}/demo?run={recorded[0]}&beside={recorded[1]}&step=4")
    expect(title(page, 4)).to_be_visible()
    page.keyboard.press("p")
    expect(button(page, "Pause")).to_be_disabled()
    expect(button(page, "Play")).to_be_enabled()
    page.keyboard.press("ArrowLeft")
    expect(title(page, 3)).to_be_visible()
    page.wait_for_url(re.compile("step=3"))
    page.keyboard.press("Home")
    expect(title(page, 1)).to_be_visible()
    expect(button(page, "Pause")).to_be_enabled()
    page.go_back()
    expect(title(page, 3)).to_be_visible()


def test_the_picture_keeps_its_canvas_while_it_moves(visit, dashboard, recorded):
    page = visit(f"{dashboard.url}/demo?run={recorded[0]}&beside={recorded[1]}&step=4")
    canvas = page.locator(".stage canvas")
    canvas.wait_for()
    first = canvas.element_handle()
    note = page.locator(".stage .note")
    for _ in range(8):
        before = note.inner_text()
        expect(note).not_to_have_text(before)
    assert first.evaluate("canvas => canvas.isConnected")


def test_all_buttons_are_on_a_small_screen(visit, dashboard, recorded):
    page = visit(f"{dashboard.url}/demo?run={recorded[0]}&beside={recorded[1]}&step=5", width=1280, height=720)
    expect(button(page, "Now draw one yourself")).to_be_visible()
    main = page.get_by_test_id("stMain")
    for each in main.get_by_role("button").all():
        box = each.bounding_box()
        assert box["y"] + box["height"] <= 720, each.inner_text()


@pytest.mark.parametrize("size", [{"width": 1280, "height": 720}, {"width": 390, "height": 844}])
def test_presenter_mode_opened_cold_starts_by_itself_fits_and_can_be_left(size, visit, dashboard, recorded):
    page = visit(f"{dashboard.url}/demo?present=1", **size)
    page.wait_for_url(re.compile(r"/demo\?run=\d+&beside=\d+&present=1"))
    expect(title(page, 1)).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    fits = "box => box.scrollWidth <= box.clientWidth"
    assert page.get_by_test_id("stMain").evaluate(fits)
    if size["width"] > 1000:
        leave = button(page, "Leave presenter mode").bounding_box()
        assert leave["y"] + leave["height"] <= size["height"]  # all on one screen
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="A network in a minute")).to_be_visible()
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    assert "present" not in page.url


def test_on_a_phone_every_step_fits_its_width(visit, dashboard, recorded):
    page = visit(f"{dashboard.url}/demo?run={recorded[0]}&beside={recorded[1]}", width=390, height=844)
    for step in range(1, 6):
        expect(title(page, step)).to_be_visible()
        assert page.get_by_test_id("stMain").evaluate("box => box.scrollWidth <= box.clientWidth")
        assert page.locator(".stage canvas").bounding_box()["width"] <= 390
        for name in ("Back", "Pause", "Play", "Next", "Restart"):
            box = button(page, name).bounding_box()
            assert box["y"] + box["height"] <= 844
        if step < 5:
            button(page, "Next").click()
