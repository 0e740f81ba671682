"""Where the scheduler is, and what keeps others out: TLS, with certificates that only our hosts have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from abp.errors import AbpError
from abp.home import home

if TYPE_CHECKING:
    from distributed import Security

VARIABLE, PLAIN = "ABP_SCHEDULER", "ABP_SCHEDULER_PLAIN"


class SchedulerUnusable(AbpError):
    """The cluster cannot be used as it is set up; the message names the value and the way out."""


def scheduler_address() -> str | None:
    """The address of the scheduler that ``ABP_SCHEDULER`` names; None where this machine works for itself.

    Raises
    ------
    SchedulerUnusable
        If it is no address, unprotected without leave, or the database is a file that other hosts cannot use.
    """
    address = os.environ.get(VARIABLE, "").strip()
    if not address:
        return None
    check_address(address, VARIABLE)
    _require_server()
    return address


def check_address(address: str, where: str) -> None:
    """Let an address of a scheduler pass, or say what is wrong with it."""
    if not re.fullmatch(r"(tls|tcp)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", address):
        raise SchedulerUnusable(f"{where} must be tls://HOST:PORT, such as tls://node-1:8786, not {address[:100]!r}.")
    if address.startswith("tcp:") and os.environ.get(PLAIN) != "trusted":
        raise SchedulerUnusable(
            f"{where} is {address}: without TLS anybody who reaches that port can run programs on all workers. Use "
            f"tls://, or set {PLAIN}=trusted on a network where you trust everybody."
        )


def _require_server() -> None:
    from abp.store.database import located
    from abp.store.database.sqlite import SqliteFile

    if isinstance(located(), SqliteFile):
        raise SchedulerUnusable(
            f"{VARIABLE} names workers on other hosts, but the database is a file of SQLite on this one, which they "
            "cannot share safely. Set ABP_DATABASE to a database of PostgreSQL on every host, or leave "
            f"{VARIABLE} out."
        )


def certificate_folder() -> Path:
    """Where this program keeps the certificate of its cluster, which is the same on every host."""
    return home() / "cluster"


def security(address: str, *, make: bool = False) -> Security | None:
    """What Dask needs to speak TLS: its own settings, or else the certificate in the home folder; None for plain TCP.

    Parameters
    ----------
    make
        Whether to make a certificate where there is none, as the scheduler does.

    Raises
    ------
    SchedulerUnusable
        If there is none.
    """
    from distributed import Security

    if not address.startswith("tls:"):
        return None
    configured = Security(require_encryption=True)
    if getattr(configured, "tls_ca_file", None):
        return configured
    certificate, key = (certificate_folder() / name for name in ("certificate.pem", "key.pem"))
    if make and not certificate.exists():
        _make(certificate, key)
    if not (certificate.is_file() and key.is_file()):
        raise SchedulerUnusable(
            f"There is no certificate for {address}. Copy the folder {certificate_folder()} from the host of the "
            "scheduler, or set Dask's own (distributed.comm.tls)."
        )
    roles = {f"tls_{role}_{part}": str(path) for role in ("client", "scheduler", "worker")
             for part, path in (("cert", certificate), ("key", key))}  # fmt: skip
    return Security(require_encryption=True, tls_ca_file=str(certificate), **roles)


def _make(certificate: Path, key: Path) -> None:
    """Write a certificate that vouches for itself, and its key, readable by their owner alone."""
    from distributed import Security

    made = Security.temporary()
    certificate.parent.mkdir(mode=0o700, exist_ok=True)
    for path, content in ((key, made.tls_scheduler_key), (certificate, made.tls_ca_file)):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(str(content))
