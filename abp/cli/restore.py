"""``abp restore``: a backup takes the place of what the database holds, which is kept beside it."""

import argparse
import sys
from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """Check and restore the backup; the exit status."""
    from abp.store.upkeep.restore import restore

    restored = restore(Path(options.file).absolute())
    print(f"The database now holds {restored.contents}.", file=sys.stderr)
    if restored.before:
        print(f"What it held before lies in {restored.before}.", file=sys.stderr)
    return 0
