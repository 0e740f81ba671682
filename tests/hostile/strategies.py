"""Hostile values: what somebody might send who wants the program to break, or who only slipped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from abp.training.experiment import Experiment, settings
from abp.training.setting import Setting

MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![](http://192.0.2.1/x.png)",
    "[x](javascript:alert(1))", "$\\frac{1}{0}$", "`code`", "# heading", ":material/delete:", "&lt;b&gt;",
    "=1+1|' /C calc'!A0", "'; DROP TABLE runs;--", "../../../etc/passwd", "..\\..\\x", "/dev/zero", "C:\\con",
    "a/b\\c", "%00", "{{7*7}}", "${HOME}", "\u202egnp.exe", "\u200f\u05d0\u05d1", "\ufeff", "x\x00y",
    "\x1b[31mred", "line\nbreak\r\n", "\ud800", "\U0001f9e0" * 30, "a\u0301" * 150, "x" * 10_240, " " * 300, "",
    "NaN", "-0", "1e999", "0x10", "1_000", "\u0661\u0662", "9" * 5000, "[" * 5000, "true", "null",
)  # fmt: skip
"""Texts that have broken programs before: markup, paths, control characters, directional marks, lengths, numbers."""

texts = st.one_of(
    st.sampled_from(MARKUP),
    st.text(st.characters(codec=None), max_size=60),
    st.lists(st.sampled_from(MARKUP), min_size=2, max_size=3).map("".join),
)

numbers: SearchStrategy[object] = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**400, 2**31, 2**63, True, False, math.nan, -math.inf, -0.0, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
)

# Of more digits than Python writes, so that neither Hypothesis nor a message can show them; and numbers of other kinds.
odd_numbers: SearchStrategy[object] = st.one_of(
    st.just(5000).map(lambda digits: 10**digits),
    st.just(5000).map(lambda digits: Fraction(-(10**digits), 3)),
    st.sampled_from([np.int64(5), np.float32(0.5), np.bool_(True), np.float64("nan"), Fraction(1, 3), 1j]),
)


def _nested(scalars: SearchStrategy[object]) -> SearchStrategy[object]:
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
        max_leaves=6,
    )


json_values = _nested(st.one_of(numbers, texts, st.none()))

values: SearchStrategy[object] = st.one_of(
    json_values, odd_numbers, st.binary(max_size=8), st.lists(st.one_of(numbers, odd_numbers), max_size=4).map(tuple)
)


def _usual(name: str, setting: Setting) -> SearchStrategy[object]:
    """Values that a setting takes, so that what is hostile is met behind the first check too."""
    default = getattr(Experiment, name)
    if setting.choices:
        return st.sampled_from(sorted(setting.choices))
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, tuple):
        return st.lists(st.integers(0, 50), max_size=4).map(tuple)
    assert setting.low is not None and setting.high is not None
    if isinstance(default, int):
        return st.integers(int(setting.low), int(setting.high))
    return st.floats(float(setting.low), float(setting.high))


def _settings(hostile: SearchStrategy[object]) -> SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(_usual(name, setting), hostile) for name, setting in settings().items()}
    )


given_settings = _settings(values)

_ordinary = Experiment(hidden=(5,), seed=3).to_json()

json_texts = st.one_of(
    _settings(json_values).map(json.dumps),
    st.dictionaries(texts, json_values, max_size=3).map(json.dumps),
    st.sampled_from(
        ["[" * 100_000, '{"a":' * 50_000, "{" + '"seed": 1, ' * 5, "1" * 6000, "NaN", '"\\ud800"', "[]", ""]
    ),
    st.tuples(st.integers(0, len(_ordinary)), texts).map(
        lambda cut: _ordinary[: cut[0]] + cut[1] + _ordinary[cut[0] :]
    ),
    texts,
)


def mutated(seeds: list[bytes]) -> SearchStrategy[bytes]:
    """One of these files: cut, with bytes changed, with parts doubled, or with something else appended."""

    def damage(source: bytes, edits: list[tuple[int, bytes, int]]) -> bytes:
        for place, put, cut in edits:
            at = place % (len(source) + 1)
            source = source[:at] + put + source[at + cut :]
        return source

    edit = st.tuples(
        st.integers(0, 2**16),
        st.one_of(
            st.binary(max_size=8), st.sampled_from([b"\xff" * 8, b"\x00" * 8, b"\x00\x00\x00\x80", b"\x7f\xff\xff\xff"])
        ),
        st.one_of(st.integers(0, 8), st.just(2**30)),
    )
    return st.builds(damage, st.sampled_from(seeds), st.lists(edit, max_size=4))


def file_with(header: Callable[[list[int]], bytes]) -> SearchStrategy[bytes]:
    """A file whose header promises sizes that it does not hold, such as 10^12 values."""
    size = st.one_of(st.integers(0, 70), st.sampled_from([0, 2**16, 2**31 - 1, 2**31, 2**32 - 1]))
    return st.builds(lambda sizes, rest: header(sizes) + rest, st.lists(size, max_size=4), st.binary(max_size=40))
