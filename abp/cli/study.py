"""``abp study``: a comparison over seeds without a browser."""

import argparse

from abp.cli.data import own_data
from abp.cli.output import require_json_target
from abp.runs.cluster.workers import cores
from abp.studies.specification import preset
from abp.training.experiment import SettingError


def run(options: argparse.Namespace) -> int:
    """Conduct a ready-made study, or a variation of it, in this process; the exit status."""
    require_json_target(options.json)
    workers = cores() if options.workers is None else options.workers
    if not 1 <= workers <= 256:
        raise SettingError(f"--workers must be between 1 and 256, not {workers}")
    kept = own_data(options.dataset)  # what knows the data set, until the study has opened the store itself
    specification = preset(
        options.study,
        dataset=options.dataset,
        seeds=options.seeds,
        criteria=options.criteria,
        amounts=options.amounts,
        nuclear=options.nuclear,
    )
    # Only now: a wrong value is answered before PyTorch is imported.
    from abp.cli.studying import study_here

    status = study_here(
        specification,
        f"{options.study}: {specification.title}"[:200],
        workers,
        options.json,
        equal_training=options.equal_training,
    )
    del kept
    return status
