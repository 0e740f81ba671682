"""The folder where ABP Lab keeps what it must remember: the database and downloaded data."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from abp.errors import AbpError


class HomeUnusable(AbpError):
    """The home folder cannot be created or written to; the message names it and the way out."""


def home() -> Path:
    """Return the home folder, created if it is missing.

    It is the folder that the environment variable ``ABP_HOME`` names (relative to the current directory), or
    else the place that the operating system gives to a user's data.

    Returns
    -------
    pathlib.Path
        Absolute path of a folder that exists and can be written to.

    Raises
    ------
    HomeUnusable
        If it cannot be created, is no folder, or cannot be written to.
    """
    named = os.environ.get("ABP_HOME")
    folder = Path(named).expanduser().absolute() if named else user_data_path("abp-lab")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise _unusable(folder, "it is a file, not a folder") from None
    except OSError as error:
        raise _unusable(folder, f"it cannot be created ({error.strerror})") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(folder, "it cannot be written to")
    return folder


def _unusable(folder: Path, why: str) -> HomeUnusable:
    return HomeUnusable(
        f"ABP Lab cannot keep its data in {folder}: {why}. "
        "Set the environment variable ABP_HOME to a folder that you can write to."
    )
