"""``abp backup``: all runs, studies and data sets in one file, while runs go on."""

import argparse
import sys
from pathlib import Path

from abp.cli.output import require_file


def run(options: argparse.Namespace) -> int:
    """Write the backup; the exit status."""
    require_file("FILE", options.file)
    from abp.store.store import Store
    from abp.store.upkeep.backup import backup

    path = Path(options.file).absolute()
    found = backup(Store(), path)
    print(f"{path} holds {found} ({path.stat().st_size / 1e6:,.1f} MB).", file=sys.stderr)
    return 0
