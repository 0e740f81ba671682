"""Health: what is well with this installation, what is not, and what to do about it, in plain words."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import sqlite3
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from sqlalchemy import select

from abp import logs, sign_in
from abp.errors import AbpError, listed
from abp.home import home
from abp.limits import LIMITS, limit

LITTLE, VERY_LITTLE = 2 * 10**9, 2 * 10**8
"""Bytes of free space below which a note is made, and below which it is a problem: a run saves up to 1.5 GB."""

SKEW = 5.0
"""Seconds by which two clocks may differ."""


class State(StrEnum):
    """How something stands."""

    WELL = "well"
    NOTE = "note"  # to be known; nothing need be done at once
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What was found of one subject, in a sentence, and what to do about it, if anything."""

    subject: str
    state: State
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Look at everything; what cannot be looked at is a problem, and hides nothing else."""
    found: list[Finding] = []
    for subject, look in _SUBJECTS.items():
        try:
            found += [Finding(subject, *each) for each in look()]
        except AbpError as error:
            found.append(Finding(subject, State.PROBLEM, logs.clean(str(error))))
        except Exception as error:
            sentence = f"it could not be looked at ({type(error).__name__}: {logs.clean(str(error))})"
            found.append(Finding(subject, State.PROBLEM, sentence, "Report this as a fault of the program."))
    return found


_Look = Iterator[tuple[State, str] | tuple[State, str, str]]


def _versions() -> _Look:
    wrong = []
    for requirement in _requirements():
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing ({requirement.specifier} is needed)")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is installed, {requirement.specifier} is needed")
    python = ".".join(map(str, sys.version_info[:3]))
    if wrong:
        yield State.PROBLEM, "; ".join(wrong), "Install the tested versions: make install, or pip install --upgrade ."
    else:
        yield State.WELL, f"ABP Lab {_own_version()}, Python {python}, and all packages are of tested versions"


def _torch() -> _Look:
    import torch

    total = float(torch.ones(8, 8).matmul(torch.ones(8, 8)).sum())
    if total != 512.0:
        yield State.PROBLEM, f"PyTorch {torch.__version__} adds up 512 ones to {total:g}", "Install PyTorch again."
    else:
        yield State.WELL, f"PyTorch {torch.__version__} computes; this machine has {os.cpu_count()} cores"


def _folders() -> _Look:
    place = home()
    probe = place / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"ABP")
        yield State.WELL, f"{place} can be written to"
    except OSError as error:
        yield (
            State.PROBLEM,
            f"{place} cannot be written to: {error.strerror}",
            "Free some space, or set ABP_HOME to a folder that you can write to.",
        )
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _space() -> _Look:
    free = shutil.disk_usage(home()).free
    found = f"{free / 1e9:.1f} GB are free where {home()} lies"
    if free < VERY_LITTLE:
        yield State.PROBLEM, found, "Free some space: runs cannot save their checkpoints."
    elif free < LITTLE:
        yield State.NOTE, found, "A large network's checkpoint takes up to 1.5 GB: free some space before long."
    else:
        yield State.WELL, found


def _database() -> _Look:
    from abp.store.database import database_path

    if not os.environ.get("ABP_DATABASE"):
        path = database_path()
        if not path.exists():
            yield State.WELL, f"none yet: {path} is made when it is first needed"
            return
        damage = _damage(path)
        if damage:
            yield (
                State.PROBLEM,
                f"{path} is damaged: {damage}",
                "Stop the dashboard, move the file away, and restore a backup or start with a new one.",
            )
            return
    from abp.store.store import Store

    runs = Store().runs.all()
    yield State.WELL, f"it answers and holds {len(runs):,} run{'' if len(runs) == 1 else 's'}"


def _damage(path: Path) -> str | None:
    """What SQLite finds wrong with a file, if anything; the file is not written to."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return None  # locked, or it cannot be read: opening it says which
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else str(found)


def _runs() -> _Look:
    from abp.store.database import database_path
    from abp.store.records import Status
    from abp.store.store import Store

    if not os.environ.get("ABP_DATABASE") and not database_path().exists():
        yield State.WELL, "none yet"
        return
    runs = Store().runs.all((Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.INTERRUPTED))
    counts = {status: sum(run.status == status for run in runs) for status in Status}
    words = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    if counts[Status.INTERRUPTED]:
        yield State.NOTE, words, "Open an interrupted run in the dashboard and press Resume, or delete it."
    elif counts[Status.QUEUED] and not _engines() and not os.environ.get("ABP_SCHEDULER"):
        yield State.NOTE, words, "Queued runs wait for an engine: start the dashboard with abp dashboard."
    else:
        yield State.WELL, words or "none is waiting or in training"


def _records() -> _Look:
    from abp.store.database import database_path
    from abp.store.store import Store
    from abp.studies.registry import studies

    if not os.environ.get("ABP_DATABASE") and not database_path().exists():
        yield State.WELL, "none yet"
        return
    store = Store()
    reasons = {f"run {run.id}": run.unreadable for run in store.runs.all()[::-1]}
    reasons |= {f"study {record.id}": record.unreadable for record in studies(store)[::-1]}
    wrong = {name: logs.clean(reason) for name, reason in reasons.items() if reason}
    if wrong:
        first = next(iter(wrong))
        yield (
            State.PROBLEM,
            f"{listed(wrong)} cannot be read here; {first} since {wrong[first]}",
            "Install the packages that they were made with, or delete them in the dashboard.",
        )
    else:
        yield State.WELL, "the settings of all runs and studies can be used here"


