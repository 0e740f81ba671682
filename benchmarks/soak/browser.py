"""One person with a real Chromium: opens pages, watches the live run, draws on the playground.

``python -m benchmarks.soak.browser PORT SECONDS RUN ENDED`` prints how much was seen, and errors, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import time

from playwright.sync_api import Error, Page, sync_playwright

_PATIENCE = 120_000  # milliseconds


def _draw(page: Page) -> None:
    pad = page.get_by_label("Drawing pad")
    pad.wait_for()
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4 * box["height"] / 5, steps=5)
    page.mouse.up()
    page.get_by_text("sure.").first.wait_for()


def _look(port: int, seconds: float, run: str, ended: str) -> dict[str, object]:
    program = shutil.which("chromium")
    if program is None:
        return {"seen": 0, "wrong": ["needs chromium (Debian: apt-get install chromium)"]}
    wrong: list[str] = []
    seen, until = 0, time.monotonic() + seconds
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(_PATIENCE)
        page.on("pageerror", lambda error: wrong.append(f"browser: {error}"[:200]))
        while time.monotonic() < until:
            for link in (f"train?run={run}", "runs", f"spectra?run={ended}", f"playground?run={ended}", ""):
                if time.monotonic() > until:
                    break
                try:
                    page.goto(f"http://localhost:{port}/{link}", wait_until="commit")
                    page.get_by_role("heading", level=1).first.wait_for()
                    if link.startswith("playground"):
                        _draw(page)
                    page.wait_for_timeout(3_000)
                    seen += 1
                except Error as error:
                    wrong.append(f"browser, {link}: {error}"[:200])
        browser.close()
    return {"seen": seen, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(_look(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:5])), flush=True)
