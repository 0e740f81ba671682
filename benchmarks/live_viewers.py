"""So many viewers of one run: a process of its own, which joins, counts and times the frames, and prints what it saw.

``python -m benchmarks.live_viewers URL VIEWERS SECONDS``; the URL is the channel's, ``ws://localhost:8501/live/1``.
"""

import asyncio
import json
import struct
import sys
import time

import websockets

_AT = struct.Struct("<Id")  # number and time of a frame, in its header


async def _watch(url: str, began: asyncio.Event, seen: list[tuple[int, float]]) -> None:
    """Note the number of every new frame and its age at its arrival, from `began` on.

    It reads from the first moment on: what waited in the line until then would count as old.
    """
    async with websockets.connect(url, compression=None, max_size=None, open_timeout=60) as socket:
        last = -1
        async for message in socket:
            if isinstance(message, bytes):
                number, made = _AT.unpack_from(message, 4)
                if number != last and began.is_set():
                    seen.append((number, time.time() - made))
                last = number


async def _all(url: str, viewers: int, seconds: float) -> dict[str, float]:
    began = asyncio.Event()
    seen: list[list[tuple[int, float]]] = [[] for _ in range(viewers)]
    watching = []
    for own in seen:
        watching.append(asyncio.ensure_future(_watch(url, began, own)))
        await asyncio.sleep(0.005)  # a crowd, not a stampede
    await asyncio.sleep(2.0)  # until all have joined
    print("began", flush=True)
    began.set()
    await asyncio.sleep(seconds)
    for viewer in watching:
        viewer.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    ages = sorted(age for own in seen for _, age in own)
    return {
        "served": sum(bool(own) for own in seen),
        "frames_a_second": sum(len(own) for own in seen) / viewers / seconds,
        "age_median": ages[len(ages) // 2] if ages else float("nan"),
        "age_95": ages[int(0.95 * len(ages))] if ages else float("nan"),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))), flush=True)
