"""Pictures that the models learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from abp.data.datasets import load_test_set

Pictures = tuple[Tensor, Tensor]  # float32 [samples, 1, rows, rows], int64 [samples]


def _pictures(name: str, rows: int) -> Pictures:
    x, y = load_test_set(name, download=False)
    return x[:256].view(-1, 1, rows, rows), y[:256]


@pytest.fixture(scope="session")
def digits() -> Pictures:
    """256 of scikit-learn's digits."""
    return _pictures("digits", 8)


@pytest.fixture(scope="session")
def mnist(real_data) -> Pictures:
    """256 pictures of MNIST."""
    return _pictures("mnist", 28)


@pytest.fixture(params=["digits", "mnist"])
def pictures(request: pytest.FixtureRequest) -> Pictures:
    """Each of the two in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Start each test from the same random numbers."""
    torch.manual_seed(0)
