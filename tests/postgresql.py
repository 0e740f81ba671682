"""A private server of PostgreSQL for tests, in a folder of its own and gone with them.

``python -m tests.postgresql PYTEST-ARGUMENT...`` runs tests with one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from abp.store.store import Store
from tests.databases import TEMPLATE, VARIABLE, administer, beside

ROOT = Path(__file__).parents[1]

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "listen_addresses": "",
}
"""A test's data need not outlive a power cut."""

_ENOUGH = 4 * 2**30  # bytes; each database takes eight million


class Server:
    """A server whose data lie in a folder; others than its own user must not see into that, as it demands.

    `prefix` comes before each of its commands, as to run it on another host; `allow` names addresses that it lets in.
    """

    def __init__(self, folder: Path, *, prefix: Sequence[str] = (), allow: str = "", **settings: str) -> None:
        self.folder, self.data, self.prefix = folder, folder / "data", prefix
        self.settings = {**SETTINGS, "unix_socket_directories": str(folder), **settings}
        self.run("initdb", "-A", "trust", "-U", "abp", "-E", "UTF8", "--locale-provider=icu", "--icu-locale=en",
                 "--no-locale", "--no-sync", "-D", str(self.data))  # fmt: skip
        if allow:
            with (self.data / "pg_hba.conf").open("a") as file:
                file.write(f"\nhost all all {allow} trust\n")

    @property
    def url(self) -> str:
        """Of the server's own database."""
        return f"postgresql+psycopg://abp@/postgres?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as a user other than root, whom it refuses."""
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*self.prefix, *as_user, str(binaries() / program), *arguments],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in self.settings.items() if value)
        options += "".join(f" -c {name}=''" for name, value in self.settings.items() if not value)
        self.run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``"fast"`` ends all transactions, ``"immediate"`` is a crash."""
        self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data))


def binaries() -> Path:
    """The folder with PostgreSQL's programs, which Debian keeps out of the search path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        raise RuntimeError("PostgreSQL is not installed (apt-get install postgresql)")
    return folders[-1]


def _in_memory() -> Path | None:
    """A folder in memory, if it is large enough: databases are made there in a tenth of the time."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > _ENOUGH else None


@contextmanager
def server(**details: Any) -> Iterator[Server]:
    """A server that runs; details as of `Server`, with settings on top of `SETTINGS`."""
    with tempfile.TemporaryDirectory(prefix="abp-pg-", dir=_in_memory(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        running = Server(folder, **details)
        running.start()
        try:
            yield running
        finally:
            running.stop("immediate")


def main() -> int:
    """Run pytest with a server and a template for the databases of its tests."""
    with server() as running:
        administer(f"CREATE DATABASE {TEMPLATE}", running.url)
        Store(beside(running.url, TEMPLATE)).database.dispose()
        environment = {**os.environ, VARIABLE: running.url}
        return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
