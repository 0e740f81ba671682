"""What the pages' tests share: a store of their own, and no engine."""

from __future__ import annotations

import pytest

from abp.store.store import Store


@pytest.fixture(autouse=True)
def _no_engine(home, monkeypatch) -> None:
    monkeypatch.setenv("ABP_ENGINE", "off")


@pytest.fixture
def store(home) -> Store:
    """The store that the pages of this test use, empty."""
    return Store()
