"""Networks trained elsewhere: read as PyTorch and ONNX Runtime compute them, and kept for every page."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from abp.analysis.weight_files import FileUnreadable
from abp.data.datasets import load_dataset
from abp.runs.damage import damaged, trained_network
from abp.runs.export import compact, to_onnx
from abp.runs.uploaded_network import add_network, fitting_datasets, read_network
from abp.store.lineage import dense_twin
from abp.store.snapshots import final_network
from abp.store.store import Store
from abp.training.experiment import Experiment


@pytest.fixture
def model() -> nn.Sequential:
    """A PyTorch model for digits, as somebody else would make one."""
    torch.manual_seed(0)
    layers = [nn.Linear(64, 12), nn.ReLU(), *(part for _ in range(4) for part in (nn.Linear(12, 12), nn.ReLU()))]
    return nn.Sequential(*layers, nn.Linear(12, 10))


@pytest.fixture
def network(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    return read_network(tmp_path / "model.safetensors")


def test_a_pytorch_model_computes_the_same_from_its_file(model, network, tmp_path):
    x = load_dataset("digits").test_x
    torch.testing.assert_close(network(x), model(x).detach())
    (tmp_path / "model.onnx").write_bytes(to_onnx(network))
    torch.testing.assert_close(read_network(tmp_path / "model.onnx")(x), model(x).detach())
    assert "digits" in fitting_datasets(network)


def test_it_stands_among_the_runs_and_is_nobody_s_twin(model, network, tmp_path):
    store, data = Store(tmp_path / "abp.sqlite3"), load_dataset("digits")
    run = store.runs.get(add_network(store, network, "digits", "model.safetensors"))
    assert (
        run.status == "finished" and run.has_weights and run.from_file and run.origin == "read from model.safetensors"
    )
    outputs = model(data.test_x).argmax(1)
    assert run.test_accuracy == pytest.approx(float((outputs == data.test_y).float().mean()))
    torch.testing.assert_close(final_network(store, run)(data.test_x), model(data.test_x).detach())
    trained = trained_network(store, run)
    assert trained.counts[0].tolist() == (model[:2](data.train_x) > 0).sum(0).tolist()
    assert damaged(trained, "activation-neuron", 0.5).masks[0].float().mean() < 1
    assert compact(store, run).difference < 1e-4
    other = store.runs.get(store.runs.add(Experiment(hidden=run.experiment.hidden, criterion="magnitude")))
    assert dense_twin(store, other) is None and dense_twin(store, run) is None


def refusal(path) -> str:
    with pytest.raises(FileUnreadable) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_that_are_no_perceptron_are_refused_in_a_sentence(network, tmp_path):
    path = tmp_path / "a.safetensors"
    for tensors, words in (
        ({"a.weight": torch.zeros(3, 4)}, "holds 1 layers"),
        ({"a.weight": torch.zeros(3, 4), "b.weight": torch.zeros(2, 5)}, "b takes 5 inputs, but a before it has 3"),
        ({"a.weight": torch.zeros(3, 4, 5, 5)}, "no matrix"),
        ({"a.weight": torch.zeros(3, 4), "a.bias": torch.zeros(2), "b.weight": torch.zeros(2, 3)}, "bias of a.weight"),
        ({"a.weight": torch.full((3, 4), torch.nan), "b.weight": torch.zeros(2, 3)}, "no finite numbers"),
        ({"a.weight": torch.zeros(3, 4), "b.weight": torch.zeros(2, 3) + 1j}, "'b.weight' holds complex numbers"),
    ):
        save_file(tensors, path)
        assert words in refusal(path)
    path.write_bytes(b"nothing")
    assert "cannot be read as safetensors" in refusal(path)
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    assert refusal(tmp_path / "a.onnx")


def onnx_file(path, nodes, **constants) -> None:
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def test_an_onnx_model_that_computes_something_else_is_not_believed(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.onnx"
    a, b, bias = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=3)
    first = helper.make_node("MatMul", ["x", "a"], ["h"])
    plus = helper.make_node("Add", ["h", "bias"], ["s"])
    last = helper.make_node("MatMul", ["r", "b"], ["y"])
    onnx_file(path, [first, plus, helper.make_node("Relu", ["s"], ["r"]), last], a=a, b=b, bias=bias)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    found = read_network(path)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, np.maximum(x @ a + bias, 0) @ b, rtol=1e-4, atol=1e-5)
    onnx_file(path, [first, plus, helper.make_node("Identity", ["s"], ["r"]), last], a=a, b=b, bias=bias)
    assert "computes something else" in refusal(path)
    onnx_file(path, [first, plus, helper.make_node("Tanh", ["s"], ["r"]), last], a=a, b=b, bias=bias)
    assert "contains Tanh" in refusal(path)


def test_an_onnx_model_whose_values_are_not_what_it_says_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "a.onnx"
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    for tensor, words in (
        (TensorProto(name="w", data_type=TensorProto.COMPLEX64, dims=[2, 2], raw_data=bytes(32)), "(complex64)"),
        (TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[9, 7], raw_data=bytes(16)), "shape (9,7)"),
        (TensorProto(name="w", data_type=TensorProto.STRING, dims=[1, 1], string_data=[b"a"]), "string to float"),
    ):
        path.write_bytes(helper.make_model(helper.make_graph([node], "a", [], [], [tensor])).SerializeToString())
        assert words in refusal(path)
