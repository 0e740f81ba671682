"""``abp continue``: a run that starts from another one's recorded weights and masks."""

import argparse

from abp.cli.output import require_json_target
from abp.cli.training import train_here
from abp.runs.continuation import continue_run
from abp.store.database import PATIENCE
from abp.store.records import Lane
from abp.store.store import Store


def run(options: argparse.Namespace) -> int:
    """Write the new run and train it in this process; the exit status."""
    require_json_target(options.json)
    store = Store(patience=PATIENCE)
    number = continue_run(
        store,
        store.runs.get(options.run),
        options.how,
        epochs=options.epochs,
        ranks=options.ranks,
        seed=options.seed,
        learning_rate=options.learning_rate,
        name=options.name,
        lane=Lane.SELF,
    )
    return train_here(store, number, options.json)
