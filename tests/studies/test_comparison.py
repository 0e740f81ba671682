from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load
from scipy import stats

from abp.runs.baselines import compare
from abp.runs.worker import execute
from abp.store.store import Store
from abp.studies.comparison import read_results, rows, run_table, table
from abp.studies.registry import start_study, study_progress, study_runs
from abp.studies.specification import Study
from abp.studies.verdicts import fill_baselines, missing_baselines, study_result, verdicts
from abp.training.experiment import Experiment
from tests.databases import POSTGRESQL, copy_of, new_store
from tests.rows import change_run

BASE = Experiment(hidden=(20, 12), learning_rate=0.1, epochs=8, start_accuracy=0.3, stop_accuracy=0.9, patience=0)
STUDY = Study(
    datasets=("digits",),
    criteria=("none", "activation", "activation-neuron", "magnitude"),
    amounts=(0.5, 0.7),
    seeds=(0, 1, 2),
    prunings=2,
    nuclear=(0.01,),
    base=BASE,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Store, int]:
    """A small study with all its runs finished."""
    store = new_store(tmp_path_factory)
    number = start_study(store, STUDY)
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    return store, number


def weights(store: Store, run: int, moment: str = "final") -> dict[str, np.ndarray]:
    return load(store.weights.get(run, moment))


def measures(store: Store, number: int) -> list[str]:
    """What is measured of each run, whichever comes first; arrays cannot be compared as they are."""
    return [f"{run}: {found!r}" for run, found in sorted(read_results(store, number).measures.items())]


def changed(store: Store, folder: Path, statement: str) -> Store:
    """A copy of a store in which something was changed by hand."""
    copy = Store(copy_of(store, folder))
    with copy.transaction() as connection:
        connection.exec_driver_sql(statement)
    return copy


def test_measures_are_recorded_as_a_run_ends(trained, tmp_path):
    store, number = trained
    without = changed(store, tmp_path, "DELETE FROM weights")  # nothing to compute them from
    expected, found = read_results(store, number).measures, read_results(without, number).measures
    assert len(found) == len(expected) == 24
    for run, measures in found.items():
        assert repr(measures) == repr(expected[run])
        assert measures.latency > 0 and measures.latency_ratio > 0


def test_runs_that_an_earlier_version_finished_are_measured_once(trained, tmp_path):
    store, number = trained
    old = changed(store, tmp_path, "DELETE FROM measures")
    expected, found = read_results(store, number).measures, read_results(old, number).measures
    assert found.keys() == expected.keys()
    for run, measures in found.items():
        timed = {"latency": expected[run].latency, "latency_ratio": expected[run].latency_ratio}
        assert repr(dataclasses.replace(measures, **timed)) == repr(expected[run])
    assert repr(read_results(old, number).measures) == repr(found)  # latencies too: nothing was measured again


def test_summaries_of_an_earlier_version_get_what_chance_would_give(trained, tmp_path):
    store, number = trained
    fewer = "json_remove(numbers, '$.shuffled_ranks', '$.above_edge')"
    if POSTGRESQL:
        fewer = "(numbers::jsonb - 'shuffled_ranks' - 'above_edge')::json"
    old = changed(store, tmp_path, f"UPDATE measures SET numbers = {fewer}")
    expected = measures(store, number)
    assert measures(old, number) == expected
    with old.transaction() as connection:  # recorded: the weights are needed once only
        connection.exec_driver_sql("DELETE FROM weights")
    assert measures(Store(old.database.kind), number) == expected


def test_each_run_has_a_row_with_what_its_weights_show(trained):
    store, number = trained
    found = run_table(read_results(store, number))
    assert len(found) == 3 * (1 + 1 + 3 * 2) and found["counts"].all()
    for row in found.itertuples():
        run, tensors = store.runs.get(row.run), weights(store, row.run)
        hidden = [tensors[f"hidden.{layer}.weight"] for layer in range(2)]
        experiment = run.experiment
        assert (experiment.dataset, experiment.criterion, experiment.seed) == (row.dataset, row.criterion, row.seed)
        assert row.ranks == [np.linalg.matrix_rank(weight) for weight in hidden]
        for weight, shuffled_rank, above in zip(hidden, row.shuffled_ranks, row.above_edge, strict=True):
            live = weight[(weight != 0).any(axis=1)][:, (weight != 0).any(axis=0)]
            edge = np.sqrt((live**2).mean()) * (np.sqrt(live.shape[0]) + np.sqrt(live.shape[1]))
            assert above == (np.linalg.svd(weight, compute_uv=False) > edge).sum()
            assert np.linalg.matrix_rank(weight) <= shuffled_rank <= min(live.shape)
        assert row.density == pytest.approx([(weight != 0).mean() for weight in hidden])
        assert row.live_neurons == [(weight != 0).any(axis=1).sum() for weight in hidden]
        assert row.flops == 2 * sum((weight != 0).sum() for weight in hidden)
        assert (row.test_accuracy, row.sparsity, row.epochs) == (run.test_accuracy, run.sparsity, run.epoch)


