"""``abp worker``: processes that train runs of the cluster which ``ABP_SCHEDULER`` names."""

import argparse

from abp.cli.serving import until_ended


def run(options: argparse.Namespace) -> int:
    """Serve until it is ended; the exit status."""
    from abp.runs.cluster.address import SchedulerUnusable, scheduler_address
    from abp.runs.cluster.workers import cores, serve
    from abp.runs.engine import start_fork_server
    from abp.store.store import Store

    address = scheduler_address()
    if address is None:
        raise SchedulerUnusable("ABP_SCHEDULER must name the scheduler to join, such as tls://node-1:8786.")
    Store().database.dispose()  # says what is wrong with the database before anything else
    start_fork_server()
    return until_ended(
        lambda ended: serve(
            address,
            ended,
            processes=options.processes or cores(),
            by_hand=options.by_hand,
            memory=options.memory,
            death_timeout=options.death_timeout,
            lifetime=options.lifetime,
        )
    )
