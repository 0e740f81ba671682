"""The benchmarks still run; what they measure is not asserted."""

from __future__ import annotations

import pytest

import benchmarks.__main__ as benchmarks
from benchmarks import adapters


@pytest.mark.parametrize(
    "measure", [benchmarks.training_steps, benchmarks.one_pruning, adapters.counted_steps, adapters.classifiers]
)
def test_a_benchmark_prints_its_figures(measure, real_data, monkeypatch, capsys):
    for module in (benchmarks, adapters):
        monkeypatch.setattr(module, "BLOCKS", 1)
    measure()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2 and all(line.split()[-1] for line in lines)
