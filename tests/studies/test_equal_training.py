from __future__ import annotations

import dataclasses

import pytest

from abp.analysis.paired_statistics import signed
from abp.dashboard.studies.claims import pca_table
from abp.runs.baselines import compare
from abp.runs.fine_tuning import fine_tune
from abp.runs.worker import execute
from abp.store.repositories import leases
from abp.store.store import Store
from abp.studies import equal_training
from abp.studies.comparison import read_results, rows, run_table, table
from abp.studies.equal_training import missing_training, train_equally
from abp.studies.registry import start_study, study_runs
from abp.studies.specification import Study
from abp.studies.verdicts import fill_baselines, verdicts
from abp.training.experiment import Experiment
from tests.databases import new_store

BASE = Experiment(hidden=(20, 12), learning_rate=0.1, epochs=7, start_accuracy=0.0, stop_accuracy=1.0, patience=0)
STUDY = Study(
    datasets=("digits",), criteria=("none", "activation-neuron", "magnitude"), amounts=(0.5,), seeds=(0, 1),
    prunings=2, base=BASE,
)  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> tuple[Store, int]:
    """A study of two seeds in which all was fine-tuned that can be."""
    store = new_store(tmp_path_factory)
    number = start_study(store, STUDY)
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    fill_baselines(store, number)
    assert len(missing_training(read_results(store, number))) == 2
    told: list[tuple[int, int]] = []
    train_equally(store, number, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    return store, number


def test_each_network_is_trained_on_for_as_many_epochs_as_the_pruned_one_of_its_seed(tuned):
    store, number = tuned
    members = {(member.cell.criterion, member.seed): member.run for member in study_runs(store, number)}
    for seed in (0, 1):
        pruned, dense = members["activation-neuron", seed], members["none", seed]
        after = pruned.epoch - int(store.histories.prunings(pruned.id)["epoch"].max())
        children = [run for run in store.runs.all() if run.parent == dense.id]
        assert len(children) == 3 and after > 0
        for child in children:
            assert (child.status, child.epoch, child.stopped_by) == ("finished", after, "epochs")
            assert child.experiment.patience == 0 and child.experiment.stop_accuracy == 1.0
    assert sum(bool(run.experiment.ranks) for run in store.runs.all()) == 4  # PCA's and SVD's are held to their ranks


def test_the_table_has_both_before_and_after_and_the_epochs_in_all(tuned):
    store, number = tuned
    results = read_results(store, number)
    row = next(row for row in rows(results) if row["criterion"] == "activation-neuron")
    runs = run_table(results)
    own = runs[runs["criterion"] == "activation-neuron"]
    for method in ("dense", "pca", "svd"):
        expected = (own["test_accuracy"] - own[f"{method}_tuned_accuracy"]).mean()
        assert row[f"difference_from_{method}_tuned"]["mean"] == pytest.approx(expected)
        assert row[f"difference_from_{method}_tuned"]["n"] == 2
    assert row["difference_from_pca"]["n"] == 2 and row["epochs_mean"] == 7
    assert row["dense_epochs_tuned_mean"] == 7 + row["epochs_after_mean"] == 7 + own["epochs_after"].mean()
    others = [row for row in rows(results) if row["criterion"] != "activation-neuron"]
    assert all(row["difference_from_dense_tuned"]["n"] == 0 for row in others)


def test_claims_and_their_table_tell_of_it(tuned):
    store, number = tuned
    results = read_results(store, number)
    found = next(verdict for verdict in verdicts(results) if verdict.claim == 3)
    runs = run_table(results)
    own = runs[runs["criterion"] == "activation-neuron"]
    expected = (own["test_accuracy"] - own["pca_tuned_accuracy"]).mean()
    assert found.beside["accuracy against PCA, equally trained"].mean == pytest.approx(expected)
    shown = pca_table(table(results)).iloc[0]
    assert shown["Equally trained"].startswith(signed(100 * expected))


def test_nothing_is_fine_tuned_twice(tuned):
    store, number = tuned
    before = len(store.runs.all())
    train_equally(store, number)
    assert missing_training(read_results(store, number)) == [] and len(store.runs.all()) == before


def test_a_network_whose_worker_died_is_trained_by_the_next(home, monkeypatch):
    store = Store()
    number = start_study(store, dataclasses.replace(STUDY, criteria=("none", "activation-neuron"), seeds=(0,)))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    (run,) = missing_training(read_results(store, number))
    last = int(store.histories.prunings(run.id)["epoch"].max())
    fine_tune(store, run, compare(store, run), run.epoch - last)
    with monkeypatch.context() as patch:
        patch.setattr(leases, "LEASE", -1.0)
        assert store.leases.claim(store.runs.queued()[0].id, "a worker that is gone")
    train_equally(store, number)
    assert missing_training(read_results(store, number)) == []


def test_a_network_that_is_deleted_meanwhile_is_left_out_and_made_again_the_next_time(home, monkeypatch):
    store = Store()
    number = start_study(store, dataclasses.replace(STUDY, criteria=("none", "activation-neuron"), seeds=(0,)))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")

    def delete(store: Store, run: int, owner: str) -> bool:
        store.runs.delete(run)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(equal_training, "execute", delete)
        train_equally(store, number)
    assert len(missing_training(read_results(store, number))) == 1
    train_equally(store, number)
    assert missing_training(read_results(store, number)) == []


def test_without_a_dense_network_nothing_is_compared(home):
    store = Store()
    number = start_study(store, dataclasses.replace(STUDY, criteria=("activation-neuron",), seeds=(0,)))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    train_equally(store, number)
    assert len(store.runs.all()) == 1
