"""The live channel on a real port, and viewers that are programs."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import uvicorn
import websockets
from numpy.typing import NDArray
from starlette.applications import Starlette

from abp.dashboard.channel.route import LiveChannel
from abp.store.store import Store
from tests.waiting import PATIENCE, run_async, wait_until

HEADER = struct.Struct("<BBHIdIIIffffIIId")
NAMES = (
    "kind", "version", "bytes", "number", "made", "epoch", "batch", "batches", "rate", "train_loss", "train_accuracy",
    "sparsity", "recent_samples", "epoch_samples", "reserved", "samples",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A frame, taken apart again."""

    head: dict[str, Any]
    recent_counts: NDArray
    epoch_counts: NDArray
    counts: NDArray
    live_weights: NDArray


def taken_apart(frame: bytes) -> Seen:
    head = dict(zip(NAMES, HEADER.unpack_from(frame), strict=True))
    assert (head["kind"], head["version"], head["bytes"]) == (1, 1, 64)
    return Seen(head, *np.frombuffer(frame, dtype="<u4", offset=64).astype(np.int64).reshape(4, -1))


@dataclass
class Told:
    """What a viewer was told, in order, and how its socket was closed."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    frames: list[Seen] = field(default_factory=list)
    code: int | None = None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def history(self) -> dict[str, Any]:
        """What it was told on joining, with all that came after put in, as a browser does."""
        now = json.loads(json.dumps(self.of("history")[-1]))
        for message in self.messages[self.messages.index(self.of("history")[-1]) + 1 :]:
            if message["type"] == "epoch" and message["epoch"] not in now["epochs"]["epoch"]:
                for name, values in now["epochs"].items():
                    values.append(message[name])
            if message["type"] == "pruning" and message["number"] not in [row["number"] for row in now["prunings"]]:
                now["prunings"].append(message)
            if message["type"] == "status":
                now["run"] = message
            if message["type"] == "answer":
                now["answer"] = message
        return now


@dataclass(frozen=True)
class Channel:
    """A channel that is being served."""

    port: int
    live: LiveChannel

    def url(self, run: object) -> str:
        return f"ws://127.0.0.1:{self.port}/live/{run}"

    async def watch(self, run: object, until: Callable[[Told], bool], told: Told | None = None, **details: Any) -> Told:
        """Join a run, and stay until a condition holds or the socket is closed."""
        told = told or Told()
        async with asyncio.timeout(PATIENCE), websockets.connect(self.url(run), max_size=None, **details) as socket:
            try:
                while not until(told):
                    message = await socket.recv()
                    if isinstance(message, bytes):
                        told.frames.append(taken_apart(message))
                    else:
                        told.messages.append(json.loads(message))
            except websockets.ConnectionClosed:
                told.code = socket.close_code
        return told


@pytest.fixture
def channel(store: Store) -> Iterator[Channel]:
    """Serve the channel of this test's store."""
    live = LiveChannel(lambda: store)
    # As Streamlit serves it; a viewer that never reads is not to hold up the end.
    details = {"log_level": "error", "ws": "websockets-sansio", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=live.routes()), host="127.0.0.1", port=0, **details))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "for the server")
    yield Channel(server.servers[0].sockets[0].getsockname()[1], live)
    server.should_exit = True
    thread.join(PATIENCE)


def run_all(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Do several things at once; what each came to."""

    async def gather() -> list[Any]:
        return await asyncio.gather(*work)

    return run_async(gather())
