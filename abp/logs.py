"""Logs: one JSON object a line, in the home folder, rotated, and without what is secret or tells who somebody is.

The dashboard, the engine and every worker write a file each in ``<home>/logs``. ``tail -f`` and ``jq`` read them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from abp.home import HomeUnusable, home

LARGEST, KEPT = 2 * 2**20, 4
"""Bytes of a file before a new one is begun, and how many older ones stay."""

_LONGEST = 2000  # characters of a message

_secrets: set[str] = set()
_lock = threading.Lock()

# What is replaced, whoever wrote it: `(?i)` since headers and settings come in any case.
_PATTERNS = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@"), r"\1:***@"),  # passwords in addresses
    (re.compile(r"(?i)\b(key|token|secret|password|passwd|code|state|client_secret)=[^\s&\"']+"), r"\1=***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)\b(cookie|authorization)(\W{1,4})[^\n]+"), r"\1\2***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "***"),  # signed tokens of a sign-in
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b)\d{1,3}(\.\d{1,3}){3}\b"), "<address>"),
    (re.compile(r"(?i)(?<![\w:.])(?=[0-9a-f:]*[0-9a-f]:)[0-9a-f]{0,4}(:[0-9a-f]{0,4}){5,7}(?![\w:])"), "<address>"),
)


def write_to(part: str) -> None:
    """Write this process's warnings and errors to ``<home>/logs/<part>.log`` from now on.

    No two processes should name the same part at a time: each rotates its own file.
    Where that cannot be written nothing is said: the pages and ``abp doctor`` say what is wrong with the folder.
    """
    try:
        path = folder() / f"{re.sub(r'[^a-z0-9]+', '-', part.lower())[:60]}.log"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", delay=True)
    except (HomeUnusable, OSError):
        return
    handler.setFormatter(JsonLines(part))
    handler.setLevel(logging.WARNING)
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk: there is nowhere to say so
    root = logging.getLogger()
    with _lock:
        # Streamlit's loggers and uvicorn's pass nothing on to the root.
        loggers = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
        for logger in [root, *(each for each in loggers if not each.propagate)]:
            for other in logger.handlers[:]:
                if isinstance(other.formatter, JsonLines):  # of another home folder or part
                    logger.removeHandler(other)
                    other.close()
            logger.addHandler(handler)


def folder() -> Path:
    """Where the logs are."""
    return home() / "logs"


def keep_secret(value: str | None) -> None:
    """Never let this text into a log."""
    if value and len(value) >= 6:  # a shorter one would blot out words
        with _lock:
            _secrets.add(value)


def clean(text: str) -> str:
    """The text without secrets, addresses, e-mail addresses and the name of the person's own folder.

    >>> clean("GET /operate?key=abc123 from 192.0.2.7")
    'GET /operate?key=*** from <address>'
    >>> clean("postgresql+psycopg://abp:hunter2@db/abp is down")
    'postgresql+psycopg://abp:***@db/abp is down'
    """
    for secret in _secrets.copy():
        text = text.replace(secret, "***")
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    own = os.path.expanduser("~")
    return text.replace(own, "~") if len(own) > 1 else text


class JsonLines(logging.Formatter):
    """One record as one line of JSON: when, how bad, which part, where in the program, what, and the way there.

    Of an exception its kind, its own words and the lines of code are kept, never the values of variables.
    """

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": self._part,
            "process": record.process,
            "logger": record.name,
            "message": clean(record.getMessage())[:_LONGEST],
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, where = record.exc_info
            entry["error"] = kind.__name__
            entry["error_message"] = clean(str(error))[:_LONGEST]
            entry["at"] = [_place(frame) for frame in traceback.extract_tb(where)[-20:]]
        return json.dumps(entry, ensure_ascii=False)


def _place(frame: traceback.FrameSummary) -> str:
    """Where a line of code is: the last three parts of its file's path tell, and nobody's folder is named."""
    return f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
