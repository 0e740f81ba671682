"""Compacting: a pruned network without its dead neurons, checked, as files that other programs read."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from abp.data.datasets import load_test_set
from abp.errors import AbpError
from abp.network.live import live_network
from abp.network.mlp import Network
from abp.store.records import Run
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store

TOLERANCE = 1e-4
"""Largest difference of outputs, as a share of the largest output, that rounding may explain."""

_OPSET, _IR_VERSION = 17, 8  # of ONNX: old enough for any runtime of the last years


class NotTheSame(AbpError, ArithmeticError):
    """A compacted network computes something else than the network it was made of."""


@dataclass(frozen=True)
class Compacted:
    """A network without its dead neurons.

    Attributes
    ----------
    network
        Its live neurons: ``[live out, live in]``, ``[live out]``.
    difference
        Largest difference of any output, on all test pictures, to the masked network's.
    onnx_difference
        The same for its ONNX form, run by ONNX Runtime.
    safetensors, onnx
        Its files.
    """

    network: Network
    difference: float
    onnx_difference: float
    safetensors: bytes
    onnx: bytes


def compact(store: Store, run: Run) -> Compacted | None:
    """Leave the dead neurons out of a run's final network, and check that its outputs stay; None without weights.

    Raises
    ------
    NotTheSame
        If an output differs by more than rounding explains.
    abp.data.datasets.DataUnavailable
        If the test pictures cannot be had.
    """
    network = final_network(store, run)
    if network is None:
        return None
    live = live_network(network, recorded_masks(store, run, run.prunings)).network
    x, _ = load_test_set(run.experiment.dataset)
    expected = network(x)
    difference = _difference(expected, live(x))
    onnx = to_onnx(live)
    onnx_difference = _difference(expected, torch.from_numpy(run_onnx(onnx, x.numpy())))
    return Compacted(live, difference, onnx_difference, save(live.tensors()), onnx)


def _difference(expected: Tensor, outputs: Tensor) -> float:
    """Largest difference of two sets of outputs, if rounding explains it."""
    difference = float((expected - outputs).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise NotTheSame(
            f"The compacted network's outputs differ by up to {difference:.3g} from those of the pruned network, more "
            "than rounding explains. Nothing was written."
        )
    return difference


def to_onnx(network: Network) -> bytes:
    """A network as an ONNX model: ``pixels [batch, inputs]`` to ``logits [batch, classes]``, float32."""
    from onnx import TensorProto, checker, helper, numpy_helper  # a second's import that training does without

    nodes, constants, value = [], [], "pixels"
    for index, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        last = index == len(network.weights) - 1
        name = "output" if last else f"hidden.{index}"
        for kind, tensor in (("weight", weight), ("bias", bias)):
            constants.append(numpy_helper.from_array(tensor.numpy(), f"{name}.{kind}"))
        product = "logits" if last else f"{name}.sum"
        nodes.append(helper.make_node("Gemm", [value, f"{name}.weight", f"{name}.bias"], [product], transB=1))
        if not last:
            value = f"{name}.relu"
            nodes.append(helper.make_node("Relu", [product], [value]))
    graph = helper.make_graph(
        nodes,
        "abp",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", network.sizes[0]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", network.sizes[-1]])],
        constants,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, producer_name="ABP Lab", opset_imports=opsets, ir_version=_IR_VERSION)
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def run_onnx(model: bytes, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs ``[batch, classes]`` of an ONNX model that `to_onnx` made, by ONNX Runtime."""
    from onnxruntime import InferenceSession

    return InferenceSession(model, providers=["CPUExecutionProvider"]).run(["logits"], {"pixels": pixels})[0]
