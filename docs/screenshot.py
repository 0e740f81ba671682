"""Take the README's screenshot: the Train page in mid-run on Fashion-MNIST. Needs Chromium and the data.

``ABP_DATA_DIR=... .venv/bin/python docs/screenshot.py``
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Start a dashboard of its own, train, and write ``docs/train-light.png`` and ``docs/train-dark.png``."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"],
            cwd=ROOT,
            env={**os.environ, "ABP_HOME": home},
        )
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            take(f"http://localhost:{port}")
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


def take(address: str) -> None:
    """Start a run by the form, wait until two prunings are made, and take it in light and dark."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 1320}, color_scheme="light")
        page.goto(f"{address}/train")
        page.get_by_role("combobox", name="Data").click()
        page.get_by_role("option", name="Fashion-MNIST").click()
        page.get_by_role("combobox", name="What to remove").click()
        page.get_by_role("option", name="neurons by activation", exact=True).click()
        page.get_by_role("button", name="Start training").click()
        page.get_by_text("Scheduled prunings to come: 2").wait_for(timeout=600_000)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(4_000)
            page.screenshot(path=ROOT / "docs" / f"train-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main()
