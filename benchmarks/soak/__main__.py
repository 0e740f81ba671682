"""One table of what was survived, its figures beside their goals: ``python -m benchmarks.soak [PART ...]``.

The exit status is 1 if a goal is missed.
"""

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import import_module

from benchmarks.soak.lines import HEADING

PARTS = ("resume", "restart", "fuzz", "load", "cluster", "scale")
"""Every part: a module of this package, whose function `part` returns its lines."""


def main(arguments: list[str] | None = None) -> int:
    """Run the parts one after the other; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--inputs", type=int, default=200_000, help="hostile inputs in all")
    parser.add_argument("--moments", type=int, default=50, help="moments at which a run is killed")
    parser.add_argument("--minutes", type=float, default=5.0, help="of load")
    options = parser.parse_args(arguments)
    given = {
        "fuzz": {"inputs": options.inputs},
        "resume": {"moments": options.moments},
        "load": {"minutes": options.minutes},
    }
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}")
    print(HEADING, flush=True)
    met = True
    for name in options.parts or PARTS:
        began = time.monotonic()
        for line in import_module(f"benchmarks.soak.{name}").part(**given.get(name, {})):
            met &= line.met
            print(line, flush=True)
        print(f"  ({name}: {(time.monotonic() - began) / 60:.1f} minutes)", flush=True)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
