"""``abp train``: one run from start to end, recorded in the store."""

import argparse

from abp.cli.data import own_data
from abp.cli.output import require_json_target
from abp.store.records import Lane
from abp.training.experiment import Experiment, settings


def run(options: argparse.Namespace) -> int:
    """Write the run and train it in this process; the exit status."""
    require_json_target(options.json)
    store = own_data(options.dataset)
    experiment = Experiment(**{name: getattr(options, name) for name in settings()})
    # Only now: a wrong value is answered before PyTorch is imported.
    from abp.cli.training import train_here
    from abp.store.database import PATIENCE
    from abp.store.store import Store

    store = store or Store(patience=PATIENCE)
    return train_here(store, store.runs.add(experiment, name=options.name, lane=Lane.SELF), options.json)
