"""Start a run, continue one, and watch one: ``/train``, ``/train?continue=<id>`` and ``/train?run=<id>``."""

from abp.dashboard.frame.links import run_from_link
from abp.dashboard.frame.page import page, store
from abp.dashboard.train.new_run import continue_run, new_run
from abp.dashboard.train.watch import watch

with page("Train"):
    watched, continued = run_from_link(), run_from_link("continue")
    if watched is not None:
        watch(store(), watched)
    elif continued is not None:
        continue_run(store(), continued)
    else:
        new_run(store())
