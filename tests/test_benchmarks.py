"""The benchmarks still run; what they measure is not asserted."""

from __future__ import annotations

import numpy as np
import pytest

import benchmarks.__main__ as benchmarks
from benchmarks import adapters
from benchmarks.same_bits import differences
from benchmarks.soak import __main__ as soak
from benchmarks.soak import resume
from benchmarks.soak.lines import Line


@pytest.mark.parametrize(
    "measure", [benchmarks.training_steps, benchmarks.one_pruning, adapters.counted_steps, adapters.classifiers]
)
def test_a_benchmark_prints_its_figures(measure, real_data, monkeypatch, capsys):
    for module in (benchmarks, adapters):
        monkeypatch.setattr(module, "BLOCKS", 1)
    measure()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2 and all(line.split()[-1] for line in lines)


def test_bits_that_differ_are_named_though_the_numbers_are_equal():
    first = {"weight": np.array([0.0, 1.0], dtype=np.float32), "mask": np.array([True])}
    assert differences(first, {name: values.copy() for name, values in first.items()}) == []
    second = {"weight": np.array([-0.0, 1.0], dtype=np.float32), "mask": np.array([True]), "count": np.array([3])}
    assert differences(first, second) == ["count", "weight"]


def test_the_long_tests_print_one_table_and_say_where_a_goal_is_missed(monkeypatch, capsys):
    good, bad = Line("runs with other bits", "0", "0", True), Line("errors", "2", "0", False, "a page failed")
    monkeypatch.setattr(resume, "part", lambda moments: [good] * moments)
    assert soak.main(["resume", "--moments", "3"]) == 0
    assert capsys.readouterr().out.count("runs with other bits") == 3
    monkeypatch.setattr(resume, "part", lambda moments: [good, bad])
    assert soak.main(["resume"]) == 1
    said = capsys.readouterr().out
    assert "NO\n    a page failed" in said and "yes" in said
