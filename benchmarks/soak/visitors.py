"""Visitors over Streamlit's own websocket, without a browser: they open pages as a browser does, and wait for the end.

``python -m benchmarks.soak.visitors PORT VISITORS SECONDS RUN STUDY ENDED`` prints what each answer took, and errors.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_LOOKS = 2.0, 6.0  # seconds for which a visitor looks at a page
_REDRAWN = 1.5  # seconds after which it asks again, as it does when background work is done


async def _visit(
    port: int, links: list[tuple[str, str]], until: float, chance: random.Random, answers: list[float], wrong: list[str]
) -> None:
    """Open pages one after the other, in one session, until the time has come."""
    url = f"ws://localhost:{port}/_stcore/stream"
    origin = f"http://localhost:{port}"
    async with websockets.connect(url, subprotocols=["streamlit"], origin=origin, max_size=None) as socket:  # type: ignore[list-item, arg-type]
        while time.monotonic() < until:
            page, query = chance.choice(links)
            for _ in range(2):
                began = time.monotonic()
                await socket.send(_asked(page, query))
                await _answered(socket, page, wrong)
                answers.append(time.monotonic() - began)
                await asyncio.sleep(_REDRAWN)
            await asyncio.sleep(chance.uniform(*_LOOKS))


def _asked(page: str, query: str) -> bytes:
    message = BackMsg()
    message.rerun_script.page_name = page
    message.rerun_script.query_string = query
    return message.SerializeToString()


async def _answered(socket: websockets.ClientConnection, page: str, wrong: list[str]) -> None:
    """Take what is sent until the script has ended; what a person would see as an error is noted."""
    while True:
        told = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), 120))  # type: ignore[arg-type]
        kind = told.WhichOneof("type")
        if kind == "delta" and told.delta.new_element.WhichOneof("type") in ("exception", "alert"):
            element = told.delta.new_element
            if element.WhichOneof("type") == "exception" or element.alert.format == element.alert.ERROR:
                wrong.append(f"{page}: {element.exception.message or element.alert.body}"[:200])
        if kind == "script_finished" and told.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return


async def _all(port: int, visitors: int, seconds: float, run: int, study: int, ended: int) -> dict[str, object]:
    links = [
        ("", ""), ("train", f"run={run}"), ("train", ""), ("runs", ""), ("spectra", f"run={ended}"), ("demo", ""),
        ("weights", f"run={ended}"), ("playground", f"run={ended}"), ("compare", f"study={study}"),
        ("claims", f"study={study}"), ("low_rank", f"run={ended}"),
    ]  # fmt: skip
    answers: list[float] = []
    wrong: list[str] = []
    until = time.monotonic() + seconds
    visiting = [_visit(port, links, until, random.Random(number), answers, wrong) for number in range(visitors)]
    for failure in await asyncio.gather(*visiting, return_exceptions=True):
        if failure is not None:
            wrong.append(f"a session ended: {failure!r}"[:200])
    return {"answers": answers, "wrong": wrong}


if __name__ == "__main__":
    port, visitors, seconds, *numbers = sys.argv[1:]
    found = asyncio.run(_all(int(port), int(visitors), float(seconds), *map(int, numbers)))
    print(json.dumps(found), flush=True)
