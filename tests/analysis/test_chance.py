from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from abp.analysis.chance import TAIL, against_chance, explanation, marchenko_pastur_edge, power_law_tail, shuffle
from abp.analysis.weight_files import FileUnreadable, read_matrices


def source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_random_weights_end_at_the_edge_and_are_told_as_random():
    """The law itself: the largest singular value of a large random matrix is its edge, to a per cent or so."""
    weight = 0.3 * torch.randn(600, 400, generator=source())
    largest = np.linalg.svd(weight.double().numpy(), compute_uv=False)[0]
    assert marchenko_pastur_edge(weight) == pytest.approx(largest, rel=0.02)
    found = against_chance(weight, source())
    assert found.above <= 5 and not found.poor and found.rank == found.shuffled_rank == 400


def test_what_was_learned_rises_above_the_edge():
    direction = torch.outer(torch.ones(200), torch.ones(100))
    weight = torch.randn(200, 100, generator=source()) + 2 * direction
    found = against_chance(weight, source())
    assert found.above == 1
    centred = torch.randn(200, 100, generator=source()) + 3 * torch.outer(
        torch.randn(200, generator=source()).sign(), torch.randn(100, generator=source()).sign()
    )
    found = against_chance(centred, source())
    assert found.above == 1 and found.values[0] > 5 * found.shuffled[0] and not found.poor


def test_a_rank_below_that_of_shuffled_weights_is_no_chance():
    low = torch.randn(40, 3, generator=source()) @ torch.randn(3, 30, generator=source())
    found = against_chance(low, source())
    assert (found.rank, found.shuffled_rank) == (3, 30)


def test_only_the_live_part_counts():
    weight = torch.zeros(50, 40)
    weight[:10, :20] = torch.randn(10, 20, generator=source())
    assert marchenko_pastur_edge(weight) == pytest.approx(marchenko_pastur_edge(weight[:10, :20]))
    assert against_chance(weight, source()).shuffled_rank == 10
    assert marchenko_pastur_edge(torch.zeros(50, 40)) == 0
    assert against_chance(torch.zeros(50, 40), source()).above == 0


def test_shuffled_weights_are_the_same_in_the_kept_places():
    mask = torch.rand(30, 20, generator=source()) > 0.7
    weight = torch.randn(30, 20, generator=source()) * mask
    mixed = shuffle(weight, source())
    assert not mixed[~mask].any() and torch.equal(mixed[mask].sort().values, weight[mask].sort().values)
    assert not torch.equal(mixed[mask], weight[mask])


def test_a_sparse_matrix_with_a_few_long_rows_is_said_to_fit_poorly():
    mask = torch.rand(200, 200, generator=source()) < 0.005
    mask[:3] = True
    weight = torch.randn(200, 200, generator=source())
    assert against_chance(weight * mask, source()).poor


@pytest.mark.parametrize("exponent", [1.5, 3, 8])
def test_the_exponent_of_a_power_law_is_found(exponent):
    pytest.importorskip("powerlaw")
    # Squared values with density ~ x^-exponent: the inverse of the distribution function at even steps.
    squares = (1 - (np.arange(500) + 0.5) / 500) ** (-1 / (exponent - 1))
    tail = power_law_tail(np.sqrt(np.sort(squares)[::-1]))
    assert tail.alpha == pytest.approx(exponent, rel=0.05) and tail.values >= TAIL and tail.distance < 0.05
    assert power_law_tail(np.ones(TAIL - 1)) is None


@pytest.mark.parametrize(
    ("weight", "ranks"),
    [
        (torch.eye(64), 64),
        (torch.diag(torch.tensor([1.0] * 80 + [2.0])), 81),
        (torch.linalg.qr(torch.randn(64, 64, generator=source()))[0], 64),
        (torch.zeros(64, 64), 0),
        (torch.arange(1.0, 65.0)[None], 1),
        (torch.arange(1.0, 65.0)[:, None], 1),
    ],
    ids=["identity", "two values", "orthogonal", "zeros", "a row", "a column"],
)
def test_layers_whose_values_have_no_tail_have_none(weight, ranks):
    found = against_chance(weight, source())
    assert (found.rank, found.shuffled_rank, found.tail) == (ranks, ranks, None)


def test_rounding_errors_are_no_tail():
    low = torch.randn(200, 3, generator=source()) @ torch.randn(3, 200, generator=source())
    found = against_chance(low, source())
    assert found.rank == 3 and (found.values > 0).sum() > TAIL and found.tail is None


