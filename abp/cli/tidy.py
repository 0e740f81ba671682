"""``abp tidy``: what could be removed of old runs, and its removal where that is asked for."""

import argparse

from abp.store.store import Store
from abp.store.upkeep.tidying import removable, tidy


def run(options: argparse.Namespace) -> int:
    """Say what would be freed, or free it; the exit status."""
    store = Store()
    found = (tidy if options.remove else removable)(store, days=options.days)
    for room in found:
        print(f"{room.rows:>9,}  {room.what}: {room.bytes / 1e6:,.1f} MB")
    total = sum(room.bytes for room in found) / 1e6
    if options.remove:
        print(f"Removed: {total:,.1f} MB.")
    elif any(room.rows for room in found):
        print(f"In all {total:,.1f} MB. Nothing was removed yet: abp tidy --remove does it.")
    else:
        print("There is nothing to remove.")
    return 0
