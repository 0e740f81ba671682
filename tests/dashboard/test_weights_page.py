"""The Weights page, in every situation a run can be in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load
from streamlit.testing.v1 import AppTest

from abp.dashboard.networks import cache as reading
from abp.dashboard.networks.cache import frequencies_of, responses_of
from abp.dashboard.networks.layer_images import matrix_table
from abp.dashboard.networks.neuron_sheet import neuron_table, sorted_neurons
from abp.dashboard.networks.weights import cost_table
from abp.data.datasets import DataUnavailable, load_test_set
from abp.network.mlp import Network
from abp.runs import worker
from abp.runs.session import session
from abp.store.snapshots import moments, snapshot
from tests.dashboard.opening import PRUNED, again, open_page, words
from tests.recordings import trained

DENSE = dataclasses.replace(PRUNED, criterion="none")


def open_weights(**link: object) -> AppTest:
    return open_page("weights", **link)


def alts(page: AppTest) -> list[str]:
    """Alternative texts of all pictures; every one must have its own."""
    found = [image.alt for images in page.get("image") for image in images.proto.imgs]
    assert all(found)
    return found


def matrices(page: AppTest) -> list[str]:
    return [alt for alt in alts(page) if alt.startswith(("Weights of hidden", "Zero pattern of hidden"))]


def strongest(page: AppTest) -> list[str]:
    return [alt for alt in alts(page) if alt.startswith("Test picture")]


def linked(page: AppTest) -> dict[str, str]:
    """What the page's address says."""
    return {name: "".join(value) for name, value in page.query_params.items()}


def number_input(page: AppTest, label: str):
    return next(widget for widget in page.number_input if widget.label.startswith(label))


# A finished run


def test_the_page_shows_every_layer_the_sheet_a_neuron_and_the_costs(store):
    number = trained(store, PRUNED)
    page = open_weights(run=number)
    assert not page.error and not page.warning
    assert page.select_slider[0].options == ["start", "before 1", "after 1", "before 2", "after 2", "end"]
    assert page.select_slider[0].value == "end"
    assert len(matrices(page)) == 2 and all("End: " in alt for alt in matrices(page))
    assert any(alt.startswith("Incoming weights of the first layer's neurons") for alt in alts(page))
    assert len(page.get("vega_lite_chart")) == 2 and all(chart.proto.alt for chart in page.get("vega_lite_chart"))
    assert page.dataframe[0].value["Layer"].tolist()[:3] == ["hidden 1", "hidden 2", "output"]


def test_at_the_start_nothing_is_removed_and_after_a_pruning_what_the_store_says(store):
    number = trained(store, PRUNED)
    page = open_weights(run=number)
    page.select_slider[0].set_value("start")
    again(page)
    assert all("100.0 % of the weights kept" in alt for alt in matrices(page))
    page.select_slider[0].set_value("after 1")
    again(page)
    found = {moment.name: moment for moment in moments(store, store.runs.get(number))}
    masks = snapshot(store, store.runs.get(number), found["after 1"]).masks
    for alt, mask in zip(matrices(page), masks, strict=True):
        assert f"{100 * mask.float().mean():.1f} % of the weights kept" in alt
        assert f"{int(mask.any(dim=1).sum())} of {len(mask)} neurons alive" in alt


def test_another_run_of_the_same_layers_stands_beside_it(store):
    number, dense = trained(store, PRUNED), trained(store, DENSE)
    trained(store, dataclasses.replace(DENSE, hidden=(15, 10)))
    page = open_weights(run=number)
    beside = next(box for box in page.selectbox if box.label == "Compare with")
    assert len(beside.options) == 1 and beside.options[0].startswith(f"{dense}:")
    page.select_slider[0].set_value("after 2")
    beside.set_value(dense)
    page.segmented_control[0].set_value("zero pattern")
    again(page)
    assert len(matrices(page)) == 4
    assert sum("end: 100.0 % of the weights kept" in alt for alt in matrices(page)) == 2  # it had no pruning
    store.runs.delete(dense)
    again(page)
    assert len(matrices(page)) == 2


def test_the_other_run_may_have_no_weights_yet(store):
    number, other = trained(store, PRUNED), store.runs.add(PRUNED)
    store.leases.claim(other, "somebody")
    page = open_weights(run=number)
    next(box for box in page.selectbox if box.label == "Compare with").set_value(other)
    again(page)
    assert "has recorded no weights yet" in words(page) and len(matrices(page)) == 2


def test_a_neurons_answers_are_those_of_a_direct_forward_pass(store):
    run = store.runs.get(trained(store, PRUNED))
    end = moments(store, run)[-1]
    network = Network.from_tensors(run.experiment.sizes, load(store.weights.get(run.id, "final")))
    x, y = load_test_set("digits")
    output = x
    for layer, responses in enumerate(responses_of(store, run, end)):
        output = torch.relu(network.layers[layer](output)).detach()
        for kind in range(10):
            np.testing.assert_allclose(responses.shares[kind], (output[y == kind] > 0).float().mean(0), atol=1e-6)
        np.testing.assert_allclose(responses.outputs[:, 0], output.max(0).values, atol=1e-5)
        assert responses.seen == (360, 360)


