"""Networks that were trained elsewhere: read from a file, checked, and kept so that every page can look at them."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from abp.analysis.network_summary import summarise_network
from abp.analysis.weight_files import MOST_LAYERS, MOST_NEURONS, FileUnreadable, natural_order, real
from abp.data.datasets import DATASETS, load_dataset
from abp.network.activation_statistics import measure
from abp.network.evaluation import evaluate
from abp.network.masks import full_masks, live_weights
from abp.network.mlp import Network
from abp.runs.summaries import to_row
from abp.runs.worker import new_owner
from abp.store.records import ELSEWHERE, Lane, Status, pack_counts
from abp.store.store import Store
from abp.training.experiment import Experiment

_OPERATIONS = {
    "Gemm", "MatMul", "Add", "Relu", "Flatten", "Reshape", "Identity", "Softmax", "LogSoftmax", "Constant", "Dropout",
}  # fmt: skip
_TRIALS = 16  # random inputs on which an ONNX model and what was read of it must agree


def read_network(path: Path) -> Network:
    """The perceptron in a ``.safetensors`` or ``.onnx`` file.

    Of safetensors, matrices ``[out, in]`` in the order of their names, each with the bias of the same name, if there is
    one; hidden layers are taken to end in ReLU.

    Raises
    ------
    abp.analysis.weight_files.FileUnreadable
        If it holds no such network; the message says what it holds instead.
    """
    try:
        layers = _of_onnx(path) if path.suffix.lower() == ".onnx" else _of_safetensors(path)
    except ValueError as error:  # of values that are not what the file says of them
        raise FileUnreadable(f"{path.name} cannot be read: {str(error).splitlines()[0]}.") from None
    if not 2 <= len(layers) <= MOST_LAYERS:
        raise FileUnreadable(
            f"{path.name} holds {len(layers)} layers; 1 to {MOST_LAYERS - 1} hidden layers and an output layer are due."
        )
    for (name, weight, _), (after, following, _) in pairwise(layers):
        if following.shape[1] != weight.shape[0]:
            raise FileUnreadable(
                f"The layers of {path.name} do not fit: {after} takes {following.shape[1]:,} inputs, but {name} before "
                f"it has {weight.shape[0]:,} neurons. Name layers so that their order is that of their names."
            )
    for name, weight, bias in layers:
        if max(weight.shape) > MOST_NEURONS:
            raise FileUnreadable(
                f"The layer {name} is {weight.shape[0]:,} × {weight.shape[1]:,}; at most {MOST_NEURONS:,} will do."
            )
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise FileUnreadable(f"The layer {name} holds weights that are no finite numbers.")
    network = Network(tuple(each[1] for each in layers), tuple(each[2] for each in layers))
    if path.suffix.lower() == ".onnx":
        _compare(path, network)
    return network


_Layer = tuple[str, Tensor, Tensor]  # name, weight [out, in], bias [out]


def _of_safetensors(path: Path) -> list[_Layer]:
    try:
        tensors = {name: real(name, tensor) for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise FileUnreadable(f"{path.name} cannot be read as safetensors: {str(error).splitlines()[0]}.") from None
    if wide := [name for name, tensor in tensors.items() if tensor.ndim > 2]:
        raise FileUnreadable(
            f"{path.name} holds {wide[0]}, which is no matrix: only fully connected layers can be read."
        )
    layers = []
    for name in sorted((name for name, tensor in tensors.items() if tensor.ndim == 2), key=natural_order):
        weight = tensors[name].contiguous()
        bias = tensors.get(f"{name.removesuffix('weight')}bias", torch.zeros(len(weight)))
        if bias.shape != (len(weight),):
            raise FileUnreadable(f"The bias of {name} has {bias.numel():,} values for {len(weight):,} neurons.")
        layers.append((name.removesuffix(".weight"), weight, bias))
    return layers


def _of_onnx(path: Path) -> list[_Layer]:
    import onnx
    from onnx import TensorProto, numpy_helper

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # protobuf's own errors have no common public class
        raise FileUnreadable(f"{path.name} cannot be read as ONNX: {type(error).__name__}.") from None
    if any(constant.data_location == TensorProto.EXTERNAL for constant in graph.initializer):
        raise FileUnreadable(f"{path.name} keeps its weights in another file. Export it with the weights inside.")
    if unknown := sorted({node.op_type for node in graph.node} - _OPERATIONS):
        raise FileUnreadable(f"{path.name} contains {', '.join(unknown)}; only Linear layers and ReLU can be read.")
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    layers = []
    for node in graph.node:
        matrix = next((name for name in node.input[:2] if name in constants and constants[name].ndim == 2), None)
        if node.op_type not in ("Gemm", "MatMul") or matrix is None:
            continue
        transposed = any(part.name == "transB" and part.i for part in node.attribute)
        weight = real(matrix, constants[matrix] if transposed else constants[matrix].T)
        layers.append((matrix.removesuffix(".weight"), weight.contiguous(), _bias(graph, node, constants, len(weight))))
    return layers


def _bias(graph: Any, node: Any, constants: dict[str, Any], neurons: int) -> Tensor:
    """What is added to a product: Gemm's own, or by the node after it."""
    following = [after for after in graph.node if after.op_type == "Add" and node.output[0] in after.input]
    for name in (*node.input[2:], *(name for after in following for name in after.input)):
        if name in constants and constants[name].size == neurons:
            return real(name, constants[name]).reshape(neurons)
    return torch.zeros(neurons)


