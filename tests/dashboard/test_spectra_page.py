"""The Spectra page, and the analysis of a recorded run."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load
from sklearn.decomposition import PCA
from streamlit.testing.v1 import AppTest

from abp.analysis.chance import against_chance
from abp.cli.main import main
from abp.dashboard.networks import spectra
from abp.dashboard.networks.chance import chance_chart, chance_curves
from abp.dashboard.networks.spectra import changes, curves, summaries
from abp.dashboard.networks.spectrum_chart import thinned
from abp.data.datasets import load_dataset
from abp.runs import worker
from abp.runs.session import session
from abp.store.database import StoreUnusable
from abp.store.lineage import dense_twin
from abp.store.snapshots import Moment, Snapshot, spectral_snapshots
from tests.dashboard.opening import PRUNED, open_page, settled, words
from tests.recordings import trained
from tests.waiting import PATIENCE, wait_until


@pytest.fixture(autouse=True)
def _patient(monkeypatch) -> None:
    """Beside busy neighbours singular values take longer than a page usually waits before it says so."""
    monkeypatch.setattr(spectra, "_PATIENCE", PATIENCE)


def open_spectra(**link: object) -> AppTest:
    return open_page("spectra", **link)


def plain_accuracy(layers: dict[str, np.ndarray], data) -> float:
    """Test accuracy of a network of two hidden layers, by NumPy alone."""
    x = data.test_x.double().numpy()
    for name in ("hidden.0", "hidden.1"):
        x = np.maximum(x @ layers[f"{name}.weight"].T + layers[f"{name}.bias"], 0)
    x = x @ layers["output.weight"].T + layers["output.bias"]
    return float((x.argmax(1) == data.test_y.numpy()).mean())


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception and not page.error
    return page


def spec(page: AppTest, chart: int = 0) -> dict:
    return json.loads(page.get("vega_lite_chart")[chart].proto.spec)


def curve_names(page: AppTest) -> list[str]:
    return spec(page)["encoding"]["color"]["scale"]["domain"]


def test_moments_are_numpys_singular_values_of_the_recorded_weights(store):
    number = trained(store, PRUNED)
    found = {snapshot.moment.name: snapshot for snapshot in spectral_snapshots(store, store.runs.get(number))}
    assert list(found) == ["start", "before 1", "after 1", "before 2", "after 2", "end"]
    for name, recorded in (("start", "initial"), ("before 2", "before-2"), ("end", "final")):
        tensors = load(store.weights.get(number, recorded))
        for layer, values in enumerate(found[name].spectra):
            expected = np.linalg.svd(tensors[f"hidden.{layer}.weight"].double().numpy(), compute_uv=False)
            np.testing.assert_allclose(values, expected, atol=1e-9)


def test_the_tables_hold_every_value_and_the_change_of_each(store):
    number = trained(store, PRUNED)
    found = spectral_snapshots(store, store.runs.get(number))
    start, before, after = found[0], found[3], found[4]
    table = curves(start, before, after)
    assert len(table) == 3 * (20 + 10)
    change = changes(before, after)
    old, new = before.spectra[0], after.spectra[0]
    expected = new[old > 1e-9] / old[old > 1e-9] - 1
    np.testing.assert_allclose(change[change["layer"] == 1]["change"], expected, atol=1e-12)
    summary = summaries(found)
    assert len(summary) == 2 * len(found)
    assert summary[summary["Moment"] == "end"]["Live neurons"].tolist() == [
        int(mask.any(dim=1).sum()) for mask in found[-1].masks
    ]


def test_the_page_shows_a_pruned_run_and_every_chart_has_its_words(store):
    number = trained(store, PRUNED)
    other = trained(store, dataclasses.replace(PRUNED, criterion="none"))
    page = settled(open_spectra(run=number))
    assert [slider.label for slider in page.slider] == ["Pruning"]
    charts = page.get("vega_lite_chart")
    assert len(charts) == 4 * 2
    assert all(chart.proto.alt for chart in charts)
    page.multiselect[0].select(other)
    page.run()
    assert not page.exception
    page.segmented_control[0].set_value("log")
    page.run()
    assert not page.exception


def test_the_final_network_s_spectra_are_compared_with_chance(store):
    number = trained(store, PRUNED)
    page = settled(open_spectra(run=number))
    table = next(frame.value for frame in page.dataframe if "Rank, shuffled" in frame.value)
    tensors = load(store.weights.get(number, "final"))
    for layer, row in enumerate(table.to_dict("records")):
        values = np.linalg.svd(tensors[f"hidden.{layer}.weight"].double().numpy(), compute_uv=False)
        assert row["Rank"] == np.linalg.matrix_rank(tensors[f"hidden.{layer}.weight"].numpy())
        assert row["Largest value"] == pytest.approx(values[0], rel=1e-6)
    assert "random order" in words(page)
    alts = [chart.proto.alt for chart in page.get("vega_lite_chart") if chart.proto.alt.startswith("Against chance: ")]
    assert [alt[-15:] for alt in alts] == ["Hidden layer 1.", "Hidden layer 2."]
    assert all("beside those of the same weights in random order" in alt for alt in alts)


@pytest.mark.parametrize("log", [False, True])
def test_the_values_of_shuffled_weights_are_drawn_beside_the_layer_s_own_and_the_edge_where_it_fits(log):
    generator = torch.Generator().manual_seed(0)
    dense, sparse = torch.randn(30, 20, generator=generator), torch.eye(200)
    sparse[:3] = torch.randn(3, 200, generator=generator)
    layers = [against_chance(weight, generator) for weight in (dense, sparse, torch.zeros(8, 8))]
    table = chance_curves(dict(enumerate(layers)))
    assert list(table.groupby("layer").size()) == [20, 200, 8] and list(table["fit"].unique()) == ["good", "poor"]
    rules = []
    for layer, (_, part) in zip(layers, table.groupby("layer"), strict=True):
        spec = chance_chart(part, {"shuffled": "#8A8F98", "own": "#D55E00"}, log=log).to_dict()
        lines, rule = (spec["layer"][1], spec["layer"][0]) if "layer" in spec else (spec, None)
        drawn = pd.DataFrame(spec["datasets"][lines.get("data", spec.get("data"))["name"]])
        for curve, values in (("own", layer.values), ("shuffled", layer.shuffled)):
            np.testing.assert_array_equal(drawn[drawn["curve"] == curve]["value"], values)
        assert lines["encoding"]["y"]["scale"]["domain"][1] > max(layer.values[0], layer.shuffled[0])
        rules.append(rule and spec["datasets"][rule["data"]["name"]][0]["edge"])
    assert rules == [layers[0].edge, None, None]


def test_the_page_says_what_it_cannot_show(store):
    assert "no runs yet" in words(open_spectra())
    queued = store.runs.add(PRUNED)
    assert "has not reached its" in words(open_spectra(run=queued))
    dense = trained(store, dataclasses.replace(PRUNED, criterion="none", hidden=(15,)))
    page = settled(open_spectra(run=dense))
    assert "Nothing was pruned" in words(page) and len(page.get("vega_lite_chart")) == 3
    assert "Run 99 does not exist" in words(open_spectra(run=99))
    assert "abc" in words(open_spectra(run="abc"))


def test_a_dense_twin_has_the_same_settings_and_seed_and_was_never_pruned(store):
    pruned = store.runs.get(trained(store, PRUNED))
    assert dense_twin(store, pruned) is None
    trained(store, dataclasses.replace(PRUNED, criterion="none", seed=1))
    assert dense_twin(store, pruned) is None
    twin = trained(store, dataclasses.replace(PRUNED, criterion="none", amount=0.0))
    assert dense_twin(store, pruned).id == twin


def test_analyse_reports_spectra_and_baselines_computed_apart(store, capsys):
    number = trained(store, PRUNED)
    dense = trained(store, dataclasses.replace(PRUNED, criterion="none"))
    assert main(["analyse", str(number)]) == 0
    report = json.loads(capsys.readouterr().out)

    final, twin = load(store.weights.get(number, "final")), load(store.weights.get(dense, "final"))
    data = load_dataset("digits")

    arrays = [{name: tensor.double().numpy() for name, tensor in tensors.items()} for tensors in (final, twin)]
    reduced = dict(arrays[1])
    ranks = [np.linalg.matrix_rank(final[f"hidden.{layer}.weight"].numpy()) for layer in range(2)]
    assert [layer["rank"] for layer in report["layers"]] == ranks
    for layer, rank in enumerate(ranks):
        pca = PCA(n_components=rank, svd_solver="full")
        kernel = arrays[1][f"hidden.{layer}.weight"].T
        reduced[f"hidden.{layer}.weight"] = pca.inverse_transform(pca.fit_transform(kernel)).T
    for name, layers in (("pruned", arrays[0]), ("dense", arrays[1]), ("pca", reduced)):
        assert report["baselines"][name] == pytest.approx(plain_accuracy(layers, data), abs=1e-9)
    assert 0 <= report["baselines"]["svd"] <= 1


# A run that goes on


def test_the_page_follows_a_run_and_moves_on_only_from_the_newest_pruning(store):
    number = store.runs.add(dataclasses.replace(PRUNED, prunings=4))
    pages: dict[str, AppTest] = {}
    seen = []

    def look(progressed: session.Progressed) -> None:
        prunings = store.runs.get(number).prunings
        if not pages and prunings == 2:
            pages["newest"], pages["first"] = open_spectra(run=number), open_spectra(run=number)
            pages["first"].slider[0].set_value(1)
        for page in pages.values():
            again(page)
        if pages:
            seen.append((prunings, *(page.slider[0].value for page in pages.values())))

    assert worker.execute(store, number, worker.new_owner(), report=look)
    assert seen[0] == (2, 2, 1) and (3, 3, 1) in seen
    assert [again(page).slider[0].value for page in pages.values()] == [4, 1]
    pages["first"].slider[0].set_value(4)  # the newest again, of a run that has ended
    assert again(pages["first"]).slider[0].value == 4


def test_a_run_before_its_first_pruning_is_waited_for_and_one_that_ended_is_not(store):
    number = store.runs.add(dataclasses.replace(PRUNED, start_accuracy=0.99, stop_accuracy=1.0, epochs=2))
    pages = []
    worker.execute(store, number, worker.new_owner(), report=lambda _: pages.append(open_spectra(run=number)))
    assert "appear here by themselves" in words(pages[0])
    queued = store.runs.add(PRUNED)
    store.commands.add(queued, "stop")
    assert "ended before its first pruning" in words(open_spectra(run=queued))


def test_the_page_is_redrawn_when_more_of_its_run_is_recorded_and_only_then(store):
    page = AppTest.from_function(watching)
    page.session_state["run"] = store.runs.add(PRUNED)
    for trains, draws in ((False, 1), (True, 3), (False, 4)):
        page.session_state["trains"] = trains
        page.run()
        assert page.session_state["draws"] == draws


def watching() -> None:
    """A page that follows a run, which is trained between reading the run and drawing the page if it is to be."""
    import streamlit as st

    from abp.dashboard.frame.refresh import redraw_on_change
    from abp.runs import worker
    from abp.store.store import Store

    store, state = Store(), st.session_state
    state["draws"] = state["draws"] + 1 if "draws" in state else 1
    shown = store.runs.get(state["run"])
    if state["trains"]:
        state["trains"] = False
        assert worker.execute(store, shown.id, worker.new_owner())
    redraw_on_change(store, shown)


def test_slow_singular_values_are_waited_for_without_holding_up_the_page(store, monkeypatch):
    number = trained(store, PRUNED)
    may_end = threading.Event()

    def slow(*arguments):
        assert may_end.wait(PATIENCE)
        return spectral_snapshots(*arguments)

    monkeypatch.setattr(spectra, "spectral_snapshots", slow)
    monkeypatch.setattr(spectra, "_PATIENCE", 0.0)
    page = open_spectra(run=number)
    assert "Computing the singular values" in words(page) and not page.get("vega_lite_chart")
    may_end.set()
    monkeypatch.setattr(spectra, "_PATIENCE", 60)
    settled(page)
    assert "Computing the singular values" not in words(page) and len(page.get("vega_lite_chart")) == 8


def test_what_failed_once_is_tried_again(store, monkeypatch):
    number = trained(store, PRUNED)

    def unusable(*arguments):
        raise StoreUnusable("The database is busy.")

    with monkeypatch.context() as patch:
        patch.setattr(spectra, "spectral_snapshots", unusable)
        assert "is busy" in words(open_spectra(run=number))
    assert len(settled(open_spectra(run=number)).get("vega_lite_chart")) == 8


# Unusual runs


@pytest.mark.parametrize("hidden", [(1,), (20, 1, 10), (4096,)])
def test_layers_of_one_neuron_and_of_thousands(store, hidden):
    experiment = dataclasses.replace(PRUNED, hidden=hidden, prunings=1, amount=0.3, epochs=2)
    page = open_spectra(run=trained(store, experiment))
    assert not page.error and len(page.get("vega_lite_chart")) % len(hidden) == 0
    if hidden == (1,):
        assert spec(page)["mark"]["point"]  # a line of one point could not be seen


def test_a_layer_collapsed_to_one_neuron(store):
    number = store.runs.add(PRUNED)
    store.commands.add(number, "prune", criterion="activation-neuron", amount=0.95)
    assert worker.execute(store, number, worker.new_owner())
    assert min(int(mask.any(dim=1).sum()) for mask in spectral_snapshots(store, store.runs.get(number))[-1].masks) == 1
    page = open_spectra(run=number)
    assert not page.error and settled(page).get("vega_lite_chart")


def test_curves_of_wide_layers_are_thinned_but_keep_their_ends():
    values = np.linspace(4.0, 0.0, 4096)
    start = Moment("start", 0, "initial", 0)
    table = curves(*3 * [Snapshot(start, (), spectra=(values,))])
    thin = thinned(table)
    assert len(thin) <= 2 * 502 and len(table) == 2 * 4096
    assert set(thin["index"]) >= {*range(1, 101), 4096}
    short = curves(*3 * [Snapshot(start, (), spectra=(values[:500],))])
    assert len(thinned(short)) == len(short)


# Several runs


def test_runs_of_one_name_are_two_curves_and_the_scale_has_room_for_all(store):
    number = trained(store, PRUNED)
    dense = dataclasses.replace(PRUNED, criterion="none", learning_rate=0.1)
    others = [trained(store, dataclasses.replace(dense, seed=seed)) for seed in (1, 2)]
    for other in others:
        store.runs.rename(other, "The same name")
    page = open_spectra(run=number)
    for other in others:
        page.multiselect[0].select(other)
    expected = [f"{other}: The same name" for other in others]
    wait_until(lambda: curve_names(again(page))[3:] == expected, "for both runs' singular values")
    highest = max(
        values[0] for other in others for values in spectral_snapshots(store, store.runs.get(other))[-1].spectra
    )
    assert spec(page)["encoding"]["y"]["scale"]["domain"][1] > highest
    assert all(name in words(page) for name in curve_names(page))  # the legend
    store.runs.delete(others[0])
    again(page)
    assert curve_names(page)[3:] == [f"{others[1]}: The same name"]


def test_a_run_deleted_meanwhile_is_said(store):
    number = trained(store, PRUNED)
    page = open_spectra(run=number)
    store.runs.delete(number)
    page.run()
    assert f"Run {number}" in words(page)


def test_without_prunings_the_curves_are_named_after_the_start_and_the_end(store):
    page = settled(open_spectra(run=trained(store, dataclasses.replace(PRUNED, criterion="none"))))
    assert curve_names(page) == ["at the start", "at the end"]
    assert len(page.get("vega_lite_chart")) == 3 * 2
