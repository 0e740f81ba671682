"""The live channel under garbage: a server of its own, and visitors that send what no browser would."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn
import websockets
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from starlette.applications import Starlette

from abp.dashboard.channel.route import LiveChannel
from abp.dashboard.frame import access
from abp.store.store import Store
from tests.hostile.strategies import texts
from tests.waiting import PATIENCE, wait_until

FOREIGN = "https://evil.example"


@dataclass(frozen=True)
class Visit:
    """What a visitor does: bytes that need not be HTTP, or a socket opened at a path, with messages."""

    raw: bytes = b""
    path: str = ""
    origin: str | None = None
    messages: tuple[str | bytes, ...] = ()


_printable = texts.map(lambda text: text.encode("utf-8", "replace").decode()[:2000])
_line = b"GET /live/1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

visits: SearchStrategy[Visit] = st.one_of(
    st.binary(max_size=200).map(lambda raw: Visit(raw=raw)),
    st.binary(max_size=200).map(lambda rest: Visit(raw=_line + rest)),
    st.builds(
        Visit,
        path=st.one_of(st.just("1"), st.integers(-5, 2**70).map(str), _printable),
        origin=st.sampled_from([None, FOREIGN, "null", "http://127.0.0.1"]),
        messages=st.lists(
            st.one_of(_printable, st.binary(max_size=100), st.just(b"\x00" * 2**18), st.just("[" * 10_000)), max_size=5
        ).map(tuple),
    ),
)


@dataclass
class Served:
    """A server of our own routes, and the errors that it logged."""

    port: int
    errors: list[str]

    def meet(self, visits: Sequence[Visit]) -> None:
        """Let all of these visit, a few at a time."""
        asyncio.run(self._meet(visits))

    async def _meet(self, visits: Sequence[Visit]) -> None:
        room = asyncio.Semaphore(20)

        async def one(visit: Visit) -> None:
            async with room, asyncio.timeout(PATIENCE):
                with contextlib.suppress(OSError, websockets.WebSocketException):
                    await (self._raw(visit) if visit.raw else self._socket(visit))

        await asyncio.gather(*map(one, visits))

    async def _raw(self, visit: Visit) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(visit.raw)
        writer.write_eof()
        await reader.read(2**16)
        writer.close()

    async def _socket(self, visit: Visit) -> None:
        url = f"ws://127.0.0.1:{self.port}/live/{quote(visit.path, safe='')}"
        async with websockets.connect(url, origin=visit.origin, max_size=None) as socket:  # type: ignore[arg-type]
            assert visit.origin != FOREIGN, "another site's page was let in"
            for message in visit.messages:
                await socket.send(message)


@contextlib.contextmanager
def serving(store: Store) -> Iterator[Served]:
    """Serve the live channel and the operator's link of a store."""
    errors: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage() + (f": {record.exc_info[1]!r}" if record.exc_info else ""))

    log, keep = logging.getLogger("uvicorn.error"), Keep(logging.ERROR)
    application = Starlette(routes=[*LiveChannel(lambda: store).routes(), access.operate_route("")])
    details = {"log_level": "error", "ws": "websockets-sansio", "timeout_graceful_shutdown": 1}  # as Streamlit does
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=0, **details))  # type: ignore[arg-type]
    log.addHandler(keep)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "for the server")
        yield Served(server.servers[0].sockets[0].getsockname()[1], errors)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        log.removeHandler(keep)
