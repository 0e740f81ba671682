"""The server around the pages: routes of our own beside Streamlit's, and what starts and ends with it."""

import asyncio
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import narwhals.stable.v1  # noqa: F401  needed below, while there is one thread
import streamlit as st
from starlette.routing import BaseRoute

from abp import logs
from abp.dashboard.channel.route import LiveChannel
from abp.dashboard.channel.uploads import Uploads
from abp.dashboard.frame import access, gate, services
from abp.dashboard.frame.visits import Visits, visits
from abp.errors import AbpError
from abp.home import HomeUnusable

# narwhals, which Altair and scikit-learn import, is here already: its modules import each other, so that a page and
# the thread that imports `_LATER` could wait for each other, and Python would fail the page's import.

LOOK_EVERY = 2.0
"""Seconds between looks whether the engine is still there."""

_LATER = (
    "abp.dashboard.channel.reader",
    "abp.dashboard.train.watch",
    "abp.dashboard.playground.playground",
    "abp.dashboard.studies.compare",
)
"""What most pages need, the quickest first: imported while nobody waits for a page, since it takes seconds."""

IDLE = 2.0
"""Seconds without a page being drawn after which nobody is taken to wait for one."""

_log = logging.getLogger(__name__)


def routes() -> list[BaseRoute]:
    """The live channel, the operator's link and uploads, below the server's base path."""
    path = st.get_option("server.baseUrlPath").strip("/")
    base = f"/{path}" if path else ""
    live = LiveChannel(services.store, base, admits=gate.admits)
    return [*live.routes(), access.operate_route(base), Uploads(base).route()]


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """The engine starts and ends with the server, and is started anew if it dies."""
    logs.write_to("dashboard")
    gate.keep_secrets()
    _announce()
    # Before PyTorch is imported: the cores are for training, and a page that took them all would wait for them longest.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.setswitchinterval(0.001)  # seconds; of 5 ms, live frames wait behind every page that is drawn meanwhile
    keeping = asyncio.create_task(_keep_engine())
    threading.Thread(target=_import_later, daemon=True, name="imports").start()
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await asyncio.to_thread(services.stop_engine)


async def _keep_engine() -> None:
    while not visits.drawn and visits.idle() < IDLE:  # its workers' imports would keep the first page waiting
        await asyncio.sleep(0.05)
    while True:
        try:
            await asyncio.to_thread(services.ensure_engine)
        except (AbpError, OSError) as error:  # the pages say so too
            _log.error("the engine cannot start: %s", error)
        await asyncio.sleep(LOOK_EVERY)


def _import_later(modules: Sequence[str] = _LATER, visits: Visits = visits) -> None:
    """Import what the pages need, so that nobody waits for it at the first click."""
    for module in modules:
        while visits.idle() < IDLE:
            time.sleep(0.1)
        importlib.import_module(module)


def _announce() -> None:
    """Print the operator's link and the room's, where they differ."""
    asked = os.environ.get("ABP_OPERATE", "")
    if asked not in ("", *access.MODES):
        _log.error("ABP_OPERATE must be %s, not %r: operating takes the key", " or ".join(access.MODES), asked)
    if not access.needs_key():
        return
    address = access.room_address()
    with suppress(HomeUnusable):  # the pages say so
        print(
            f"\n  To operate, open on your own device:  {access.operator_link(address)}"
            f"\n  To watch and play, for the room:      {address}\n",
            flush=True,
        )
