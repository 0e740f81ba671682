"""Take the README's screenshots. Needs Chromium and the data (``ABP_DATA_DIR``).

``.venv/bin/python docs/screenshot.py`` trains on Fashion-MNIST and takes the Train page in mid-run.
``.venv/bin/python docs/screenshot.py RUN OTHER...`` takes the analysis pages of a run in the store (``ABP_HOME``), with
the spectra of other runs laid over its own.
"""

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

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]


def main(runs: list[str]) -> None:
    """Start a dashboard and write the pictures beside this file."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"],
            cwd=ROOT,
            env=dict(os.environ) if runs else {**os.environ, "ABP_HOME": home},
        )
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            with sync_playwright() as playwright:
                arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
                page = browser.new_page(viewport={"width": 1440, "height": 1320}, color_scheme="light")
                if runs:
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
    page.get_by_role("combobox", name="Data").click()
    page.get_by_role("option", name="Fashion-MNIST").click()
    page.get_by_role("combobox", name="What to remove").click()
    page.get_by_role("option", name="neurons by activation", exact=True).click()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Scheduled prunings to come: 2").wait_for(timeout=600_000)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        save(page, f"train-{scheme}")


def take_analysis(page: Page, address: str, run: str, *others: str) -> None:
    """The spectra of a run with others laid over them, its weights, and its comparison with PCA and SVD."""
    page.goto(f"{address}/spectra?run={run}")
    for other in others:
        page.get_by_role("combobox", name="Lay over it the end of").click()
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


def save(page: Page, name: str) -> None:
    """Write the page as it looks once all is drawn, with the mouse out of the way."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(4_000)
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
