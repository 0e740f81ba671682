"""Networks as they were recorded, against the accuracies that training noted at the same moments."""

import pytest

from abp.data.datasets import load_test_set
from abp.network.evaluation import evaluate
from abp.network.masks import sparsity
from abp.store.snapshots import moments, snapshot
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.recordings import trained

PRUNED = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.6, prunings=2, start_accuracy=0.05, stop_accuracy=0.06,
    epochs=9,
)  # fmt: skip


@pytest.fixture
def store(home) -> Store:
    return Store()


def test_every_recorded_network_has_the_accuracy_and_sparsity_noted_at_its_moment(store):
    run = store.runs.get(trained(store, PRUNED))
    x, y = load_test_set("digits")
    found = {moment.name: snapshot(store, run, moment) for moment in moments(store, run)}
    assert list(found) == ["start", "before 1", "after 1", "before 2", "after 2", "end"]

    def accuracy(name: str) -> float:
        return evaluate(found[name].network, x, y).accuracy

    rows = store.histories.prunings(run.id)
    previous = 0.0
    for row in rows.itertuples():
        assert accuracy(f"before {row.number}") == pytest.approx(row.test_accuracy_before)
        assert accuracy(f"after {row.number}") == pytest.approx(row.test_accuracy_after)
        assert sparsity(found[f"before {row.number}"].masks) == pytest.approx(previous)
        assert sparsity(found[f"after {row.number}"].masks) == pytest.approx(row.sparsity)
        previous = row.sparsity
    assert accuracy("end") == pytest.approx(run.test_accuracy)
    for recorded in found.values():
        for weight, mask in zip(recorded.network.weights, recorded.masks, strict=False):
            assert not weight[~mask].any()
    assert rows["neurons_removed"].sum() > 0  # else nothing was folded


def test_a_run_that_keeps_only_its_ends_still_has_its_masks(store):
    run = store.runs.get(trained(store, PRUNED, keep="ends"))
    found = {moment.name: snapshot(store, run, moment) for moment in moments(store, run)}
    assert [name for name, recorded in found.items() if recorded.network is not None] == ["start", "end"]
    assert sparsity(found["after 2"].masks) == pytest.approx(run.sparsity)


def test_a_run_that_has_not_begun_has_no_moments(store):
    assert moments(store, store.runs.get(store.runs.add(PRUNED))) == []
