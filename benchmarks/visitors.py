"""Twenty visitors on the playground at once: browsers that draw strokes, and how long each waits for the answer."""

import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from abp.data.datasets import load_dataset
from abp.runs import worker
from abp.store.records import Lane
from abp.store.store import Store
from abp.training.experiment import Experiment

VISITORS, STROKES = 20, 4
LOOKS, PAUSES = 4.0, (2.0, 6.0)  # seconds: how long a visitor looks at an answer, and waits before the next stroke
_PATIENCE = 120_000  # milliseconds
# When both headings contain these words, shown; it looks when the page changes, since looking at each frame would
# take the cores from the other browsers.
_BOTH_SAY = """(words => {
  const headings = () => [...document.querySelectorAll("h4")].filter(heading => heading.textContent.includes(words))
  window.said = new Promise(done => {
    const look = () => {
      if (headings().length < 2) return
      observer.disconnect()
      requestAnimationFrame(() => done(performance.now()))
    }
    const observer = new MutationObserver(look)
    observer.observe(document.body, { subtree: true, childList: true, characterData: true })
    look()
  })
})"""


def stroke_answers(home: str) -> dict[str, list[float]]:
    """Seconds from the end of each stroke to its answer on the screen.

    Returns
    -------
    dict
        Of the first visitor, ``"alone"``; of all, ``"apart"``: each looks at the answer, clears the pad and starts
        anew at people's pace; and ``"at once"``: all strokes end at the same moment.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    abp.data.datasets.DataUnavailable
        If MNIST cannot be had.
    """
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("needs chromium (Debian: apt-get install chromium)")
    os.environ |= {"ABP_HOME": home, "ABP_ENGINE": "off"}
    load_dataset("mnist")
    store = Store()
    settings = Experiment(dataset="mnist", epochs=1, start_accuracy=0.0, prunings=1)  # the published network
    number = store.runs.add(settings, lane=Lane.SELF)
    worker.execute(store, number, worker.new_owner(), park=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "abp", "dashboard", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://localhost:{port}/_stcore/health")
        return asyncio.run(_all_visitors(program, f"http://localhost:{port}/playground?run={number}"))
    finally:
        server.kill()
        server.wait()


async def _all_visitors(program: str, address: str) -> dict[str, list[float]]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        pages = []
        for _ in range(VISITORS):  # one after the other: what is measured is drawing, not opening
            page = await (await browser.new_context(viewport={"width": 900, "height": 900})).new_page()
            page.set_default_timeout(_PATIENCE)
            await page.goto(address, wait_until="commit")
            await page.get_by_text(" % correctly").nth(1).wait_for()
            pages.append(page)
            if len(pages) == 1:
                found = {"alone": [await _stroke_and_clear(page) for _ in range(2 * STROKES)]}
        visits = await asyncio.gather(*(_visit(page, random.Random(number)) for number, page in enumerate(pages)))
        found |= {"apart": [seconds for visit in visits for seconds in visit], "at once": []}
        for _ in range(STROKES):
            found["at once"] += await asyncio.gather(*(_stroke(page) for page in pages))
            await asyncio.gather(*(_clear(page) for page in pages))
        await browser.close()
    return found


async def _stroke_and_clear(page: Any) -> float:
    seconds = await _stroke(page)
    await _clear(page)
    return seconds


async def _visit(page: Any, chance: random.Random) -> list[float]:
    """Draw strokes at a visitor's pace, and return the seconds until each was answered."""
    await asyncio.sleep(chance.uniform(0, LOOKS + sum(PAUSES) / 2))
    found = []
    for _ in range(STROKES):
        found.append(await _stroke(page))
        await asyncio.sleep(LOOKS)
        await _clear(page)
        await asyncio.sleep(chance.uniform(*PAUSES))
    return found


async def _stroke(page: Any) -> float:
    """Draw a line, and return the seconds until both networks have said what it is, by the page's own clock."""
    box = await page.get_by_role("application", name="Drawing pad").bounding_box()
    middle, top, height = box["x"] + box["width"] / 2, box["y"], box["height"]
    await page.mouse.move(middle, top + 0.2 * height)
    await page.mouse.down()
    await page.mouse.move(middle, top + 0.8 * height, steps=4)
    began = await page.evaluate(f"{_BOTH_SAY}('sure.'); performance.now()")
    await page.mouse.up()
    return (await page.evaluate("window.said") - began) / 1000


async def _clear(page: Any) -> None:
    await page.evaluate(f"{_BOTH_SAY}('Draw a digit'); 0")
    await page.get_by_role("application", name="Drawing pad").press("Escape")
    await page.evaluate("window.said")


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + _PATIENCE / 1000
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"nothing answers at {address}")


def percentile_95(seconds: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(seconds, n=20)[-1]