def _engine() -> _Look:
    scheduler = os.environ.get("ABP_SCHEDULER")
    if scheduler:
        yield _reached(scheduler)
        return
    found = _engines()
    if not found:
        yield State.WELL, "it is not running; it starts and ends with abp dashboard"
    elif len(found) == 1:
        yield State.WELL, f"it is running (process {found[0]})"
    else:
        yield State.NOTE, f"{len(found)} engines serve this folder", "One dashboard is enough; stop the others."


def _reached(scheduler: str) -> tuple[State, str, str] | tuple[State, str]:
    address = urlsplit(scheduler)
    try:
        with socket.create_connection((address.hostname or "", address.port or 8786), timeout=5):
            return State.WELL, f"the scheduler {scheduler} answers"
    except (OSError, ValueError) as error:
        advice = "Start it with abp scheduler, or correct ABP_SCHEDULER; queued runs wait until then."
        return State.PROBLEM, f"the scheduler {scheduler} does not answer: {error}", advice


def _engines() -> list[int]:
    """Processes of engines that serve this home folder, as far as this user may look."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[1:3] == ["-m", "abp.runs.engine"]:
            with suppress(psutil.Error):
                if process.environ().get("ABP_HOME") == str(home()):
                    found.append(process.pid)
    return found


def _data() -> _Look:
    from abp.data.datasets import DATASETS
    from abp.data.download import CHECKSUMS

    places = [home() / "data"]
    if own := os.environ.get("ABP_DATA_DIR"):
        places.append(Path(own).expanduser())
        if not places[-1].is_dir():
            yield State.PROBLEM, f"ABP_DATA_DIR names {own}, which is no folder", "Correct it, or unset it."
    present: list[str] = []
    absent: list[str] = []
    for name in DATASETS:
        files = CHECKSUMS.get(name, {})
        there = all(
            any((place / name / f"{file}{end}").is_file() for place in places for end in ("", ".gz")) for file in files
        )
        (present if there else absent).append(name)
    yield (
        State.WELL,
        f"on this machine: {', '.join(present)}"
        + (f"; downloaded when first used: {', '.join(absent)}" if absent else ""),
    )


def _criteria() -> _Look:
    from abp.pruning.criteria import BROKEN

    for name, reason in BROKEN.items():
        sentence = f"{name} could not be loaded ({logs.clean(reason)})"
        yield State.PROBLEM, sentence, "Repair the package that declares it, or uninstall it."
    if not BROKEN:
        yield State.WELL, "all that packages declare can be used"


def _clock() -> _Look:
    from abp.store.database import database_path

    now = datetime.now(UTC)
    built = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    advice = "Set this machine's clock (timedatectl set-ntp true): what is recorded names times by it."
    if now < built - timedelta(days=1):
        yield State.PROBLEM, f"it says {now:%Y-%m-%d %H:%M} UTC, before this program was installed", advice
        return
    newest = 0.0
    if os.environ.get("ABP_DATABASE") or database_path().exists():
        from abp.store.store import Store

        store = Store()
        with store.database.reading() as connection:
            apart = time.time() - float(connection.execute(select(store.database.now())).scalar_one())
        if abs(apart) > SKEW:
            yield State.NOTE, f"it is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the database's", advice
            return
        newest = max((run.created for run in store.runs.all()), default=0.0)
    if newest > time.time() + SKEW:
        yield State.PROBLEM, f"the newest run was made {newest - time.time():.0f} s in its future", advice
    else:
        yield State.WELL, f"it says {now:%Y-%m-%d %H:%M} UTC"


def _limits() -> _Look:
    given = [f"{name} = {limit(name):,.10g}" for name in LIMITS if os.environ.get(name)]
    yield State.WELL, ", ".join(given) or "as the program sets them (SECURITY.md)"


def _sign_in() -> _Look:
    if not sign_in.asked():
        yield State.WELL, "nobody has to (ABP_AUTH is not set); who may start runs: SECURITY.md"
    elif (trouble := sign_in.trouble()) is None:
        yield State.WELL, f"through the provider that {sign_in.secrets_file()} names"
    else:
        yield State.PROBLEM, f"nobody gets in: {trouble}"


def _errors() -> _Look:
    """Errors in the logs of the last day."""
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    errors = 0
    for path in logs.folder().glob("*.log"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, AttributeError):
                entry = json.loads(line)
                errors += entry.get("level") in ("error", "critical") and entry.get("time", "") > since
    if errors:
        yield State.NOTE, f"{errors} error{'' if errors == 1 else 's'} since yesterday", f"See {logs.folder()}."
    else:
        yield State.WELL, f"no error since yesterday in {logs.folder()}"


_SUBJECTS: dict[str, Callable[[], _Look]] = {
    "Versions": _versions,
    "PyTorch": _torch,
    "Folder": _folders,
    "Free space": _space,
    "Database": _database,
    "Runs": _runs,
    "Records": _records,
    "Engine": _engine,
    "Data": _data,
    "Criteria": _criteria,
    "Clock": _clock,
    "Limits": _limits,
    "Sign-in": _sign_in,
    "Logs": _errors,
}


def _requirements() -> list[Requirement]:
    """What this program needs, as it says itself: installed, or as a checkout."""
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        needed = tomllib.loads(project.read_text())["project"]["dependencies"]
    else:
        needed = metadata.requires("abp-lab") or []
    found = [Requirement(line) for line in needed]
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def _own_version() -> str:
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text())["project"]["version"])
    return metadata.version("abp-lab") if importlib.util.find_spec("abp") else "?"
