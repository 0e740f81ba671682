"""The scheduler that ``abp scheduler`` runs: hosts join it, and it knows which of them are there."""

from __future__ import annotations

import asyncio
from typing import Any

from abp.runs.cluster import settings
from abp.runs.cluster.address import security
from abp.runs.cluster.software import software


async def serve(address: str, ended: asyncio.Event) -> None:
    """Run a scheduler at this address until `ended`."""
    settings.configure(settings.BETWEEN_HOSTS)
    from distributed import Scheduler

    protected = security(address, make=True)
    details: dict[str, Any] = {} if protected is None else {"security": protected}
    protocol, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    details |= {"protocol": f"{protocol}://", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    scheduler = Scheduler(host=host.strip("[]"), port=int(port), **details)
    scheduler.handlers["abp_software"] = software
    async with scheduler:
        print(f"The scheduler listens at {scheduler.address} ({software()}).", flush=True)
        closing = asyncio.ensure_future(scheduler.finished())
        await asyncio.wait({closing, asyncio.ensure_future(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
