"""What Dask is told wherever it runs for us."""

from typing import Any

from abp.home import home

DASK: dict[str, Any] = {
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.scheduler.allowed-failures": 0,  # what a dead worker had goes on by way of the store
    "distributed.worker.profile.enabled": False,  # it samples every 10 ms
    "distributed.admin.tick.interval": "1s",  # a look at its own event loop, by default every 20 ms
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.gil.enabled": False,
}

BETWEEN_HOSTS: dict[str, Any] = {
    "distributed.scheduler.worker-ttl": "20s",  # after so long without a word a worker is gone
    "distributed.comm.timeouts.tcp": "15s",
    "distributed.comm.timeouts.connect": "10s",
    "distributed.scheduler.work-stealing": False,  # each worker has one run, which stays where it is
}
"""Where a cable may be pulled."""


def configure(*more: dict[str, Any]) -> None:
    """Tell Dask, before anything of it that reads settings is imported."""
    import dask

    dask.config.set({"temporary-directory": str(home() / "workers"), **DASK})
    for settings in more:
        dask.config.set(settings)
