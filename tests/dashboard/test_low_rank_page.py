"""The Low rank page: what it shows of each kind of run, and what it computes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from streamlit.testing.v1 import AppTest

from abp.analysis.low_rank import Reducible
from abp.dashboard.networks.rank_curve import curve, rank_steps
from abp.runs import worker
from abp.runs.baselines import compare
from abp.store.lineage import dense_twin
from abp.training.experiment import Experiment, dense_settings
from abp.training.trainer import Trainer
from tests.dashboard.opening import PRUNED, open_page, settled, words
from tests.recordings import trained


def open_low_rank(**link: object) -> AppTest:
    return settled(open_page("low_rank", **link))


def test_a_pruned_run_is_shown_beside_its_dense_twin_pca_and_svd(store):
    run = trained(store, PRUNED)
    dense = trained(store, dense_settings(PRUNED))
    page = open_low_rank(run=run)
    table = page.dataframe[0].value
    assert table["Network"].tolist() == ["dense", f"pruned (run {run})", "PCA", "SVD"]
    found = compare(store, store.runs.get(run))
    assert table["before fine-tuning"].tolist() == pytest.approx([100 * each.test_accuracy for each in found.baselines])
    assert store.runs.get(run).test_accuracy == pytest.approx(found.baselines[1].test_accuracy)
    assert store.runs.get(dense).test_accuracy == pytest.approx(found.baselines[0].test_accuracy)
    assert "classifies" in words(page) and "One run only" in words(page)
    assert len(page.get("vega_lite_chart")) == 2 + 2  # bars, curve, variance of each layer


def test_all_networks_are_fine_tuned_equally_at_one_click(store):
    run = trained(store, PRUNED)
    dense = trained(store, dense_settings(PRUNED))
    page = open_low_rank(run=run)
    page = settled(page.number_input[0].set_value(2).run())
    page = settled(page.button[0].click().run())
    children = store.runs.queued()
    assert sorted(child.parent for child in children) == [run, dense, dense, dense]
    assert {child.experiment.epochs for child in children} == {2}
    assert "queued, epoch 0 of at most 2" in words(page) and page.button[0].disabled
    for child in children:
        assert worker.execute(store, child.id, worker.new_owner())
    page = settled(page)
    expected = {
        child.origin if child.parent == dense else "pruned": child.test_accuracy for child in store.runs.all()[:4]
    }
    after = page.dataframe[0].value["after fine-tuning"].tolist()
    order = ["fine-tuned", "pruned", "PCA of the same rank", "SVD of the same rank"]
    assert after == pytest.approx([100 * expected[name] for name in order])
    comparison = compare(store, store.runs.get(run))
    for child in store.runs.all()[:4]:  # fine-tuned networks keep their ranks and their zeros
        found = compare(store, child)
        limits = {"PCA of the same rank": comparison.baselines[2].ranks, "SVD of the same rank": comparison.ranks}
        limit = limits.get(child.origin, comparison.ranks if child.parent == run else (20, 10))
        assert all(rank <= most for rank, most in zip(found.ranks, limit, strict=True))
    page = settled(page.number_input[0].set_value(3).run())
    assert page.dataframe[0].value["after fine-tuning"].isna().all() and not page.button[0].disabled


def test_the_slider_shows_the_accuracy_at_other_ranks(store):
    run = trained(store, PRUNED)
    trained(store, dense_settings(PRUNED))
    page = open_low_rank(run=run)
    reducible = compare(store, store.runs.get(run)).reducible
    page = settled(page.slider[0].set_value(40).run())
    assert page.metric[0].value == f"{100 * reducible.accuracy('pca', [8, 4]):.1f} %"
    assert page.metric[2].value == "8 4"
    page = settled(page.segmented_control[0].set_value("hidden 2").run())
    page = settled(page.slider[0].set_value(3).run())
    assert page.metric[1].value == f"{100 * reducible.accuracy('svd', [20, 3]):.1f} %"
    assert page.metric[2].value == "20 3"


def test_a_missing_dense_twin_is_queued_at_one_click_and_followed(store):
    run = trained(store, PRUNED)
    page = open_low_rank(run=run)
    assert page.dataframe[0].value["Network"].tolist() == [f"pruned (run {run})"]
    page = settled(page.button[0].click().run())
    twin = dense_twin(store, store.runs.get(run))
    assert twin.status == "queued" and twin.experiment == dense_settings(PRUNED)
    assert not page.button and len(store.runs.all()) == 2
    assert worker.execute(store, twin.id, worker.new_owner())
    assert len(settled(page).dataframe[0].value) == 4


def test_a_dense_run_is_its_own_twin(store):
    run = trained(store, dense_settings(PRUNED))
    page = open_low_rank(run=run)
    assert page.dataframe[0].value["Network"].tolist() == ["dense", "PCA", "SVD"]
    assert "Nothing was removed" in words(page) and not page.button


def test_a_run_of_full_rank_leaves_nothing_to_cut(store):
    settings = dataclasses.replace(PRUNED, criterion="magnitude", amount=0.2)
    run = trained(store, settings)
    trained(store, dense_settings(settings))
    page = open_low_rank(run=run)
    assert "full rank" in words(page)
    accuracies = page.dataframe[0].value["before fine-tuning"]
    assert accuracies[2] == accuracies[3] == accuracies[0]


@pytest.mark.parametrize("hidden", [(12,), (12, 1, 8)])
def test_one_hidden_layer_and_a_layer_of_one_neuron(store, hidden):
    settings = dataclasses.replace(PRUNED, hidden=hidden)
    run = trained(store, settings)
    trained(store, dense_settings(settings))
    page = open_low_rank(run=run)
    assert len(page.dataframe[0].value) == 4 and len(page.get("vega_lite_chart")) == 2 + len(hidden)


def test_the_page_says_what_it_cannot_show(store):
    assert "no runs yet" in words(open_low_rank())
    queued = store.runs.add(PRUNED)
    assert "This run is queued" in words(open_low_rank(run=queued))
    assert "Run 99 does not exist" in words(open_low_rank(run=99))
    assert "abc" in words(open_low_rank(run="abc"))
    store.commands.add(queued, "stop")
    assert "final weights" in words(open_low_rank(run=queued))


def test_pictures_that_cannot_be_had_are_asked_for_in_words(store, monkeypatch):
    run = trained(store, PRUNED)
    monkeypatch.setattr("abp.runs.baselines.load_test_set", missing)
    assert "Put the files" in words(open_low_rank(run=run))


def missing(name: str):
    from abp.data.datasets import DataUnavailable

    raise DataUnavailable("Put the files there.")


def test_a_curve_goes_from_nothing_to_the_whole_network():
    trainer = Trainer(Experiment(hidden=(20, 10), criterion="none"))
    trainer.train_epoch()
    network, data = trainer.network, trainer.data
    reducible = Reducible(network, data.test_x, data.test_y)
    for layer, own in ((None, [5, 5]), (1, [5, 7])):
        table = curve(reducible, layer, own)
        whole = table[table["rank"] == table["rank"].max()]["accuracy"]
        assert whole.tolist() == [trainer.evaluate("test").accuracy] * 2
        assert table["rank"].min() == 0
    assert 7 in table["rank"].tolist()
    with torch.no_grad():
        assert rank_steps(1, 1) == [0, 1]
