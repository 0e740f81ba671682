"""``abp dashboard``: serve the dashboard until it is stopped."""

import argparse
import logging
import os
from contextlib import suppress
from pathlib import Path

from click import Abort
from streamlit.web import cli

from abp import sign_in
from abp.data.uploads import most_megabytes

_PACKAGE = Path(__file__).parents[1]


def run(options: argparse.Namespace) -> int:
    """Start Streamlit in this process; it ends with Control-C."""
    logging.getLogger().setLevel(logging.WARNING)
    flags = [f"--server.address={options.host}", f"--server.port={options.port}"]
    if "ABP_MAX_UPLOAD_MB" in os.environ:
        flags.append(f"--server.maxUploadSize={most_megabytes()}")
    if sign_in.asked():
        flags.append(f"--secrets.files={sign_in.secrets_file()}")
    if options.no_browser:
        flags.append("--server.headless=true")
    with suppress(Abort):  # Control-C is the way to stop it, no failure
        cli.main(["run", str(application()), *flags], standalone_mode=False)
    return 0


def application() -> Path:
    """The main script. ``pages`` and ``.streamlit``, with the theme, lie beside it, where Streamlit looks for them.

    They are part of the installed package; in the repository they lie at its root.
    """
    installed = _PACKAGE / "app" / "app.py"
    return installed if installed.exists() else _PACKAGE.parent / "app.py"
