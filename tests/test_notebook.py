"""What notebooks show: charts against the values they stand for, and the notebook of `docs`, cell by cell."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import altair as alt
import nbformat
import numpy as np
import pytest
import torch

from abp import Experiment, Trainer, open_run
from abp.analysis.spectra import summarise_all
from abp.runs import worker
from abp.store.records import RunUnknown
from abp.store.store import Store
from abp.studies.registry import start_study, study_runs
from abp.studies.specification import Study

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
SETTINGS = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.6, prunings=2, start_accuracy=0.1, epochs=5
)


@pytest.fixture
def store(home) -> Store:
    home.mkdir()
    return Store()


def trained(store: Store, settings: Experiment = SETTINGS) -> int:
    number = store.runs.add(settings)
    assert worker.execute(store, number, worker.new_owner())
    return number


def values(chart, column: str) -> list:
    """A column of all data that a chart draws, in order."""
    datasets = chart.to_dict()["datasets"].values()
    return [row[column] for rows in datasets for row in rows if column in row]


def test_a_trainer_shows_the_singular_values_that_numpy_finds():
    trainer = Trainer(SETTINGS)
    trainer.train_epoch()
    found = values(trainer.chart(), "value")
    expected = [np.linalg.svd(weight.numpy(), compute_uv=False) for weight in trainer.network.weights[:-1]]
    np.testing.assert_allclose(np.sort(found), np.sort(np.concatenate(expected)), rtol=1e-5)
    assert "epoch" in trainer._repr_html_() and "<svg" in trainer._repr_html_()


def test_a_spectrum_shows_its_values_and_ranks():
    spectrum = summarise_all([torch.diag(torch.tensor([3.0, 2.0, 0.0]))])[0]
    assert values(spectrum.chart(), "value") == pytest.approx([3.0, 2.0, 0.0])
    assert "<svg" in spectrum._repr_html_() and "<td>2</td>" in spectrum._repr_html_()


def test_a_run_is_opened_by_its_number_and_shows_its_history(store):
    run = open_run(trained(store))
    assert run == store.runs.get(run.id)
    assert set(values(run.chart(), "accuracy")) >= set(store.histories.epochs(run.id)["valid_accuracy"])
    assert {"at the start", "before", "after"} == set(values(run.chart(), "curve"))
    assert f"Run {run.id}" in run._repr_html_() and "<svg" in run._repr_html_()


def test_a_run_that_has_not_begun_says_so(store):
    run = open_run(store.runs.add(SETTINGS, name="<b>bold</b>"))
    with pytest.raises(LookupError, match="no history yet"):
        run.chart()
    shown = run._repr_html_()
    assert "no history yet: it is queued" in shown and "&lt;b&gt;bold" in shown and "<svg" not in shown


def test_a_run_that_does_not_exist_is_named(store):
    with pytest.raises(RunUnknown, match="7"):
        open_run(7)


def test_a_study_shows_the_accuracy_of_every_run(store):
    study = Study(
        datasets=("digits",), criteria=("none", "magnitude"), amounts=(0.5,), seeds=(0, 1), prunings=1, base=SETTINGS
    )
    with pytest.raises(LookupError, match="not started"):
        study.chart()
    number = start_study(store, study)
    assert "no results yet" in study._repr_html_()
    for member in study_runs(store, number):
        worker.execute(store, member.run.id, worker.new_owner())
    expected = {member.run.test_accuracy for member in study_runs(store, number)}
    assert set(values(study.chart(), "test_accuracy")) == expected
    assert "Study of 4 runs" in study._repr_html_()


def test_the_notebook_runs_from_its_first_cell_to_its_last(home):
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    nbformat.validate(content)
    names: dict = {}
    shown = []
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            value = run_cell("".join(cell["source"]), names)
            shown.append(value.to_dict() if isinstance(value, alt.TopLevelMixin) else value)
            if hasattr(value, "_repr_html_"):
                assert "<svg" in value._repr_html_() or isinstance(value, alt.TopLevelMixin)
    assert not any(value is None for value in shown)


def run_cell(source: str, names: dict):
    """Run a cell as a notebook does: the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) if last else None
