"""What the pages' tests share: a store of their own, no engine, and charts that are compared with their schema."""

from __future__ import annotations

import pytest

from abp.dashboard.charts import widgets
from abp.store.store import Store


@pytest.fixture(autouse=True)
def _no_engine(home, monkeypatch) -> None:
    monkeypatch.setenv("ABP_ENGINE", "off")


@pytest.fixture(autouse=True)
def _validated_charts(monkeypatch) -> None:
    monkeypatch.setattr(widgets, "VALIDATE", True)


@pytest.fixture
def store(home) -> Store:
    """The store that the pages of this test use, empty."""
    return Store()
