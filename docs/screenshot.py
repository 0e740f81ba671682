"""Take the README's screenshots. Needs Chromium and the data (``ABP_DATA_DIR``).

``.venv/bin/python -m docs.screenshot`` trains on Fashion-MNIST and takes the Train page in mid-run.
``.venv/bin/python -m docs.screenshot RUN OTHER...`` takes the analysis pages of a run in the store (``ABP_HOME``), with
the spectra of other runs laid over its own.
``.venv/bin/python -m docs.screenshot live`` takes the Train page while a demo run is trained and pruned, as a GIF.
``.venv/bin/python -m docs.screenshot tour`` takes the guided demo and the playground, on MNIST, as one GIF.
"""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]


def main(runs: list[str]) -> None:
    """Start a dashboard and write the pictures beside this file."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "abp", "dashboard", "--no-browser", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "ABP_HOME": home} if runs in ([], ["tour"], ["live"]) else dict(os.environ),
        )
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            with sync_playwright() as playwright:
                arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
                page = browser.new_page(viewport={"width": 1440, "height": 1120}, color_scheme="light")
                if runs == ["live"]:
                    take_live(page, f"http://localhost:{port}")
                elif runs == ["tour"]:
                    take_tour(page, f"http://localhost:{port}")
                elif runs:
                    take_analysis(page, f"http://localhost:{port}", *runs)
                else:
                    take_training(page, f"http://localhost:{port}")
                browser.close()
        finally:
            server.terminate()
            server.wait()


def wait_for(address: str) -> None:
    """Wait until the server answers."""
    while True:
        try:
            urllib.request.urlopen(address).read()
            return
        except OSError:
            time.sleep(0.1)


def take_training(page: Page, address: str) -> None:
    """Start a run by the form, wait until two prunings are made, and take it in light and dark."""
    page.goto(f"{address}/train")
    choose(page, "Data", "Fashion-MNIST")
    choose(page, "What to remove", "neurons by activation")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Scheduled prunings left: 2").wait_for(timeout=180_000)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save(page, f"train-{scheme}")


def take_analysis(page: Page, address: str, run: str, *others: str) -> None:
    """The spectra of a run with others laid over them, its weights, and its comparison with PCA and SVD."""
    page.goto(f"{address}/spectra?run={run}")
    for other in others:
        page.get_by_role("combobox", name="Overlay final spectra of").click()
        page.get_by_role("option", name=re.compile(rf"^{other}:")).click()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Ranks and norms").wait_for()
    save(page, "spectra")
    page.goto(f"{address}/low_rank?run={run}")
    page.get_by_role("heading", name="Accuracy against rank").wait_for()
    save(page, "low-rank")
    page.goto(f"{address}/weights?run={run}")
    page.get_by_role("heading", name="One neuron").wait_for()
    save(page, "weights")


def take_tour(page: Page, address: str) -> None:
    """The five steps of the guided demo, then a digit drawn on the playground and its network broken, as a GIF."""
    page.set_default_timeout(180_000)
    page.set_viewport_size({"width": 1300, "height": 936})
    page.goto(f"{address}/demo?present=1")
    frames = []
    for step in range(1, 6):
        page.get_by_text(re.compile(f"^{step}\\. ")).first.wait_for()
        for _ in range(3):
            page.wait_for_timeout(1_500)
            frames.append(shot(page))
    page.goto(f"{address}/train")
    choose(page, "Data", "MNIST")
    choose(page, "What to remove", "neurons by activation")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Finished").first.wait_for()
    run = re.search(r"run=(\d+)", page.url)
    assert run is not None
    page.goto(f"{address}/playground?run={run.group(1)}")
    pad = page.get_by_role("application", name="Drawing pad")
    pad.hover()
    box = pad.bounding_box()
    assert box is not None
    for stroke in _FIVE:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()
        page.wait_for_timeout(2_500)
        frames.append(shot(page))
    page.get_by_role("slider").focus()
    for _ in range(4):
        for _ in range(5):
            page.keyboard.press("PageUp")
            page.wait_for_timeout(200)
        page.wait_for_timeout(2_500)
        frames.append(shot(page))
    save_moving("tour", frames, (1000, 720), 1_500)


_FIVE = (((0.68, 0.2), (0.36, 0.2), (0.33, 0.46), (0.5, 0.42), (0.66, 0.52), (0.66, 0.7), (0.52, 0.82), (0.32, 0.78)),)
"""A five in one stroke, in shares of the pad."""


def take_live(page: Page, address: str) -> None:
    """A demo run from its first epochs until two prunings are made, four pictures a second, as a GIF."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(address)
    page.get_by_role("button", name="Start a demo run").click()
    page.get_by_text(re.compile(r"^\s*[1-9] of 500\s*$")).first.wait_for(timeout=120_000)
    page.mouse.move(5, 5)
    frames = []
    for _ in range(56):
        began = time.monotonic()
        frames.append(page.screenshot(clip={"x": 300, "y": 90, "width": 980, "height": 600}))
        page.wait_for_timeout(max(0.0, 1000 * (began + 0.25 - time.monotonic())))
    save_moving("live", frames, (784, 480), 250)


def save_moving(name: str, frames: list[bytes], size: tuple[int, int], milliseconds: int) -> None:
    """Write screenshots, one after the other, as a GIF."""
    pictures = [Image.open(io.BytesIO(frame)).convert("RGB").resize(size).quantize(96) for frame in frames]
    path, details = ROOT / "docs" / f"{name}.gif", {"duration": milliseconds, "loop": 0, "optimize": True}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **details)


def choose(page: Page, box: str, option: str) -> None:
    """Choose an option of a select box."""
    page.get_by_role("combobox", name=box).click()
    page.get_by_role("option", name=option, exact=True).click()


def shot(page: Page) -> bytes:
    """A picture of the page as it is, the mouse out of the way."""
    page.mouse.move(5, 5)
    return page.screenshot()


def save(page: Page, name: str) -> None:
    """Write the page as it looks once all is drawn, with the mouse out of the way."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(4_000)
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
