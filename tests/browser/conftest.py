"""A real dashboard with its engine, and a real browser to look at it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.hosts import Host
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]

# On a cold link to a page, Streamlit's own front end first asks below that page for these two, and is told 404.
STREAMLITS_OWN = re.compile(r"//[^/]+/[a-z_]+/_stcore/(health|host-config)$")


def give_up(why: str) -> None:
    """Skip, but fail where everything must be there."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@dataclass(frozen=True)
class Dashboard:
    """A server that runs, where it keeps its data, and the host that it runs on, if that is not the tests' own."""

    url: str
    home: Path
    process: subprocess.Popen
    host: Host | None = None

    @property
    def store(self) -> Store:
        return Store(self.home / "abp.sqlite3")

    def family(self) -> list[psutil.Process]:
        """The server's process, the engine's and the workers'."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]


@contextmanager
def serving(
    home: Path,
    *options: str,
    abp: Sequence[str] = (sys.executable, "-m", "abp"),
    folder: Path = ROOT,
    host: Host | None = None,
    **environment: str,
) -> Iterator[Dashboard]:
    """Start a dashboard as a person does, on a free port; it ends with the block.

    Parameters
    ----------
    options
        More options of ``abp dashboard``.
    abp, folder
        The program, and where it is started.
    host
        Another host than the tests' own, for the server to run on.
    """
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*(host.prefix if host else ()), *abp, "dashboard", "--no-browser", "--port", str(port), *options],
            cwd=folder,
            env={**os.environ, "ABP_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
        )
    dashboard = Dashboard(f"http://{host.address if host else 'localhost'}:{port}", home, process, host)
    family = [psutil.Process(process.pid)]
    try:
        wait_until(lambda: _healthy(dashboard), "for the server")
        yield dashboard
        if process.poll() is None:
            family = dashboard.family()
    finally:
        process.kill()
        process.wait()
        for left in psutil.wait_procs(family, timeout=PATIENCE)[1]:  # the engine ends by itself; see the tests
            left.kill()


def _healthy(dashboard: Dashboard) -> bool:
    assert dashboard.process.poll() is None, (dashboard.home / "server.log").read_text()
    health = f"{dashboard.url}/_stcore/health"
    try:
        if dashboard.host:
            return dashboard.host.fetch(health) == "ok"
        with urllib.request.urlopen(health, timeout=5) as reply:
            return reply.read() == b"ok"
    except (urllib.error.URLError, ConnectionError, TimeoutError, subprocess.CalledProcessError):
        return False


_NEEDLESS = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",  # pages of their own: 0.7 s of a core for each window that is opened
    # What Playwright turns off by itself: of two such lists Chromium takes the last one.
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
)  # fmt: skip
"""Features of Chromium that tests do without."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        give_up("needs the package playwright (requirements-dev.txt)")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        give_up("needs chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", f"--disable-features={','.join(_NEEDLESS)}"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments, timeout=1000 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory, chromium) -> Iterator[Dashboard]:
    """The one dashboard that most stories share; its workers are warm."""
    with serving(tmp_path_factory.mktemp("dashboard")) as running:
        visitor = chromium.new_page()
        visitor.goto(running.url)  # the first visit starts the engine
        first = running.store.runs.add(Experiment(hidden=(5,), criterion="none", epochs=1))
        wait_until(lambda: running.store.runs.get(first).status == "finished", "for the engine")
        visitor.close()
        yield running


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Any]]:
    """Open an address in a browser of its own; in the end, no page may have had an error to log."""
    contexts, complaints = [], []

    def complain(message) -> None:
        own = STREAMLITS_OWN.search(message.location.get("url", "")) and "404" in message.text
        if message.type == "error" and not own:
            complaints.append(f"{message.text} ({message.location.get('url')})")

    def open_address(address: str, *, width: int = 1440, height: int = 1000, **details: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **details)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address, wait_until="commit")
        return page

    yield open_address
    for context in contexts:
        context.close()
    assert complaints == []
