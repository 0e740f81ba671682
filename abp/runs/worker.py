"""The worker: claims a run in the store and sees to it that it is trained and that its end is recorded.

The command line calls `execute` in its own process; the engine calls it in worker processes.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from abp.data.datasets import DataUnavailable
from abp.data.download import Progress
from abp.home import HomeUnusable
from abp.runs.cluster.software import processor
from abp.runs.session.session import Report, Session
from abp.store.database import StoreUnusable
from abp.store.records import Status
from abp.store.repositories.leases import LEASE, ClaimLost
from abp.store.store import Store
from abp.training.checkpoint import CheckpointDamaged
from abp.training.experiment import SettingError
from abp.training.trainer import Diverged

_log = logging.getLogger(__name__)


def new_owner(ending: str | None = None) -> str:
    """A name for a worker that no other has: its machine, its process and an ending, by default a random one."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{ending or uuid.uuid4().hex[:12]}"


def execute(
    store: Store,
    run: int,
    owner: str,
    *,
    report: Report | None = None,
    download_progress: Progress = None,
    park: bool = True,
) -> bool:
    """Train a queued run to its end, or until it is parked, taken away or fails.

    Parameters
    ----------
    report
        Called after every epoch.
    download_progress
        How to show a download; by default in the run's message.
    park
        Whether to give up the worker when the run is paused for long.

    Returns
    -------
    bool
        False if the run could not be claimed, since it is not queued or another worker was faster.
    """
    claimed = store.leases.claim(run, owner, processor=processor())
    if claimed is None:
        return False
    with _lease_kept(store, run, owner):
        try:
            try:
                session = Session(store, claimed, owner, report=report, park=park)
                session.start(download_progress)
                session.train()
            except Diverged as error:
                message = f"Training diverged: {error}. All epochs before it are kept."
                store.runs.close(run, owner, Status.DIVERGED, stopped_by="diverged", message=message)
            except (DataUnavailable, HomeUnusable, CheckpointDamaged, SettingError) as error:
                store.runs.close(run, owner, Status.FAILED, message=str(error))
            except (ClaimLost, StoreUnusable):
                raise
            except MemoryError:
                store.runs.close(
                    run, owner, Status.FAILED, message="The network needs more memory than this machine has free."
                )
            except Exception as error:
                _log.exception("run %s failed", run)
                message = f"Something unexpected went wrong ({type(error).__name__}: {error}). The log has the details."
                store.runs.close(run, owner, Status.FAILED, message=message)
        except ClaimLost:
            _log.warning("run %s was taken away from this worker", run)
    return True


@contextmanager
def _lease_kept(store: Store, run: int, owner: str) -> Iterator[None]:
    """Renew the lease in the background, also while a download or a large batch takes its time."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(LEASE / 4):
            try:
                store.leases.renew(run, owner)
            except StoreUnusable:
                continue  # perhaps it is only busy
            except ClaimLost:
                return  # the worker's own next write meets the same and acts on it

    thread = threading.Thread(target=renew, name=f"lease of run {run}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
