"""Weight matrices from files of other programs: safetensors, or ONNX."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from abp.errors import AbpError, quoted


class FileUnreadable(AbpError):
    """A file holds no weight matrices that can be read."""


MOST_LAYERS = 9
"""Of a network that is opened on the dashboard: eight hidden ones and the output layer."""

MOST_NEURONS = 4096
"""Of its layers, and of its inputs."""

_LONGEST = 200  # characters of a matrix's name


def read_matrices(path: Path) -> dict[str, Tensor]:
    """The weight matrices in a file; see `matrices_in`.

    Raises
    ------
    FileUnreadable
        If the file cannot be read, or holds no matrix.
    """
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror}") from error
    return matrices_in(contents, str(path))


def matrices_in(contents: bytes, name: str) -> dict[str, Tensor]:
    """Every weight matrix of a perceptron, float32 ``[out, in]`` by its name, the first layer first.

    Of safetensors those tensors that have two dimensions, in the order of their names (2 before 10), as PyTorch writes
    them, ``[out, in]``. Of ONNX those that ``Gemm`` and ``MatMul`` multiply with, in the order of the graph.

    Parameters
    ----------
    contents, name
        Of the file, whose name tells by its ending what it is: ONNX, or else safetensors.

    Raises
    ------
    FileUnreadable
        If that cannot be read, or holds no matrix.
    """
    ending = Path(name).suffix
    try:
        matrices = _from_onnx(contents) if ending.lower() == ".onnx" else _from_safetensors(contents)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise FileUnreadable(f"{name} cannot be read as {ending or 'safetensors'}: {error}") from error
    except Exception as error:  # protobuf's own errors have no common public class
        raise FileUnreadable(
            f"{name} cannot be read as {ending or 'safetensors'}: it is damaged, or another kind of file "
            f"({type(error).__name__})"
        ) from error
    if not matrices:
        raise FileUnreadable(f"{name} holds no weight matrix")
    for layer, matrix in matrices.items():
        if not matrix.numel():
            raise FileUnreadable(f"{name} holds no values in {quoted(layer)}, which is {_shape(matrix)}")
        if not bool(torch.isfinite(matrix).all()):
            raise FileUnreadable(f"{name} holds values in {quoted(layer)} that are no numbers, or beyond float32")
    return matrices


def require_small(matrices: dict[str, Tensor], name: str) -> None:
    """Refuse what is larger than a network that is opened on the dashboard.

    Raises
    ------
    FileUnreadable
        If there are more than `MOST_LAYERS` matrices, or one has more than `MOST_NEURONS` rows or columns, or a name
        that is too long to be shown.
    """
    if len(matrices) > MOST_LAYERS:
        raise FileUnreadable(
            f"{name} holds {len(matrices):,} matrices; at most {MOST_LAYERS} can be opened here, any number by abp "
            "spectra FILE"
        )
    for layer, matrix in matrices.items():
        if max(matrix.shape) > MOST_NEURONS:
            raise FileUnreadable(
                f"{quoted(layer)} in {name} is {_shape(matrix)}; at most {MOST_NEURONS:,} rows and columns can be "
                "opened here, any number by abp spectra FILE"
            )
        if len(layer) > _LONGEST:
            raise FileUnreadable(
                f"{name} holds a matrix whose name has {len(layer):,} characters; at most {_LONGEST} can be shown"
            )


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


def _from_safetensors(contents: bytes) -> dict[str, Tensor]:
    tensors = load(contents)
    names = sorted((name for name, tensor in tensors.items() if tensor.ndim == 2), key=natural_order)
    return {name: real(name, tensors[name]) for name in names}


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key by which numbers in names sort as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _from_onnx(contents: bytes) -> dict[str, Tensor]:
    graph = onnx.load(BytesIO(contents), load_external_data=False).graph
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
