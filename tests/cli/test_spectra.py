from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import save_file


def abp(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "abp", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def test_any_file_of_weights_is_compared_with_chance_without_a_run(tmp_path):
    weights = [torch.randn(30, 20), torch.randn(10, 3) @ torch.randn(3, 30)]
    save_file({f"hidden.{index}.weight": weight for index, weight in enumerate(weights)}, tmp_path / "net.safetensors")
    done = abp("spectra", tmp_path / "net.safetensors", "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["layers"]
    for layer, weight in zip(found, weights, strict=True):
        assert layer["shape"] == list(weight.shape)
        expected = np.linalg.svd(weight.double().numpy(), compute_uv=False)
        assert np.allclose(layer["singular_values"], expected, atol=1e-5)
    assert (found[1]["rank"], found[1]["shuffled_rank"]) == (3, 10)
    assert "In 1 of 2 layers the rank is lower" in done.stderr


def test_a_layer_of_equal_singular_values_is_reported_like_any_other(tmp_path):
    save_file({"same.weight": torch.eye(64)}, tmp_path / "net.safetensors")
    done = abp("spectra", tmp_path / "net.safetensors", "--json", "-")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["layers"]
    assert (found["rank"], found["tail"]) == (64, None) and "same.weight 64 x 64: rank 64" in done.stderr


def test_a_file_without_weights_is_refused_in_one_line(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    done = abp("spectra", tmp_path / "text.onnx")
    assert done.returncode == 2 and "text.onnx cannot be read" in done.stderr and "Traceback" not in done.stderr
