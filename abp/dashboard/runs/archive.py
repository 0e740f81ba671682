"""Several runs as one zip: their settings, histories, prunings and final weights."""

import io
import json
import zipfile
from collections.abc import Sequence

from abp.dashboard.charts import tables
from abp.dashboard.charts.widgets import csv_file
from abp.store.records import Run
from abp.store.store import Store


def archive(store: Store, runs: Sequence[Run]) -> bytes:
    """A zip with ``runs.csv`` and, of every run, a folder of what is recorded of it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("runs.csv", csv_file(tables.runs(runs)))
        for run in runs:
            folder = f"run-{run.id}"
            settings = {"name": run.name, **json.loads(run.settings)}
            files.writestr(f"{folder}/settings.json", json.dumps(settings, indent=2))
            files.writestr(f"{folder}/history.csv", csv_file(store.histories.epochs(run.id)))
            files.writestr(f"{folder}/prunings.csv", csv_file(store.histories.prunings(run.id)))
            weights = store.weights.get(run.id, "final")
            if weights is not None:  # numbers without a pattern, which no packing makes smaller
                files.writestr(f"{folder}/final.safetensors", weights, zipfile.ZIP_STORED)
    return packed.getvalue()
