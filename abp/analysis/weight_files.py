"""Weight matrices from files of other programs: safetensors, or ONNX."""

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from abp.errors import AbpError, quoted


class FileUnreadable(AbpError):
    """A file holds no weight matrices that can be read."""


def read_matrices(path: Path) -> dict[str, Tensor]:
    """Every weight matrix of a perceptron, float32 ``[out, in]`` by its name, the first layer first.

    Of safetensors those tensors that have two dimensions, in the order of their names (2 before 10), as PyTorch writes
    them, ``[out, in]``. Of ONNX those that ``Gemm`` and ``MatMul`` multiply with, in the order of the graph.

    Raises
    ------
    FileUnreadable
        If the file cannot be read, or holds no matrix.
    """
    try:
        matrices = _from_onnx(path) if path.suffix.lower() == ".onnx" else _from_safetensors(path)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise FileUnreadable(f"{path} cannot be read as {path.suffix or 'safetensors'}: {error}") from error
    except Exception as error:  # protobuf's own errors have no common public class
        raise FileUnreadable(f"{path} cannot be read: {type(error).__name__}") from error
    if not matrices:
        raise FileUnreadable(f"{path} holds no weight matrix")
    for name, matrix in matrices.items():
        if not matrix.numel():
            raise FileUnreadable(f"{path} holds no values in {quoted(name)}, which is {_shape(matrix)}")
        if not bool(torch.isfinite(matrix).all()):
            raise FileUnreadable(f"{path} holds values in {quoted(name)} that are no numbers, or beyond float32")
    return matrices


def _shape(matrix: Tensor) -> str:
    return " x ".join(map(str, matrix.shape))


def real(name: str, values: Tensor | NDArray) -> Tensor:
    """What a file holds under a name, as float32.

    Raises
    ------
    ValueError
        If its numbers are complex: their real parts alone are another matrix.
    """
    kind = str(values.dtype).removeprefix("torch.")
    if kind.startswith("complex"):
        raise ValueError(f"{quoted(name)} holds complex numbers ({kind}); only real ones can be read")
    if isinstance(values, Tensor):
        return values.float()
    with np.errstate(over="ignore"):  # what is beyond float32 is refused as infinite
        return torch.from_numpy(values.astype(np.float32))


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    tensors = load_file(path)
    names = sorted((name for name, tensor in tensors.items() if tensor.ndim == 2), key=natural_order)
    return {name: real(name, tensors[name]) for name in names}


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key by which numbers in names sort as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _from_onnx(path: Path) -> dict[str, Tensor]:
    graph = onnx.load(path, load_external_data=False).graph
    if any(constant.data_location == onnx.TensorProto.EXTERNAL for constant in graph.initializer):
        raise ValueError("its weights are in another file, which is not opened; save the model as one file")
    constants = {constant.name: constant for constant in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type not in ("Gemm", "MatMul"):
            continue
        for name in node.input[:2]:
            if name in constants and len(constants[name].dims) == 2:
                matrix = real(name, numpy_helper.to_array(constants[name]))
                transposed = any(part.name == "transB" and part.i for part in node.attribute)
                found[name] = matrix if transposed else matrix.t().contiguous()
    return found
