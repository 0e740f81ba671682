"""The benchmarks still run; what they measure is not asserted."""

from __future__ import annotations

import pytest

import benchmarks.__main__ as benchmarks


@pytest.mark.parametrize("measure", [benchmarks.training_steps, benchmarks.one_pruning])
def test_a_benchmark_prints_its_figures(measure, real_data, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "BLOCKS", 1)
    measure()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2 and all(line.split()[-1] for line in lines)
