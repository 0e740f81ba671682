"""Uploads: ``PUT /upload/<place>`` writes a file to disk as it arrives, for the operator alone.

Streamlit's own uploader keeps whole files in memory. A place is a random word that a page makes up for one upload; only
that page, and whoever it tells, finds the file again.
"""

from __future__ import annotations

import asyncio
import errno
import re
import secrets
import shutil
import time
from pathlib import Path, PurePosixPath

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from abp.dashboard.channel.route import same_origin
from abp.dashboard.frame.access import may_operate
from abp.data.own.limits import FILE_BYTES
from abp.home import home

MOST_AT_ONCE = 4

_PLACE = re.compile(r"[0-9a-f]{32}")
_KEPT = 24 * 3600.0  # seconds after which a file that nobody added is deleted


class Uploads:
    """Takes files, one a place.

    Parameters
    ----------
    base
        Path below which the dashboard is served; empty at the top.
    """

    def __init__(self, base: str = "") -> None:
        self._base = base
        self._open = 0

    def route(self) -> Route:
        """The route, for the ASGI application."""
        return Route(f"{self._base}/upload/{{place}}", self.receive, methods=["PUT"])

    async def receive(self, request: Request) -> Response:
        """Write what comes to disk; what is wrong with it is answered in one sentence, and nothing of it stays."""
        place = request.path_params["place"]
        if not _PLACE.fullmatch(place) or not same_origin(request) or not may_operate(request.cookies):
            return PlainTextResponse("Only the operator's own pages can send files here.", status_code=403)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > FILE_BYTES:
            return _too_large()
        if self._open >= MOST_AT_ONCE:
            return PlainTextResponse("Several files are arriving already. Try again in a minute.", status_code=503)
        self._open += 1
        try:
            return await self._write(request, place)
        finally:
            self._open -= 1

    async def _write(self, request: Request, place: str) -> Response:
        target = _folder(place) / cleaned(request.query_params.get("name", ""))
        part = target.with_name(f".{target.name}.part")
        complete = False
        try:
            await asyncio.to_thread(_make_room, place)
            arrived = 0
            with part.open("wb") as file:
                async for piece in request.stream():
                    arrived += len(piece)
                    if arrived > FILE_BYTES:
                        return _too_large()
                    await asyncio.to_thread(file.write, piece)
            if not arrived:
                return PlainTextResponse("This file is empty.", status_code=400)
            part.replace(target)
            complete = True
            return PlainTextResponse("", status_code=201)
        except ClientDisconnect:
            return PlainTextResponse("", status_code=400)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "The dashboard's disk is full." if full else f"The file cannot be kept: {error.strerror}."
            return PlainTextResponse(why, status_code=507)
        finally:
            if not complete:
                discard(place)


def new_place() -> str:
    """A place for one upload."""
    return secrets.token_hex(16)


def uploaded(place: str) -> Path | None:
    """The file that arrived at a place, if it has arrived whole."""
    if not _PLACE.fullmatch(place) or not _folder(place).is_dir():
        return None
    return next((file for file in sorted(_folder(place).iterdir()) if not file.name.startswith(".")), None)


def discard(place: str) -> None:
    """Delete what arrived at a place."""
    if _PLACE.fullmatch(place):
        shutil.rmtree(_folder(place), ignore_errors=True)


def cleaned(name: str) -> str:
    """A file's name without folders and without anything that a disk might not take.

    >>> cleaned("../../My shapes (1).zip"), cleaned(""), cleaned("..")
    ('My-shapes-1-.zip', 'upload', 'upload')
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", last).lstrip(".-")[-80:]
    return kept or "upload"


def _folder(place: str) -> Path:
    return home() / "uploads" / place


def _make_room(place: str) -> None:
    """An empty folder for a place; what was left by others long ago goes."""
    folder = _folder(place)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other == folder or time.time() - other.stat().st_mtime > _KEPT:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(exist_ok=True)


def _too_large() -> Response:
    most = FILE_BYTES // 2**20
    return PlainTextResponse(f"This file has more than {most} MB, which is the most that can be read.", status_code=413)