def test_a_row_s_means_and_paired_differences_are_those_of_its_runs(trained):
    store, number = trained
    results = read_results(store, number)
    runs = run_table(results)
    accuracy = runs.pivot(index="seed", columns=["criterion", "amount", "nuclear"], values="test_accuracy")
    for row in rows(results):
        of_cell = runs[
            (runs.criterion == row["criterion"]) & (runs.amount == row["amount"]) & (runs.nuclear == row["nuclear"])
        ]
        own = accuracy[row["criterion"], row["amount"], row["nuclear"]]
        assert (row["seeds"], row["requested"]) == (3, row["amount"])
        assert row["test_accuracy_mean"] == pytest.approx(own.mean())
        assert row["test_accuracy_std"] == pytest.approx(own.std())
        assert row["sparsity_mean"] == pytest.approx(of_cell.sparsity.mean())
        assert row["epochs_mean"] == pytest.approx(of_cell.epochs.mean())
        assert row["ranks"] == pytest.approx(np.mean(of_cell.ranks.tolist(), axis=0))
        assert row["parameters"] == pytest.approx(of_cell.parameters.mean())
        dense = accuracy["none", 0.0, 0.0]
        check_paired(row["difference_from_dense"], own, dense)
        if row["criterion"] == "none":
            assert row["difference_from_magnitude"] == {"mean": None, "low": None, "high": None, "n": 0}
            assert (row["compression_ratio"], row["speed_up"], row["sparsity_mean"]) == (1, 1, 0)
        else:
            check_paired(row["difference_from_magnitude"], own, accuracy["magnitude", row["amount"], 0.0])
            dense_parameters = 64 * 20 + 20 + 20 * 12 + 12 + 12 * 10 + 10
            assert row["compression_ratio"] == pytest.approx((dense_parameters / of_cell.parameters).mean())
            assert row["speed_up"] > 1
            assert row["sparsity_mean"] == pytest.approx(row["amount"], abs=0.05)


def check_paired(found: dict, first: pd.Series, second: pd.Series) -> None:
    differences = (first - second).to_numpy()
    assert (found["mean"], found["n"]) == (pytest.approx(differences.mean()), 3)
    half = stats.t.ppf(0.975, 2) * stats.sem(differences) if np.ptp(differences) > 1e-12 else 0.0
    half = max(half, 1 / 720)  # half a picture of 360
    low, high = differences.mean() - half, differences.mean() + half
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))


def test_the_table_has_a_row_per_cell_and_differences_as_columns(trained):
    store, number = trained
    found = table(read_results(store, number))
    assert list(zip(found.criterion, found.amount, found.nuclear, strict=True)) == [
        (cell.criterion, cell.amount, cell.nuclear) for cell in STUDY.cells()
    ]
    assert {"difference_from_dense_mean", "difference_from_magnitude_low", "difference_from_dense_n"} <= {*found}


def test_seeds_share_initial_weights_and_data_order_across_criteria(trained):
    store, number = trained
    for seed in STUDY.seeds:
        members = [member for member in study_runs(store, number) if member.seed == seed]
        assert len({store.weights.get(member.run.id, "initial") for member in members}) == 1
        # With the same data order the first epoch, before any pruning, is the same to the bit.
        unpruned = [member for member in members if not member.cell.nuclear]
        assert len({store.histories.epoch_counts(member.run.id)[0][2] for member in unpruned}) == 1
        assert len({store.histories.epochs(member.run.id)["train_loss"][0] for member in unpruned}) == 1
    first = [member.run.id for member in study_runs(store, number) if member.cell.criterion == "none"]
    assert len({store.weights.get(run, "initial") for run in first}) == 3  # and seeds differ


def test_baselines_are_computed_once_for_the_judged_criteria_and_kept(trained, monkeypatch):
    store, number = trained
    missing = missing_baselines(read_results(store, number))
    assert {run.experiment.criterion for run in missing} <= {"activation", "activation-neuron"}
    told = []
    fill_baselines(store, number, lambda done, total: told.append((done, total)))
    assert told == [(index, len(missing)) for index in range(1, len(missing) + 1)]
    monkeypatch.setattr("abp.runs.baselines.compare", None)  # never again
    fill_baselines(store, number)
    assert missing_baselines(read_results(store, number)) == []
    found = run_table(read_results(store, number))
    known = store.baselines.all()
    monkeypatch.undo()
    for row in found[found.criterion == "activation"].itertuples():
        expected = {each.method: each.test_accuracy for each in compare(store, store.runs.get(row.run)).baselines}
        assert (row.pca_accuracy, row.svd_accuracy) == (expected["pca"], expected["svd"])
        assert known[row.run] == {"pca": expected["pca"], "svd": expected["svd"]}


