"""What drawing a live run costs a browser: time of a page's main thread at sixty drawn frames a second."""

import shutil
import time
from dataclasses import dataclass
from typing import Any

import psutil

_PATIENCE = 120_000  # milliseconds
_COMES = """root => new Promise(done => {
  const look = () => (root.view?.record?.frame ? done() : setTimeout(look, 50))
  look()
})"""
_COUNT = """root => {
  window.drawn = window.came = 0
  const { grid, channel } = root.view
  const [paint, told] = [grid.paint.bind(grid), channel.told]
  grid.paint = now => (window.drawn++, paint(now))
  channel.told = message => (window.came += message instanceof ArrayBuffer, told(message))
}"""


@dataclass(frozen=True)
class Drawing:
    """What one page of a browser did, a second.

    Attributes
    ----------
    drawn, came
        Frames that it drew, and that it was sent.
    main_thread
        Share of a core that the page's main thread was busy, whatever with.
    browser
        Share of a core of all the browser's processes, which without a graphics card also fill pixels.
    """

    drawn: float
    came: float
    main_thread: float
    browser: float


def draw(address: str, *, seconds: float = 10.0) -> Drawing:
    """Watch a run that goes on, in one page of 1280 x 720 pixels.

    Parameters
    ----------
    address
        Of the run's page.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("needs chromium (Debian: apt-get install chromium)")
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(_PATIENCE)
        page.goto(address, wait_until="commit")
        live = page.locator(".live")
        live.evaluate(_COMES)
        live.evaluate(_COUNT)
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        start, began = _look(page, devtools, before), time.monotonic()
        page.wait_for_timeout(1000 * seconds)
        end, took = _look(page, devtools, before), time.monotonic() - began
        browser.close()
    return Drawing(*((after - earlier) / took for earlier, after in zip(start, end, strict=True)))


def _look(page: Any, devtools: Any, others: set[int]) -> tuple[float, ...]:
    metrics = {entry["name"]: entry["value"] for entry in devtools.send("Performance.getMetrics")["metrics"]}
    browser = [process for process in psutil.Process().children(recursive=True) if process.pid not in others]
    spent = sum(sum(process.cpu_times()[:2]) for process in browser)
    return page.evaluate("window.drawn"), page.evaluate("window.came"), metrics["TaskDuration"], spent