def test_a_wide_network_answers_to_as_many_pictures_as_there_is_time_for(store, monkeypatch):
    run = store.runs.get(trained(store, PRUNED))
    monkeypatch.setattr(reading, "_BUDGET", 100 * (64 * 20 + 20 * 10))
    assert responses_of(store, run, moments(store, run)[-1])[0].seen == (100, 360)
    assert "the first 100 test pictures" in words(open_weights(run=run.id))


def test_frequencies_are_the_recorded_counts(store):
    run = store.runs.get(trained(store, PRUNED))
    found = frequencies_of(store, run)
    for epoch, samples, packed in store.histories.epoch_counts(run.id):
        counts = np.frombuffer(packed, dtype=np.uint32)
        joined = np.concatenate([layer[epoch - 1] for layer in found])
        np.testing.assert_allclose(joined, counts / samples, rtol=1e-6)


def test_sorting_puts_the_highest_first_and_dead_neurons_last(store):
    run = store.runs.get(trained(store, PRUNED))
    network = snapshot(store, run, moments(store, run)[-1])
    table = neuron_table(network, frequencies_of(store, run)[0])
    dead = ~network.masks[0].any(dim=1).numpy()
    assert dead.any() and not dead.all()
    for order, column in (("activation frequency", "Frequency"), ("norm", "Norm"), ("live weights", "Live weights")):
        ordered = sorted_neurons(table, order)
        assert sorted(ordered["Neuron"]) == list(range(1, 21))
        assert ordered["Neuron"].tail(dead.sum()).tolist() == sorted(
            ordered["Neuron"].tail(dead.sum()), key=lambda number: (-table[column][number - 1], number)
        )
        assert (np.diff(ordered[column].head((~dead).sum())) <= 0).all()
        assert set(ordered["Neuron"].tail(dead.sum()) - 1) == set(np.flatnonzero(dead))
    by_number = sorted_neurons(table, "number")["Neuron"].head((~dead).sum())
    assert by_number.tolist() == (np.flatnonzero(~dead) + 1).tolist()


def test_many_neurons_are_paged_through(store):
    number = trained(store, dataclasses.replace(DENSE, hidden=(100, 4), epochs=1))
    page = open_weights(run=number)
    assert "Neurons 1 to 96 of 100" in " ".join(alts(page))
    number_input(page, "Sheet").set_value(2)
    again(page)
    assert "Neurons 97 to 100 of 100" in " ".join(alts(page))


def test_the_downloaded_matrix_is_the_matrix():
    matrix = np.array([[1.5, -2.0, 0.0], [0.25, 3.0, 4.0]], dtype=np.float32)
    table = matrix_table(matrix)
    assert table["neuron"].tolist() == [1, 2] and list(table.columns) == ["neuron", "1", "2", "3"]
    np.testing.assert_array_equal(table.drop(columns="neuron").to_numpy(), matrix)


def test_the_costs_of_all_layers_are_below_them(store):
    run = store.runs.get(trained(store, PRUNED))
    table = cost_table(run, snapshot(store, run, moments(store, run)[-1]))
    for column in ("Parameters", "Multiply-adds", "FLOPs (published)", "Bytes, dense", "Bytes, compacted"):
        assert table[column].iloc[:-1].sum() == table[column].iloc[-1]
    assert table["Sparsity"].iloc[-1] == pytest.approx(run.sparsity)


# Links


def test_a_link_names_a_neuron_and_follows_the_choice_of_another(store):
    number = trained(store, PRUNED)
    page = open_weights(run=number, layer=2, neuron=7)
    assert "Neuron 7 of hidden layer 2" in words(page)
    number_input(page, "Neuron").set_value(9)
    again(page)
    assert "Neuron 9 of hidden layer 2" in words(page)
    assert linked(page) == {"run": str(number), "layer": "2", "neuron": "9"}
    next(box for box in page.selectbox if box.label == "Hidden layer").set_value(1)
    again(page)
    assert "Neuron 9 of hidden layer 1" in words(page)
    assert linked(page) == {"run": str(number), "layer": "1", "neuron": "9"}


def test_without_a_link_the_first_live_neuron_is_shown(store):
    run = store.runs.get(trained(store, PRUNED))
    alive = snapshot(store, run, moments(store, run)[-1]).masks[0].any(dim=1)
    page = open_weights(run=run.id)
    assert f"Neuron {int(alive.int().argmax()) + 1} of hidden layer 1" in words(page)
    assert "neuron" not in page.query_params


@pytest.mark.parametrize(
    "link", [{"layer": 99}, {"layer": 0}, {"layer": "x"}, {"layer": 1, "neuron": 21}, {"neuron": "-3"}, {"neuron": "²"}]
)
def test_a_nonsense_link_to_a_neuron_is_said_and_another_is_shown(store, link):
    page = open_weights(run=trained(store, DENSE), **link)
    assert "in the link is not a valid" in words(page)
    assert "Neuron 1 of hidden layer 1" in words(page)