def test_the_four_claims_are_judged_for_both_ways_of_activation_pruning_apart(trained):
    store, number = trained
    fill_baselines(store, number)
    results = read_results(store, number)
    found = verdicts(results)
    assert [(each.criterion, each.amount, each.claim) for each in found] == [
        (criterion, amount, claim)
        for amount in (0.5, 0.7)
        for criterion in ("activation", "activation-neuron")
        for claim in ((1, 2, 3, 4, 5) if criterion == "activation" else (1, 2, 3, 4))  # 5: against magnitude
    ]
    runs = run_table(results)
    for verdict in found:
        own = runs[(runs.criterion == verdict.criterion) & (runs.amount == verdict.amount)].set_index("seed")
        dense = runs[(runs.criterion == "none") & (runs.nuclear == 0)].set_index("seed")
        magnitude = runs[(runs.criterion == "magnitude") & (runs.amount == verdict.amount)].set_index("seed")
        assert verdict.words
        if verdict.claim == 1:
            assert verdict.interval.mean == pytest.approx((own.test_accuracy - dense.test_accuracy).mean())
        if verdict.claim == 2:
            sums = own.ranks.map(sum) - magnitude.ranks.map(sum)
            assert verdict.interval.mean == pytest.approx(sums.mean())
        if verdict.claim == 3:
            assert verdict.interval.mean == pytest.approx((own.test_accuracy - own.pca_accuracy).mean())
            assert verdict.beside["accuracy against SVD"].mean == pytest.approx(
                (own.test_accuracy - own.svd_accuracy).mean()
            )
        if verdict.interval is not None:
            assert verdict.seeds == 3


def test_the_json_is_that_of_the_design(trained):
    store, number = trained
    found = json.loads(json.dumps(study_result(store, number), allow_nan=False))
    keys = {
        "dataset", "criterion", "amount", "seeds", "sparsity_mean", "test_accuracy_mean", "test_accuracy_std",
        "difference_from_magnitude",
    }  # fmt: skip
    assert all(row.keys() >= keys for row in found["rows"])
    assert all(row["difference_from_magnitude"].keys() >= {"mean", "low", "high"} for row in found["rows"])
    assert {claim["claim"] for claim in found["claims"]} == {1, 2, 3, 4, 5}
    assert {claim["verdict"] for claim in found["claims"]} <= {"supported", "not supported", "undecided"}


def test_runs_that_are_no_results_are_counted_and_shown_but_not_averaged(home):
    store = Store()
    number = start_study(store, dataclasses.replace(STUDY, amounts=(0.5,), nuclear=()))
    ends = iter(["failed", "diverged", "stopped"])
    for member in study_runs(store, number):
        if member.cell.criterion == "activation":
            change_run(store, member.run.id, status=next(ends), test_accuracy=0.1)
    results = read_results(store, number)
    (row,) = [row for row in rows(results) if row["criterion"] == "activation"]
    assert (row["failed"], row["diverged"], row["spoilt"], row["seeds"]) == (1, 1, 1, 0)
    assert row["test_accuracy_mean"] is None and row["ranks"] == []
    shown = run_table(results)
    assert list(shown[shown.criterion == "activation"].status) == ["failed", "diverged", "stopped"]
    assert {each.verdict for each in verdicts(results)} == {"undecided"}
    json.dumps(study_result(store, number), allow_nan=False)


def test_runs_that_ended_before_their_last_pruning_are_listed_but_not_averaged(trained, tmp_path):
    store, number = trained
    run = next(member.run for member in study_runs(store, number) if member.cell.criterion == "magnitude")
    store = changed(store, tmp_path, f"UPDATE runs SET scheduled_left = 1, test_accuracy = 0.0 WHERE id = {run.id}")
    results = read_results(store, number)
    row = next(row for row in rows(results) if row["criterion"] == "magnitude")
    assert (row["unreached"], row["seeds"]) == (1, 2) and row["test_accuracy_mean"] > 0.3
    shown = run_table(results).set_index("run")
    assert not shown.loc[run.id, "counts"] and shown.loc[run.id, "prunings_missing"] == 1
    assert study_progress(store, number, workers=1).shortfall == "1 ended before their last pruning"


def test_pca_is_compared_for_every_criterion_that_removes_whole_neurons(home):
    store = Store()
    criteria = ("none", "activation-neuron", "random-neuron", "magnitude", "magnitude-neuron")
    number = start_study(store, dataclasses.replace(STUDY, criteria=criteria, amounts=(0.5,), seeds=(0,), nuclear=()))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    fill_baselines(store, number)
    results = read_results(store, number)
    compared = {row["criterion"]: row["difference_from_pca"]["n"] for row in rows(results)}
    assert compared == {"none": 0, "magnitude": 0, "activation-neuron": 1, "random-neuron": 1, "magnitude-neuron": 1}
    rivals = [verdict.against for verdict in verdicts(results) if verdict.claim == 5]
    assert rivals == ["random-neuron", "magnitude-neuron"]
