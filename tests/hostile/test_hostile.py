from __future__ import annotations

import gzip
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings

from abp.analysis.weight_files import FileUnreadable, read_matrices
from abp.data import idx
from tests.hostile.targets import TARGETS, _external, _onnx_promising, _safetensors_header

ALIKE = settings(
    derandomize=True,  # the same inputs each time: CI fails for what changed, not by chance
    database=None,
    deadline=None,
    max_examples=120,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_is_refused_in_a_sentence_or_harmless(name):
    hostile = TARGETS[name]

    @settings(ALIKE, max_examples=40 if hostile.share <= 0.02 else 120)
    @given(hostile.inputs)
    def meet(sent) -> None:
        hostile.target(sent)

    meet()


def test_the_targets_share_all_inputs():
    assert sum(each.share for each in TARGETS.values()) == pytest.approx(0.98)  # the live socket gets the rest


@pytest.fixture
def memory():
    """What Python takes at most from here on, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_header_that_promises_a_million_million_values_is_refused_before_memory_is_taken(tmp_path, memory):
    with pytest.raises(ValueError, match="announces"):
        idx.parse(struct.pack(">4B2I", 0, 0, 8, 2, 10**6, 10**6) + bytes(100), 2)
    for ending, header in ((".safetensors", _safetensors_header), (".onnx", _onnx_promising)):
        path = tmp_path / f"w{ending}"
        path.write_bytes(header([10**6, 10**6]) + bytes(100))
        with pytest.raises(FileUnreadable):
            read_matrices(path)
    assert memory() < 20 * 2**20


def test_a_gzip_bomb_is_not_unpacked(memory):
    bomb = gzip.compress(gzip.compress(bytes(2**27), 9), 9)  # 128 MB in a few hundred bytes
    with pytest.raises(ValueError, match="more than"):
        idx.uncompressed(gzip.decompress(bomb))
    assert memory() < 3 * idx.LARGEST


def test_a_model_does_not_make_us_read_other_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    (tmp_path / "w.onnx").write_bytes(_external("secret"))
    with pytest.raises(FileUnreadable, match="another file"):
        read_matrices(tmp_path / "w.onnx")
