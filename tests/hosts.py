"""Hosts with addresses of their own, all within this machine: network namespaces joined by a switch.

Nothing changes in the machine's own namespace: programs there that watch its interfaces, such as browsers of other
tests, do not notice.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

_WITHOUT_IPV6 = "for each in all default; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; done"
"""An IPv6 address becomes valid only after a second or two, and a browser would take that for another network."""


@dataclass(frozen=True)
class Host:
    """A host that reaches the others and itself, and nothing else."""

    name: str
    address: str

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it runs there."""
        return ["ip", "netns", "exec", self.name]

    def output(self, command: Sequence[str]) -> str:
        """What a command prints there; ``CalledProcessError`` if it fails."""
        return subprocess.run([*self.prefix, *command], check=True, capture_output=True, text=True).stdout

    def fetch(self, url: str) -> str:
        """What is served at an address, as seen from there; ``CalledProcessError`` if nothing is."""
        script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
        return self.output([sys.executable, "-c", script, url]).strip()

    def program(self, path: Path, program: str) -> Path:
        """Write a program to `path` that is `program`, run there."""
        path.write_text(f'#!/bin/sh\nexec {shlex.join([*self.prefix, program])} "$@"\n')
        path.chmod(0o755)
        return path


def obstacle() -> str | None:
    """Why this machine cannot make hosts, as far as that can be told beforehand."""
    if shutil.which("ip") is None:
        return "needs ip to make network namespaces (Debian: apt-get install iproute2)"
    return None if os.geteuid() == 0 else "needs root to make network namespaces"


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts on one wire; they, and whatever still runs in them, lose it with the end of the block.

    Raises
    ------
    CalledProcessError
        If the system allows no network namespaces.
    """
    name = f"abp-{uuid.uuid4().hex[:8]}"
    with ExitStack() as made:

        def namespace(name: str) -> str:
            _ip("netns", "add", name)
            made.callback(_ip, "netns", "delete", name)
            _ip("netns", "exec", name, "sh", "-c", _WITHOUT_IPV6)
            _ip("-n", name, "link", "set", "lo", "up")
            return name

        switch = namespace(f"{name}-switch")
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        found = [Host(namespace(f"{name}-{number}"), f"10.99.7.{number}") for number in range(1, count + 1)]
        for number, host in enumerate(found, start=1):
            _ip(
                "-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "wire", "netns", host.name
            )
            _ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "wire")
            _ip("-n", host.name, "link", "set", "wire", "up")
        for host in found:
            wait_until(lambda host=host: "state UP" in _ip("-n", host.name, "link", "show", "wire"), "for the wire")
        yield found


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
