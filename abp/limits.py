"""Limits of this installation: how much anybody may ask of it. Whoever runs it sets them as environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from abp.errors import AbpError


class LimitReached(AbpError):
    """Something goes beyond a limit of this installation; the message names the value, the limit and the way out."""


class LimitUnreadable(AbpError):
    """A limit was set to something that is no number."""


@dataclass(frozen=True)
class Limit:
    """What a limit is of, in words, and its value unless the environment has another; None for no limit."""

    what: str
    default: float | None


LIMITS = {
    "ABP_MAX_QUEUED": Limit("runs that wait for a worker", 10_000),
    "ABP_MAX_EPOCHS": Limit("epochs of a run", 10_000),
    "ABP_MAX_PARAMETERS": Limit("weights and biases of a network", 150_000_000),
    "ABP_MAX_UPLOAD_MB": Limit("megabytes of a picture on the Playground, or of a network on Spectra", 5),
    "ABP_MAX_STORAGE_GB": Limit("gigabytes of the database, beyond which no run is added", None),
}
"""Every limit, by its environment variable."""


def limit(name: str) -> float | None:
    """The value of a limit now; None if there is none.

    Raises
    ------
    LimitUnreadable
        If the environment gives it something else than a number above 0: nothing is allowed then.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return LIMITS[name].default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e15:  # not a number is not between them either
        raise LimitUnreadable(f"{name} must be a number above 0 ({LIMITS[name].what}), not {text[:40]!r}")
    return value


def require(name: str, value: float, found: str, advice: str) -> None:
    """Let a value pass that its limit allows, or raise LimitReached.

    Parameters
    ----------
    found
        What has the value, as the sentence's first half: "This run would train for 20,000 epochs".
    advice
        What to do, as a sentence.
    """
    most = limit(name)
    if most is not None and value > most:
        raise LimitReached(f"{found}; this installation allows {most:,.10g} ({name}). {advice}")
