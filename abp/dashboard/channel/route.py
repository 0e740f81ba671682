"""The live channel's routes: ``/live/<run>`` (WebSocket) and ``/live/<run>/film``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from abp.store.database import StoreUnusable
from abp.store.records import RunUnknown

if TYPE_CHECKING:
    from abp.dashboard.channel.reader import Readers, Viewer
    from abp.store.store import Store

MOST_SOCKETS = 2000
"""Sockets that a server holds open at once; one more is refused."""

SLOWEST = 30.0
"""Seconds in which a viewer has to take what it was sent."""

_GONE = 4404  # the code with which a socket is closed whose run is not there any more


class LiveChannel:
    """Sends every viewer of a run what is recorded of it.

    Nothing that a viewer sends is obeyed, or even kept. Who is refused (no such run, another site's page, nobody who
    may watch, too many sockets) is refused before the socket opens.

    Parameters
    ----------
    store
        Returns the store; called when it is first needed, since opening it takes imports that the first page does
        without.
    admits
        Whether a request comes from somebody who may watch.
    base
        Path below which the dashboard is served, such as ``"/lab"``; empty at the top.
    """

    def __init__(
        self, store: Callable[[], Store], base: str = "", *, admits: Callable[[HTTPConnection], bool] = lambda _: True
    ) -> None:
        self._store, self._admits = store, admits
        self._base = base
        self._open = 0
        self._readers: Readers | None = None

    def routes(self) -> list[BaseRoute]:
        """The routes, for the ASGI application."""
        # As text, so that numbers of any length are answered alike.
        return [
            WebSocketRoute(f"{self._base}/live/{{run}}", self.watch),
            Route(f"{self._base}/live/{{run}}/film", self.film),
        ]

    async def watch(self, socket: WebSocket) -> None:
        """Serve one viewer until it, or the run, goes."""
        run = await self._run_of(socket) if self._admits(socket) else None
        if run is None or self._open >= MOST_SOCKETS or not same_origin(socket):
            await socket.close()  # before it is accepted: the browser is told 403, and nothing else
            return
        self._open += 1
        try:
            await socket.accept()
            await self._serve(socket, run)
        finally:
            self._open -= 1

    async def _serve(self, socket: WebSocket, run: int) -> None:
        async with self._watching(run) as viewer:
            leaving = asyncio.ensure_future(_until_gone(socket))
            leaving.add_done_callback(lambda _: viewer.end())
            try:
                with suppress(WebSocketDisconnect, TimeoutError, RuntimeError):  # it went while it was being told
                    while sent := await viewer.next():
                        for message in sent:
                            sending = socket.send_text if isinstance(message, str) else socket.send_bytes
                            await asyncio.wait_for(sending(message), SLOWEST)  # type: ignore[arg-type]
                    await socket.close(_GONE)
            finally:
                leaving.cancel()

    def _watching(self, run: int) -> AbstractAsyncContextManager[Viewer]:
        from abp.dashboard.channel.reader import Readers  # needs pandas: not before somebody watches

        if self._readers is None:
            self._readers = Readers(self._store)
        return self._readers.watching(run)

    async def film(self, request: Request) -> Response:
        """The film of a run that has ended."""
        if not self._admits(request):
            return PlainTextResponse("Sign in to see this.", status_code=403)
        number = await self._run_of(request)
        if number is None:
            return PlainTextResponse("There is no such run.", status_code=404)
        from abp.dashboard.channel.film import film

        def make() -> bytes:
            store = self._store()
            return film(store, store.runs.get(number))

        try:
            return Response(await asyncio.to_thread(make), media_type="application/octet-stream")
        except (RunUnknown, StoreUnusable) as error:
            return PlainTextResponse(str(error), status_code=404)

    async def _run_of(self, connection: Request | WebSocket) -> int | None:
        """The number of the run in the path, if there is such a run."""
        text = connection.path_params["run"]
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            return None
        try:
            await asyncio.to_thread(lambda: self._store().runs.get(int(text)))
        except (RunUnknown, StoreUnusable):
            return None
        return int(text)


def same_origin(connection: Request | WebSocket) -> bool:
    """Whether a request comes from a page of this server; browsers say so, and other programs need not.

    WebSockets know no same-origin rule of their own: any site's page could open one and read along.
    """
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")


async def _until_gone(socket: WebSocket) -> None:
    """Throw away whatever a viewer sends, until it goes."""
    with suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
