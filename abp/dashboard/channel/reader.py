"""Readers: one for each run that is watched, however many watch it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from abp.dashboard.channel import messages
from abp.dashboard.channel.messages import Message
from abp.store.database import StoreUnusable
from abp.store.records import Command, Run, RunUnknown
from abp.store.store import Store

TICK = 0.05
"""Seconds between looks at a run that is being trained: frames come ten times a second."""

QUIET_TICK = 0.5
"""Seconds between looks at any other run."""

MARK_EVERY = 2.0
"""Seconds between marks in the store which say that somebody watches."""

MOST_WAITING = 1000
"""Messages that may wait for a viewer; one who falls further behind has to join again."""


@dataclass(eq=False)
class Viewer:
    """One browser's place at a run: messages in order, and the newest frame, which replaces an older unsent one."""

    waiting: list[str] = field(default_factory=list)
    frame: bytes | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    def tell(self, message: str) -> None:
        """Put a message into the line; a line that is too long ends the viewer."""
        self.gone |= len(self.waiting) >= MOST_WAITING
        self.waiting.append(message)
        self.news.set()

    def show(self, frame: bytes) -> None:
        """Replace the frame that is to be sent next."""
        self.frame = frame
        self.news.set()

    def end(self) -> None:
        """Let the viewer go after what it has been told."""
        self.gone = True
        self.news.set()

    async def next(self) -> list[Message]:
        """What is to be sent now; empty when it is over."""
        while not (self.waiting or self.frame or self.gone):
            self.news.clear()
            await self.news.wait()
        sent: list[Message] = [*self.waiting, *([self.frame] if self.frame else [])]
        self.waiting.clear()
        self.frame = None
        return sent


@dataclass
class _Known:
    """What viewers have been told of a run."""

    run: Run
    command: Command | None
    batches: int
    frame: int = 0  # the newest frame's number


class Reader:
    """Looks at one run and tells its viewers what is new.

    Parameters
    ----------
    ended
        Called when nobody watches any more.
    """

    def __init__(self, store: Store, run: int, ended: Callable[[], None]) -> None:
        self.store, self.number = store, run
        self.viewers: set[Viewer] = set()
        self._ended = ended
        self._known: _Known | None = None
        self._history: str | None = None  # until something happens
        self._told = 0
        self._frame: bytes | None = None
        self._marked = 0.0
        self._ready = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow())

    async def join(self) -> Viewer:
        """A new viewer, who has been told all there is so far."""
        viewer = Viewer()
        self.viewers.add(viewer)
        await self._ready.wait()
        await self._welcome(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A viewer goes."""
        self.viewers.discard(viewer)

    async def _welcome(self, viewer: Viewer) -> None:
        known = self._known
        if known is None:
            viewer.tell(messages.encoded({"type": "gone"}))
            viewer.end()
            return
        viewer.waiting.insert(0, await self._past(known))  # what came meanwhile is told twice, which does no harm
        viewer.news.set()
        if self._frame is not None:
            viewer.show(self._frame)

    async def _past(self, known: _Known) -> str:
        """The history, made once for all who join before something happens."""
        if self._history is None:
            told = self._told
            past = messages.encoded(await asyncio.to_thread(messages.history, self.store, known.run, known.batches))
            if told != self._told:
                return past
            self._history = past
        return self._history

    async def _follow(self) -> None:
        try:
            while True:
                began = time.monotonic()
                try:
                    told, frame = await asyncio.to_thread(self._look)
                except RunUnknown:
                    self._tell([{"type": "gone"}])
                    self._known = None
                    break
                except StoreUnusable:  # the pages say so; viewers wait for better times
                    told, frame = [], None
                self._tell(told)
                if frame is not None:
                    self._frame = frame
                    for viewer in self.viewers:
                        viewer.show(frame)
                self._ready.set()
                if not self.viewers:
                    break
                tick = TICK if self._known and self._known.run.active else QUIET_TICK
                await asyncio.sleep(max(0.0, began + tick - time.monotonic()))
        finally:
            self._ready.set()
            self._ended()
            for viewer in self.viewers:
                viewer.end()

    def _tell(self, told: list[dict[str, Any]]) -> None:
        if told:
            self._history, self._told = None, self._told + 1
        for message in told:
            text = messages.encoded(message)
            for viewer in self.viewers:
                viewer.tell(text)

    # In a thread: reading

    def _look(self) -> tuple[list[dict[str, Any]], bytes | None]:
        """What is new since the last look: messages in order, and the newest frame."""
        store, known = self.store, self._known
        run, command = store.runs.get(self.number), store.commands.newest(self.number)
        if run.active and time.monotonic() - self._marked >= MARK_EVERY:
            self._marked = time.monotonic()
            store.watches.mark(self.number)
        frame = store.frames.newest(self.number, run.experiment.hidden, after=known.frame if known else -1)
        batches = frame.batches if frame else known.batches if known else 1
        newest = frame.number if frame else known.frame if known else 0
        told = self._news(known, run, command, batches) if known else []
        self._known = _Known(run, command, batches, newest)
        return told, None if frame is None else messages.frame_bytes(frame)

    def _news(self, known: _Known, run: Run, command: Command | None, batches: int) -> list[dict[str, Any]]:
        if run.epoch < known.run.epoch or run.prunings < known.run.prunings:  # gone back to a checkpoint
            return [messages.history(self.store, run, batches)]
        found: list[dict[str, Any]] = []
        if run.epoch > known.run.epoch:
            found += map(messages.epoch, messages.rows(self.store.histories.epochs(run.id, after=known.run.epoch)))
        if run.prunings > known.run.prunings:
            made = messages.rows(self.store.histories.prunings(run.id, after=known.run.prunings))
            found += map(partial(messages.pruning, batches=batches), made)
        if command is not None and command != known.command:
            found.append(messages.answer(command))
        now = messages.status(run, command)
        if _lasting(now) != _lasting(messages.status(known.run, known.command)):
            found.append(now)
        return found


def _lasting(status: dict[str, Any]) -> dict[str, Any]:
    """A status without what changes all the time, which frames and epochs tell too."""
    return {name: value for name, value in status.items() if name not in ("seconds", "epoch", "sparsity")}


class Readers:
    """The readers of a server, by run."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._readers: dict[int, Reader] = {}

    @contextlib.asynccontextmanager
    async def watching(self, run: int) -> AsyncIterator[Viewer]:
        """A viewer of a run, for as long as the block lasts."""
        reader = self._readers.get(run)
        if reader is None:
            reader = self._readers[run] = Reader(self._store(), run, lambda: self._readers.__delitem__(run))
        viewer = await reader.join()
        try:
            yield viewer
        finally:
            reader.leave(viewer)
