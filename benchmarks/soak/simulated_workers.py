"""Workers of a cluster that sleep instead of computing, and write all that a run writes.

``python -m benchmarks.soak.simulated_workers COUNT``, with ``ABP_SCHEDULER``, ``ABP_DATABASE`` and ``ABP_HOME`` set: so
many workers in one process, until it is ended. What they leave out is the arithmetic of training and of evaluation.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from abp.cli.serving import until_ended
from abp.network.evaluation import Metrics
from abp.runs.cluster import settings
from abp.runs.cluster.address import scheduler_address, security
from abp.runs.cluster.workers import resources
from abp.training.trainer import Trainer

EPOCH = 1.0
"""Seconds that an epoch takes."""


def pretend() -> None:
    """Let every trainer of this process sleep through its batches and evaluations."""

    def sleep(trainer: Trainer, _most: int | None = None) -> bool:
        if not trainer.in_progress:
            trainer._begin_epoch()
        time.sleep(EPOCH)
        trainer.batch = trainer.batches
        return True

    Trainer.train_batches = sleep  # type: ignore[method-assign]
    Trainer.evaluate = lambda _trainer, _split: Metrics(1.0, 0.5)  # type: ignore[method-assign]


async def serve(address: str, count: int, ended: asyncio.Event) -> None:
    """Join the scheduler with so many workers, each with a thread of its own, until `ended`."""
    settings.configure(settings.BETWEEN_HOSTS)
    from distributed import Worker

    protected = security(address)
    details: dict[str, Any] = {} if protected is None else {"security": protected}
    workers = [
        Worker(address, nthreads=1, memory_limit=0, dashboard=False, resources=resources(queue=True), **details)
        for _ in range(count)
    ]
    await asyncio.gather(*workers)
    print(f"{count} joined", flush=True)
    await ended.wait()
    await asyncio.gather(*(worker.close(timeout=2) for worker in workers))


def main() -> int:
    """Serve until ended; the exit status."""
    pretend()
    address = scheduler_address()
    assert address is not None
    return until_ended(lambda ended: serve(address, int(sys.argv[1]), ended))


if __name__ == "__main__":
    sys.exit(main())