def test_the_sentence_says_of_each_rank_what_chance_leaves_of_it():
    full = torch.randn(40, 30, generator=source())
    lower = torch.randn(40, 3, generator=source()) @ torch.randn(3, 30, generator=source())
    as_low = torch.zeros(40, 30)
    as_low[:10] = full[:10]
    sparse = torch.zeros(200, 200).fill_diagonal_(1.0)
    sparse[:3] = torch.randn(3, 200, generator=source())

    def said(*weights: torch.Tensor) -> str:
        return explanation([against_chance(weight, source()) for weight in weights])

    assert said(full, full).startswith("In every layer the rank is full. ") and "order" not in said(full)
    assert said(lower).startswith("In every layer the rank is lower than that of the same weights in random order, so")
    assert said(as_low).startswith("In every layer the rank is low, but no lower than that of the same weights in ran")
    assert "follows from which weights are left" in said(as_low) and "makes it low" not in said(as_low)
    assert said(torch.zeros(4, 4)).startswith("In every layer the rank is low, but no lower")
    mixed = said(full, lower, as_low, full)
    assert mixed.startswith("In 1 of 4 layers the rank is lower than")
    assert (
        "; in 1 of 4 layers the rank is low, but no lower" in mixed and "; in 2 of 4 layers the rank is full." in mixed
    )
    assert "poorly" not in mixed
    assert said(sparse).endswith("cannot be said: the Marchenko-Pastur law fits poorly in every layer.")
    one = full + 3 * torch.outer(torch.ones(40), torch.tensor([1.0, -1.0]).repeat(15))
    assert said(one, sparse).endswith(
        " 1 singular value rises above what random weights would give, not counting 1 of 2 layers, where the "
        "Marchenko-Pastur law fits poorly."
    )
    assert said(torch.eye(8)).endswith(" No singular values rise above what random weights would give.")


# Files of other programs


def layers() -> list[torch.Tensor]:
    return [torch.randn(9, 7, generator=source()), torch.randn(4, 9, generator=source())]


def test_matrices_of_safetensors_come_in_the_order_of_their_numbers(tmp_path):
    first, second = layers()
    names = {"net.10.weight": second, "net.2.weight": first, "net.2.bias": torch.zeros(9)}
    save_file(names, tmp_path / "some.safetensors")
    found = read_matrices(tmp_path / "some.safetensors")
    assert list(found) == ["net.2.weight", "net.10.weight"]
    assert torch.equal(found["net.2.weight"], first)


def onnx_file(path, weights: list[torch.Tensor], *, transposed: bool = True) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w0"], ["h"], transB=int(transposed)),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "w1"], ["y"], transB=int(transposed)),
        ],
        "perceptron",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weight.numpy(), name) for weight, name in zip(weights, ("w0", "w1"), strict=True)],
    )
    onnx.save(helper.make_model(graph), path)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("name", ["some.onnx", "SOME.ONNX"])
def test_matrices_of_onnx_are_out_by_in_whichever_way_they_are_stored(tmp_path, transposed, name):
    first, second = layers()
    stored = [weight if transposed else weight.t().contiguous() for weight in (first, second)]
    onnx_file(tmp_path / name, stored, transposed=transposed)
    found = read_matrices(tmp_path / name)
    assert [torch.equal(a, b) for a, b in zip(found.values(), (first, second), strict=True)] == [True, True]


def test_complex_numbers_are_refused_by_name_and_type(tmp_path):
    first, second = layers()
    save_file({"a": first, "b": second.to(torch.complex64)}, tmp_path / "some.safetensors")
    with pytest.raises(FileUnreadable, match=r"some\.safetensors .*'b' holds complex numbers \(complex64\)"):
        read_matrices(tmp_path / "some.safetensors")
    onnx_file(tmp_path / "some.onnx", [first.to(torch.complex128), second])
    with pytest.raises(FileUnreadable, match=r"some\.onnx .*'w0' holds complex numbers \(complex128\)"):
        read_matrices(tmp_path / "some.onnx")


@pytest.mark.parametrize("name", ["none.safetensors", "bad.safetensors", "bad.onnx", "empty.safetensors"])
def test_what_cannot_be_read_is_named(tmp_path, name):
    path = tmp_path / name
    if name.startswith("bad"):
        path.write_bytes(b"no weights at all")
    if name.startswith("empty"):
        save_file({"bias": torch.zeros(3)}, path)
    with pytest.raises(FileUnreadable, match=name):
        read_matrices(path)
