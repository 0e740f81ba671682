"""Serving until somebody ends it: Control-C, or the signal by which batch systems and services end a program."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine


def until_ended(work: Callable[[asyncio.Event], Coroutine]) -> int:
    """Do work that ends when its event is set; the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", force=True)

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        await work(ended)

    asyncio.run(serve())
    return 0