def _compare(path: Path, network: Network) -> None:
    """Refuse an ONNX model that computes something else than the layers that were read of it."""
    from onnxruntime import InferenceSession

    x = torch.randn(_TRIALS, network.sizes[0], generator=torch.Generator().manual_seed(0))
    try:
        session = InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        shape = [size if isinstance(size, int) else 1 for size in given.shape[1:]]
        batch = given.shape[0] if isinstance(given.shape[0], int) else _TRIALS
        parts = x.numpy().reshape(-1, batch, *shape)
        found = np.concatenate([session.run(None, {given.name: part})[0].reshape(batch, -1) for part in parts])
    except Exception as error:  # ONNX Runtime's own errors have no common public class
        raise FileUnreadable(f"{path.name} cannot be run: {str(error).splitlines()[0][:200]}.") from None
    expected = network(x)
    usual = (expected, expected.softmax(dim=1), expected.log_softmax(dim=1))
    if not any(found.shape == each.shape and np.allclose(found, each.numpy(), rtol=1e-3, atol=1e-4) for each in usual):
        raise FileUnreadable(
            f"{path.name} computes something else than Linear layers with ReLU between them, so its parts cannot be "
            "looked at here."
        )


def fitting_datasets(network: Network) -> list[str]:
    """Data sets whose samples a network can take and whose classes it can tell apart."""
    inputs, classes = network.sizes[0], network.sizes[-1]
    return [key for key, record in DATASETS.items() if (record.inputs, len(record.class_names)) == (inputs, classes)]


def add_network(store: Store, network: Network, dataset: str, source: str) -> int:
    """Keep a network beside the runs, with how it does on a data set; its number.

    It counts as a run that ended without training anything here, so no study takes it up and no run is compared with it
    as its dense twin.

    Parameters
    ----------
    source
        The file that it was read from.
    """
    hidden = tuple(network.sizes[1:-1])
    experiment = Experiment(dataset=dataset, hidden=hidden, criterion="none", epochs=1)
    data, masks = load_dataset(experiment.dataset), full_masks(experiment.sizes)
    parts = {
        "train": (data.train_x, data.train_y),
        "valid": (data.valid_x, data.valid_y),
        "test": (data.test_x, data.test_y),
    }
    metrics = {part: evaluate(network, x, y) for part, (x, y) in parts.items()}
    measured, weights = measure(network, data.train_x), save(network.tensors())
    counts, nothing = pack_counts(measured.active), pack_counts([torch.zeros_like(each) for each in measured.active])
    frame = {
        "number": 1, "made": time.time(), "epoch": 0, "batch": 0, "batches": 1, "rate": 0.0,
        "train_loss": metrics["train"].loss, "train_accuracy": metrics["train"].accuracy,
        "samples": measured.samples, "counts": counts, "epoch_samples": 0, "epoch_counts": nothing,
        "live_weights": pack_counts(live_weights(masks)), "sparsity": 0.0,
        "recent_samples": 0, "recent_counts": nothing,
    }  # fmt: skip
    row, owner = to_row(summarise_network(network, masks)), new_owner()
    with store.transaction():
        name = f"{Path(source).name[:120]} · {DATASETS[experiment.dataset].title}"[:200]
        run = store.runs.add(experiment, name=name, lane=Lane.SELF, parent=ELSEWHERE, origin=f"read from {source}"[:60])
        store.leases.claim(run, owner)
        store.histories.begin(run, owner, weights)
        store.frames.save(run, owner, frame, seconds=0.0)
        accuracies = {f"{part}_accuracy": found.accuracy for part, found in metrics.items()}
        store.runs.set_state(run, owner, **accuracies)
        store.runs.close(run, owner, Status.FINISHED, stopped_by="elsewhere", weights=weights, measures=row)
    return run
