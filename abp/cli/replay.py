"""``abp replay``: train an ended run once more from its record, and say whether every bit is the same."""

import argparse
import sys
from dataclasses import asdict

from tqdm import tqdm

from abp.cli.output import require_json_target, write_json
from abp.runs.replay import Replayed, replay
from abp.runs.session.session import Progressed
from abp.store.store import Store


def run(options: argparse.Namespace) -> int:
    """Replay the run and report; the exit status: 1 if anything is different."""
    require_json_target(options.json)
    store = Store()
    replayed = store.runs.get(options.run)
    with tqdm(total=replayed.epoch, unit="epoch", disable=None, file=sys.stderr) as bar:

        def report(progress: Progressed) -> None:
            bar.update(progress.epoch - bar.n)

        found = replay(store, replayed, report=report)
    write_json(options.json, {**asdict(found), "same": not found.different})
    print(_sentence(found), file=sys.stderr)
    return int(bool(found.different))


def _sentence(found: Replayed) -> str:
    if found.different:
        return (
            f"Run {found.run}: these are different: {', '.join(found.different)}. Another version of PyTorch, or "
            "another kind of processor, may compute other bits; with the same ones this is a fault of the program."
        )
    return (
        f"Run {found.run}: the same bits (weights, counts, history and prunings), after {found.epochs} epochs, "
        f"{found.prunings} prunings and {found.commands} commands."
    )
