"""What tests in more than one folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from abp.data.datasets import DATASETS
from abp.data.download import CHECKSUMS
from abp.pruning import criteria
from abp.pruning.criteria import CRITERIA, Criterion
from tests import databases
from tests.disks import mounted

settings.register_profile("abp", deadline=None)  # no test may depend on how fast the machine is
settings.load_profile("abp")

torch.set_num_threads(1)  # as runs do by default: the same thread count gives the same bits


LONGEST = ("browser", "dashboard", "cli", "runs", "store", "studies", "pruning", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders that take longest first, so that two processes which share the files end at about one time."""
    order = {Path(__file__).parent / folder: place for place, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: min(order.get(folder, len(order)) for folder in item.path.parents))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder with the official files of MNIST and Fashion-MNIST, or skip (in CI: fail)."""
    folder = Path(os.environ.get("ABP_DATA_DIR") or "no-ABP_DATA_DIR").absolute()
    missing = [
        f"{dataset}/{file}"
        for dataset, files in CHECKSUMS.items()
        for file in files
        if not any((folder / dataset / name).is_file() for name in (file, f"{file}.gz"))
    ]
    if missing:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"needs ABP_DATA_DIR to name a folder with the official files; missing: {', '.join(missing)}")
    return folder


@pytest.fixture(autouse=True)
def _no_data_registered_elsewhere() -> Iterator[None]:
    """Data sets registered by one test, or by a docstring, are not there for the next."""
    DATASETS.forget()
    yield
    DATASETS.forget()


@pytest.fixture
def registry() -> Iterator[dict[str, Criterion]]:
    """The criteria as they are; what a test adds to them, or has remembered, is not there for the next."""
    mine = dict(CRITERIA)
    yield mine
    for key in CRITERIA.keys() - mine.keys():
        del CRITERIA[key]
    criteria._MISSING.clear()
    criteria.BROKEN.clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of this test's own, where the database will be, unless it is on PostgreSQL."""
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "home"))
    with databases.dropped(databases.where(tmp_path / "home")) as place:
        if isinstance(place, str):
            monkeypatch.setenv("ABP_DATABASE", place)
        else:
            monkeypatch.delenv("ABP_DATABASE", raising=False)
        yield tmp_path / "home"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder) as disk:
        yield disk
