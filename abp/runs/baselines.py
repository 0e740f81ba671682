"""Baselines: what PCA or SVD of the same ranks would have made of the dense network of the same settings and seed."""

from dataclasses import dataclass

from torch import Tensor

from abp.analysis.cost import cost, low_rank_cost
from abp.analysis.low_rank import METHODS, Reducible, numerical_ranks
from abp.analysis.threads import on_one_core
from abp.data.datasets import load_test_set
from abp.network.evaluation import evaluate
from abp.network.masks import full_masks
from abp.network.mlp import Network
from abp.store.lineage import dense_twin, is_dense
from abp.store.records import Run, Status
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store


@dataclass(frozen=True)
class Baseline:
    """One network of the comparison.

    Attributes
    ----------
    method
        ``"dense"``, ``"pruned"``, or a key of `abp.analysis.low_rank.METHODS`.
    ranks
        Numerical rank of every hidden layer; PCA's is one higher than its components, since it adds the mean back.
    test_accuracy
        0 to 1, without any further training.
    parameters, flops
        Weights and biases that it needs, and 2 x multiply-adds of its hidden layers per picture.
    """

    method: str
    ranks: tuple[int, ...]
    test_accuracy: float
    parameters: int
    flops: int


@dataclass(frozen=True)
class Comparison:
    """A run beside its dense twin, and what PCA and SVD make of the twin at the run's ranks.

    Attributes
    ----------
    baselines
        Those that can be had, in the order dense, pruned, pca, svd.
    reducible
        The dense network, to be reduced to any other ranks; None without one.
    ranks
        Numerical rank of each of the run's hidden layers.
    dense
        Number of the dense run; None without one.
    """

    baselines: list[Baseline]
    reducible: Reducible | None
    ranks: tuple[int, ...]
    dense: int | None


def compare(store: Store, run: Run) -> Comparison | None:
    """The comparison of an ended run, or None if its final weights are not recorded.

    Every hidden layer of the dense twin is reduced to the numerical rank of the run's layer. A dense run is its own
    twin and is not listed as pruned.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the test pictures cannot be had.
    """
    final = final_network(store, run)
    if final is None:
        return None
    sizes, ranks = run.experiment.sizes, numerical_ranks(final.weights[:-1])
    x, y = load_test_set(run.experiment.dataset)

    def plain(method: str, network: Network, masks: list[Tensor]) -> Baseline:
        spent = cost(sizes, masks)
        accuracy = evaluate(network, x, y).accuracy
        return Baseline(method, numerical_ranks(network.weights[:-1]), accuracy, spent.parameters, spent.flops)

    twin = run if is_dense(run) else dense_twin(store, run)
    dense = final_network(store, twin) if twin else None
    baselines = [] if dense is None else [plain("dense", dense, full_masks(sizes))]
    if twin is not run:
        baselines.append(plain("pruned", final, recorded_masks(store, run, run.prunings)))
    if dense is None or twin is None:
        return Comparison(baselines, None, ranks, None)
    reducible = Reducible(dense, x, y)
    for method in METHODS:
        parameters, flops = low_rank_cost(sizes, ranks, centred=method == "pca")
        reached = numerical_ranks(reducible.reduced(method, ranks).weights[:-1])
        baselines.append(Baseline(method, reached, reducible.accuracy(method, ranks), parameters, flops))
    return Comparison(baselines, reducible, ranks, twin.id)


def baseline_accuracies(store: Store, run: Run) -> dict[str, float | None]:
    """Test accuracies of ``dense``, ``pruned``, ``pca``, ``svd``; None without a dense twin or final weights.

    Of a dense run, which is its own twin at full rank, all four are its own.
    """
    found = compare(store, run)
    accuracies = {baseline.method: baseline.test_accuracy for baseline in found.baselines} if found else {}
    if is_dense(run) and accuracies:
        accuracies["pruned"] = accuracies["dense"]
    return {name: accuracies.get(name) for name in ("dense", "pruned", *METHODS)}


def baseline_of(store: Store, run: Run) -> dict[str, float]:
    """Test accuracies of a finished run's dense twin at the run's ranks, by method; empty while there is no twin.

    They are computed once, in about a second, and kept in the store.
    """
    known = store.baselines.all().get(run.id, {})
    if known or run.status != Status.FINISHED:
        return known
    with on_one_core():  # the other cores are for training
        found = compare(store, run)
    methods = {} if found is None else {each.method: each.test_accuracy for each in found.baselines}
    accuracies = {method: methods[method] for method in METHODS if method in methods}
    store.baselines.save(run.id, accuracies)
    return accuracies
