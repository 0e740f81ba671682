"""The workers that ``abp worker`` runs on a host: processes of one thread each, which train one run at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from abp.runs.cluster import settings
from abp.runs.cluster.address import SchedulerUnusable, security
from abp.runs.cluster.software import software

QUEUE = "queue"
"""The resource that a run of the queue takes; workers kept for runs started by hand have none."""


def cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has, as in a container."""
    from dask.system import CPU_COUNT

    return CPU_COUNT


def resources(*, queue: bool) -> dict[str, float]:
    """What a worker has to offer: its versions, which a run asks for too, and whether it takes runs of the queue."""
    return {software(): 1, **({QUEUE: 1} if queue else {})}


async def serve(
    address: str,
    ended: asyncio.Event,
    *,
    processes: int,
    by_hand: int = 0,
    memory: str = "0",
    death_timeout: float = 120.0,
    lifetime: str | None = None,
) -> None:
    """Run workers until `ended`, or until each has come to its end.

    Parameters
    ----------
    by_hand
        How many of the processes are kept for runs started by hand.
    memory
        That a process may take before it is ended, such as ``"4GiB"``; ``"0"`` for no limit.
    death_timeout
        Seconds without a scheduler after which they end.
    lifetime
        After which they end, such as ``"55 minutes"`` for a batch system that would end them; None for never.

    Raises
    ------
    SchedulerUnusable
        If the scheduler does not answer, or runs other versions of the software.
    """
    settings.configure(settings.BETWEEN_HOSTS)
    from distributed import Nanny

    protected = security(address)
    await _require_same(address, protected, death_timeout)
    details: dict[str, Any] = {} if protected is None else {"security": protected}
    if lifetime is not None:
        details |= {"lifetime": lifetime, "lifetime_stagger": "10 seconds", "lifetime_restart": False}
    nannies = [
        Nanny(
            address,
            nthreads=1,
            memory_limit=memory,
            dashboard=False,
            death_timeout=death_timeout,
            dashboard_address="127.0.0.1:0",  # Dask's own pages, which nothing protects
            resources=resources(queue=number >= by_hand),
            **details,
        )
        for number in range(processes)
    ]
    try:
        await asyncio.gather(*nannies)
    except (OSError, TimeoutError, RuntimeError) as error:
        raise SchedulerUnusable(
            f"The workers did not start within {death_timeout:g} s. See what else this host does, or give them more "
            "time (--death-timeout)."
        ) from error
    print(f"{processes} worker{'' if processes == 1 else 's'} joined {address} ({software()}).", flush=True)
    finished = asyncio.gather(*(nanny.finished() for nanny in nannies))
    waiting: set[asyncio.Future] = {finished, asyncio.ensure_future(ended.wait())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    # What is being trained goes on elsewhere from its checkpoint.
    await asyncio.gather(*(nanny.close(timeout=2.0) for nanny in nannies), return_exceptions=True)


async def _require_same(address: str, protected: Any, patience: float) -> None:
    from distributed.core import rpc

    arguments = {} if protected is None else protected.get_connection_args("worker")
    try:
        async with rpc(address, connection_args=arguments, timeout=patience) as scheduler:
            theirs = await asyncio.wait_for(scheduler.abp_software(), patience)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise SchedulerUnusable(
            f"The scheduler {address} cannot be joined: {reason[:300]}. Start it with abp scheduler, and see that this "
            "host reaches its port and has its certificate."
        ) from error
    if theirs != software():
        raise SchedulerUnusable(
            f"This host has {software()}, but the scheduler {address} has {theirs}: runs would come out differently. "
            "Install the same versions on every host."
        )
