"""The Spectra page, and the analysis of a recorded run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load
from sklearn.decomposition import PCA
from streamlit.testing.v1 import AppTest

from abp.__main__ import main
from abp.pruning.data import load_dataset
from abp.pruning.experiment import Experiment
from abp.runs import worker
from abp.runs.baselines import dense_twin
from abp.runs.moments import moments
from abp.runs.store import Store
from abp.view.spectra import changes, curves, summaries

ROOT = Path(__file__).parents[2]
PRUNED = Experiment(
    hidden=(20, 10),
    criterion="activation-neuron",
    amount=0.5,
    prunings=2,
    start_accuracy=0.05,
    stop_accuracy=0.06,
    epochs=9,
)


def trained(store: Store, experiment: Experiment) -> int:
    number = store.add_run(experiment)
    assert worker.execute(store, number, worker.new_owner())
    return number


@pytest.fixture(autouse=True)
def no_engine(home, monkeypatch):
    monkeypatch.setenv("ABP_ENGINE", "off")


@pytest.fixture
def store(home) -> Store:
    home.mkdir()
    return Store(home / "abp.sqlite3")


def open_spectra(**link: object) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    page.run()
    page.switch_page("pages/spectra.py")
    for name, value in link.items():
        page.query_params[name] = str(value)
    page.run()
    assert not page.exception
    return page


def plain_accuracy(layers: dict[str, np.ndarray], data) -> float:
    """Test accuracy of a network of two hidden layers, by NumPy alone."""
    x = data.test_x.double().numpy()
    for name in ("hidden.0", "hidden.1"):
        x = np.maximum(x @ layers[f"{name}.weight"].T + layers[f"{name}.bias"], 0)
    x = x @ layers["output.weight"].T + layers["output.bias"]
    return float((x.argmax(1) == data.test_y.numpy()).mean())


def words(page: AppTest) -> str:
    return " ".join(part.value for part in [*page.info, *page.warning, *page.caption, *page.error])


def test_moments_are_numpys_singular_values_of_the_recorded_weights(store):
    number = trained(store, PRUNED)
    found = {moment.name: moment for moment in moments(store, store.run(number))}
    assert list(found) == ["start", "before 1", "after 1", "before 2", "after 2", "end"]
    for name, recorded in (("start", "initial"), ("before 2", "before-2"), ("end", "final")):
        tensors = load(store.weights(number, recorded))
        for layer, values in enumerate(found[name].spectra):
            expected = np.linalg.svd(tensors[f"hidden.{layer}.weight"].double().numpy(), compute_uv=False)
            np.testing.assert_allclose(values, expected, atol=1e-9)


def test_the_tables_hold_every_value_and_the_change_of_each(store):
    number = trained(store, PRUNED)
    found = moments(store, store.run(number))
    start, before, after = found[0], found[3], found[4]
    table = curves(start, before, after)
    assert len(table) == 3 * (20 + 10)
    change = changes(before, after)
    old, new = before.spectra[0], after.spectra[0]
    expected = new[old > 1e-9] / old[old > 1e-9] - 1
    np.testing.assert_allclose(change[change["layer"] == 1]["change"], expected, atol=1e-12)
    summary = summaries(store.run(number), found)
    assert len(summary) == 2 * len(found)
    assert summary[summary["Moment"] == "end"]["Live neurons"].tolist() == [
        int(mask.any(dim=1).sum()) for mask in found[-1].masks
    ]


def test_the_page_shows_a_pruned_run_and_every_chart_has_its_words(store):
    number = trained(store, PRUNED)
    other = trained(store, dataclasses.replace(PRUNED, criterion="none"))
    page = open_spectra(run=number)
    assert [slider.label for slider in page.slider] == ["Pruning"]
    charts = page.get("vega_lite_chart")
    assert len(charts) == 3 * 2
    assert all(chart.proto.alt for chart in charts)
    page.multiselect[0].select(other)
    page.run()
    assert not page.exception
    page.segmented_control[0].set_value("log")
    page.run()
    assert not page.exception


def test_the_page_says_what_it_cannot_show(store):
    assert "no runs yet" in words(open_spectra())
    queued = store.add_run(PRUNED)
    assert "has not come to its" in words(open_spectra(run=queued))
    dense = trained(store, dataclasses.replace(PRUNED, criterion="none", hidden=(15,)))
    page = open_spectra(run=dense)
    assert "had no pruning" in words(page) and len(page.get("vega_lite_chart")) == 3
    assert "no run 99" in words(open_spectra(run=99))
    assert "abc" in words(open_spectra(run="abc"))


def test_a_dense_twin_has_the_same_settings_and_seed_and_was_never_pruned(store):
    pruned = store.run(trained(store, PRUNED))
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

    final, twin = load(store.weights(number, "final")), load(store.weights(dense, "final"))
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
