"""From a run to what pruning did to it, in a real browser: spectra, PCA, weights, files, and back."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
from onnxruntime import InferenceSession
from safetensors.numpy import load_file

from abp.runs import worker
from abp.studies.registry import studies
from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard
from tests.browser.fitting import misfits
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

CRITERIA = ("none", "activation", "activation-neuron", "magnitude")


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def menu(page, name: str):
    return page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True)


def heading(page, name: str):
    return page.get_by_test_id("stMain").get_by_role("heading", name=name)


def trained(dashboard: Dashboard, criterion: str, **settings) -> int:
    """A run that this process has trained for a few epochs, pruned on the way."""
    amount = {"amount": 0.8, "prunings": 1, "start_accuracy": 0.0, "epochs": 2}
    run = dashboard.store.runs.add(Experiment(criterion=criterion, **amount, **settings), lane="self")
    assert worker.execute(dashboard.store, run, worker.new_owner(), park=False)
    return run


@pytest.fixture(params=["digits", "fashion-mnist"])
def runs(request, dashboard) -> dict[str, int]:
    """Dense, by activation, by neuron, by magnitude: seed 0."""
    if request.param != "digits":
        request.getfixturevalue("real_data")
    elif os.environ.get("CI") == "true":
        pytest.skip("CI has real data for the same story")
    return {criterion: trained(dashboard, criterion, dataset=request.param) for criterion in CRITERIA}


def test_from_a_run_to_its_spectra_pca_curve_pictures_file_and_back(visit, dashboard, runs, tmp_path):
    run = runs["activation-neuron"]
    page = visit(f"{dashboard.url}/train?run={run}")
    expect(page.get_by_text("Neuron activity")).to_be_visible()

    menu(page, "Spectra").click()
    page.wait_for_url(re.compile(rf"/spectra\?run={run}$"))
    expect(page.locator('[aria-label^="Singular values of each hidden layer"] > svg')).to_have_count(4)
    for criterion in ("none", "magnitude"):
        page.get_by_role("combobox", name="Overlay another run").click()
        page.get_by_role("option", name=re.compile(rf"^{runs[criterion]}:")).click()
    expect(page.get_by_test_id("stMultiSelect")).to_contain_text(f"{runs['none']}:")
    expect(page.get_by_test_id("stMultiSelect")).to_contain_text(f"{runs['magnitude']}:")
    page.keyboard.press("Escape")

    menu(page, "Low rank").click()
    page.wait_for_url(re.compile(rf"/low_rank\?run={run}$"))
    expect(heading(page, "Accuracy against rank")).to_be_visible()
    expect(page.get_by_text(f"Dense twin: run {runs['none']}")).to_be_visible()
    before = page.get_by_test_id("stMetricValue").first.inner_text()
    page.get_by_role("slider", name="Rank kept, % of full rank").focus()
    page.keyboard.press("Home")
    expect(page.get_by_test_id("stMetricValue").nth(2)).to_have_text("0 0 0 0")
    assert page.get_by_test_id("stMetricValue").first.inner_text() != before
    page.get_by_role("spinbutton", name="Epochs of fine-tuning").fill("1")
    page.keyboard.press("Enter")
    button(page, "Fine-tune all four").click()
    expect(page.get_by_text("After equally long fine-tuning")).to_be_visible()
    expect(button(page, "Fine-tune all four")).to_be_disabled()

    menu(page, "Weights").click()
    page.wait_for_url(re.compile(rf"/weights\?run={run}$"))
    expect(heading(page, "Patterns of the first layer")).to_be_visible()
    expect(page.locator("img[alt^='Incoming weights of the first layer']")).to_be_visible()
    with page.expect_download() as whole:
        button(page, "Download as safetensors").click()
    with page.expect_download() as onnx:
        button(page, "Download as ONNX").click()
    whole.value.save_as(tmp_path / "small.safetensors")
    onnx.value.save_as(tmp_path / "small.onnx")
    small = load_file(tmp_path / "small.safetensors")
    alive = [len(small[f"hidden.{layer}.bias"]) for layer in range(4)]
    assert sum(alive) < 300
    pixels = np.random.default_rng(0).random((3, small["hidden.0.weight"].shape[1]), dtype=np.float32)
    expected = pixels
    for layer in range(4):
        expected = np.maximum(expected @ small[f"hidden.{layer}.weight"].T + small[f"hidden.{layer}.bias"], 0)
    expected = expected @ small["output.weight"].T + small["output.bias"]
    (found,) = InferenceSession(str(tmp_path / "small.onnx")).run(None, {"pixels": pixels})
    np.testing.assert_allclose(found, expected, atol=1e-4)
    expect(page.get_by_text("Measured on this machine")).to_be_visible()

    page.go_back()
    expect(heading(page, "Accuracy against rank")).to_be_visible()
    page.reload()
    expect(heading(page, "Accuracy against rank")).to_be_visible()
    menu(page, "Runs").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    assert sum(other.parent in runs.values() for other in dashboard.store.runs.all()) == 4


def test_a_continued_run_is_started_from_the_page_of_its_parent(visit, dashboard):
    parent = trained(dashboard, "activation-neuron", hidden=(30, 20))
    page = visit(f"{dashboard.url}/train?run={parent}")
    page.get_by_test_id("stMain").get_by_role("link", name="Continue").click()
    page.wait_for_url(re.compile(rf"/train\?continue={parent}$"))
    page.get_by_text("Rewind to the initial weights").click()
    page.get_by_role("spinbutton", name="Epochs").fill("2")
    page.keyboard.press("Enter")
    button(page, "Start").click()
    page.wait_for_url(re.compile(r"/train\?run=\d+$"))
    child = int(page.url.rsplit("=")[-1])
    expect(page.get_by_test_id("stMain").get_by_text("Finished").first).to_be_visible()
    record = dashboard.store.runs.get(child)
    assert record.parent == parent and record.epoch == 2
    assert record.sparsity == pytest.approx(dashboard.store.runs.get(parent).sparsity)
    wait_until(lambda: dashboard.store.weights.get(child, "final"), "for its weights")


def test_the_demo_study_from_the_click_to_the_sentence(visit, dashboard):
    page = visit(f"{dashboard.url}/compare")
    if studies(dashboard.store):  # another story's: the form is open only while there is none
        page.get_by_text("Start a study", exact=True).click()
    expect(button(page, "Start the study")).to_be_visible()
    page.get_by_role("spinbutton", name="Seeds").first.fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^14 runs"))).to_be_visible()
    button(page, "Start the study").click()
    page.wait_for_url(re.compile(r"/compare\?study=\d+$"))
    expect(page.get_by_text("14 of 14 runs done")).to_be_visible()
    expect(page.get_by_text("2 seeds").first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("svg .role-legend").first).to_be_attached()
    wait_until(lambda: not misfits(page), "for everything to fit a phone")
    page.set_viewport_size({"width": 1280, "height": 720})
    button(page, "Create a report").click()
    with page.expect_download() as download:
        button(page, "Download report (HTML)").click()
    assert "<svg" in download.value.path().read_text()
    menu(page, "Claims").click()
    expect(heading(page, "1. Activation-based pruning is effective")).to_be_visible()
    expect(page.get_by_text("undecided").first).to_be_visible()


def test_singular_values_appear_by_themselves_at_a_pruning(visit, dashboard):
    endless = Experiment(criterion="none", hidden=(20,), epochs=10_000, stop_accuracy=1.0, patience=0)
    run = dashboard.store.runs.add(endless, held=True)
    page = visit(f"{dashboard.url}/spectra?run={run}")
    expect(page.get_by_text("has not reached its first pruning yet")).to_be_visible()
    dashboard.store.commands.add(run, "prune", criterion="magnitude", amount=0.5)
    expect(page.get_by_role("heading", name="Singular values of each hidden layer")).to_be_visible()
    dashboard.store.commands.add(run, "stop")
