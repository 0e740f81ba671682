"""``abp analyse``: singular values, ranks and norms of a run's hidden layers, and its baselines."""

import argparse

from abp.cli.output import complain, require_json_target, write_json
from abp.runs.results_json import analysis
from abp.store.store import Store


def run(options: argparse.Namespace) -> int:
    """Write the analysis as JSON; the exit status."""
    require_json_target(options.json)
    store = Store()
    analysed = store.runs.get(options.run)
    if store.weights.get(analysed.id, "final") is None:
        return complain(f"run {analysed.id} has no final weights: it is {analysed.status}")
    write_json(options.json, analysis(store, analysed))
    return 0
