"""``abp scheduler``: what workers on other hosts join."""

import argparse

from abp.cli.serving import until_ended


def run(options: argparse.Namespace) -> int:
    """Serve until it is ended; the exit status."""
    from abp.runs.cluster.address import check_address
    from abp.runs.cluster.scheduler import serve

    address = f"{'tcp' if options.plain else 'tls'}://{options.host}:{options.port}"
    check_address(address, "The scheduler's address")
    return until_ended(lambda ended: serve(address, ended))
