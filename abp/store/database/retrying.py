"""Doing again what came to nothing since the database was away, busy or full for a moment."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from typing import Any, TypeVar

from abp.store.database.errors import StoreBusy, StorePassing

PATIENCE = 330.0
"""Seconds for which whoever trains a run waits for its database: five minutes, and a restart on top."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between tries: they double, up to the longest, so that a worker is back before its lease counts again."""

CONFLICTS, CONFLICT_PATIENCE = 10, 10.0
"""How often, and for how many seconds, what lost a deadlock is tried again by everybody."""

_log = logging.getLogger(__name__)

T = TypeVar("T")
Repository = TypeVar("Repository", bound=type)
Method = TypeVar("Method", bound=Callable)


def again(work: Callable[[], T], patience: float, *, once: bool = False) -> T:
    """What `work`, one whole transaction, comes to; done again while the database is away, for so many seconds.

    Parameters
    ----------
    once
        It must not happen twice: it is not done again if it may have happened.
    """
    began, tries = time.monotonic(), 0
    while True:
        try:
            return work()
        except StorePassing as error:
            tries += 1
            waited = time.monotonic() - began
            conflict = isinstance(error, StoreBusy) and tries <= CONFLICTS and waited < CONFLICT_PATIENCE
            if (once and error.uncertain) or not (conflict or waited < patience):
                raise
            if tries == 5:
                _log.warning("%s (Tried again for up to %d seconds.)", error, patience)
            time.sleep(min(FIRST_PAUSE * 2**tries, LONGEST_PAUSE) * random.uniform(0.5, 1.0))


def patient(repository: Repository) -> Repository:
    """Let every public method of a repository, each one transaction, be done `again` as long as its database says.

    A method marked by `once` must not happen twice. Within a transaction it is that which is done again, as a whole.
    """
    for name, method in list(vars(repository).items()):
        if isfunction(method) and not name.startswith("_") and not hasattr(method, "__wrapped__"):
            setattr(repository, name, _patient(method))
    return repository


def once(method: Method) -> Method:
    """Mark a method of a repository that must not happen twice."""
    method.__dict__["once"] = True
    return method


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def whole(self: Any, *arguments: Any, **named: Any) -> Any:
        return self.database.again(lambda: method(self, *arguments, **named), once=hasattr(method, "once"))

    return whole