def test_a_nonsense_link_to_a_run_is_said(store):
    assert "no runs yet" in words(open_weights())
    assert "abc" in words(open_weights(run="abc"))
    assert "Run 99 does not exist" in words(open_weights(run=99))


def test_a_run_deleted_meanwhile_is_said(store):
    number = trained(store, PRUNED)
    page = open_weights(run=number)
    store.runs.delete(number)
    again(page)
    assert f"Run {number}" in words(page)


# Runs that have less to show


def test_a_queued_run_has_nothing_yet_and_a_stopped_one_never_will(store):
    queued = store.runs.add(PRUNED)
    assert "waiting for a worker" in words(open_weights(run=queued))
    store.commands.add(queued, "stop")
    assert "ended before training began" in words(open_weights(run=queued))


def test_a_run_in_progress_shows_what_there_is_and_moves_on_only_from_the_newest(store):
    number = store.runs.add(dataclasses.replace(PRUNED, prunings=3))
    pages: dict[str, AppTest] = {}
    seen = []

    def look(progressed: session.Progressed) -> None:
        prunings = store.runs.get(number).prunings
        if not pages and prunings:
            pages["newest"], pages["start"] = open_weights(run=number), open_weights(run=number)
            pages["start"].select_slider[0].set_value("start")
        for page in pages.values():
            again(page)
        if pages:
            seen.append((prunings, *(page.select_slider[0].value for page in pages.values())))

    assert worker.execute(store, number, worker.new_owner(), report=look)
    assert seen[0] == (1, "after 1", "start") and (2, "after 2", "start") in seen
    assert again(pages["newest"]).select_slider[0].value == "end"
    assert again(pages["start"]).select_slider[0].value == "start"


def test_a_run_before_its_first_pruning_shows_its_start(store):
    number = store.runs.add(dataclasses.replace(PRUNED, start_accuracy=0.99, stop_accuracy=1.0, epochs=2))
    pages = []
    worker.execute(store, number, worker.new_owner(), report=lambda _: pages.append(open_weights(run=number)))
    assert "These are the initial weights" in words(pages[0]) and len(matrices(pages[0])) == 2


def test_a_network_of_one_hidden_layer_without_prunings(store):
    page = open_weights(run=trained(store, dataclasses.replace(DENSE, hidden=(15,))))
    assert page.select_slider[0].options == ["start", "end"]
    assert len(matrices(page)) == 1 and len(page.dataframe[0].value) == 3


@pytest.mark.parametrize("hidden", [(1,), (20, 1, 10)])
def test_a_layer_of_one_neuron(store, hidden):
    page = open_weights(run=trained(store, dataclasses.replace(DENSE, hidden=hidden)))
    assert len(matrices(page)) == len(hidden) and not page.error


def test_a_layer_collapsed_to_one_live_neuron_and_a_dead_one_says_so(store):
    number = store.runs.add(PRUNED)
    store.commands.add(number, "prune", criterion="activation-neuron", amount=0.95)
    assert worker.execute(store, number, worker.new_owner())
    run = store.runs.get(number)
    alive = [mask.any(dim=1) for mask in snapshot(store, run, moments(store, run)[-1]).masks]
    assert min(int(layer.sum()) for layer in alive) == 1
    dead = int((~alive[0]).int().argmax()) + 1
    page = open_weights(run=number, layer=1, neuron=dead)
    assert not page.error and "is dead" in words(page) and "fires for none" in words(page)
    assert strongest(page) == []


def test_a_run_that_keeps_only_its_ends_shows_zero_patterns_in_between(store):
    page = open_weights(run=trained(store, PRUNED, keep="ends"))
    assert matrices(page)[0].startswith("Weights of hidden")
    page.select_slider[0].set_value("before 2")
    again(page)
    assert all(alt.startswith("Zero pattern") for alt in matrices(page))
    assert "were not recorded" in words(page) and "before pruning 2" in words(page)
    assert page.dataframe[0].value["Layer"].tolist()[:3] == ["hidden 1", "hidden 2", "output"]


def test_without_the_test_pictures_the_page_says_so_and_shows_the_rest(store, monkeypatch):
    number = trained(store, PRUNED)

    def no_data(name: str, **details: object):
        raise DataUnavailable("The file of digits is not on this machine.")

    monkeypatch.setattr(reading, "load_test_set", no_data)
    reading._test_samples.clear()
    page = open_weights(run=number)
    assert "without the test pictures" in words(page) and "not on this machine" in words(page)
    assert len(matrices(page)) == 2 and len(page.get("vega_lite_chart")) == 1
    assert page.dataframe[0].value["Layer"].tolist()[:3] == ["hidden 1", "hidden 2", "output"]


def test_the_pictures_that_excite_a_neuron_most_are_named(store):
    page = open_weights(run=trained(store, DENSE))
    shown = strongest(page)
    _, y = load_test_set("digits")
    assert 1 <= len(shown) <= 8
    for alt in shown:
        number, name = alt.removeprefix("Test picture ").split(": ")
        assert name == str(int(y[int(number) - 1]))
