from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abp.pruning.criteria import CRITERIA
from abp.studies.specification import PRESETS, Cell, Study, preset
from abp.training.experiment import Experiment, SettingError, dense_settings
from tests.databases import any_database

pytestmark = any_database

SMALL = Study(
    datasets=("digits",), criteria=("none", "activation", "magnitude"), amounts=(0.5, 0.8), seeds=(0, 3), prunings=3
)


def lists(values):
    return st.lists(st.sampled_from(values), unique=True, min_size=1).map(tuple)


STUDIES = st.builds(
    Study,
    datasets=lists(["digits", "mnist", "fashion-mnist"]),
    criteria=lists(list(CRITERIA)),
    amounts=lists([0.25, 0.5, 0.8, 0.97]),
    seeds=lists([0, 1, 2, 77]),
    prunings=st.integers(1, 9),
    nuclear=st.just(()) | lists([0.001, 0.1]),
    base=st.builds(Experiment, hidden=lists([5, 6, 7]), epochs=st.integers(1, 99), seed=st.integers(0, 9)),
)


@given(STUDIES)
def test_there_is_one_run_for_each_cell_and_seed_and_none_twice(study):
    experiments = study.experiments()
    assert len(experiments) == len(set(experiments)) == len(study.cells()) * len(study.seeds)
    methods = len([name for name in study.criteria if name != "none"])
    dense = ("none" in study.criteria) + len(study.nuclear)
    assert len(study.cells()) == len(study.datasets) * (dense + methods * len(study.amounts))
    for experiment, (cell, seed) in study.planned().items():
        assert (experiment.dataset, experiment.criterion, experiment.seed) == (cell.dataset, cell.criterion, seed)
        assert experiment.nuclear == cell.nuclear
        assert experiment.scheduled_prunings == (
            0 if cell.criterion == "none" else 1 if cell.criterion == "snip" else study.prunings
        )
        assert cell.criterion == "none" or experiment.amount == cell.amount


@given(STUDIES)
def test_a_specification_survives_json_and_the_base_s_varied_settings_do_not_matter(study):
    assert Study.from_json(study.to_json()) == study
    other = dataclasses.replace(study.base, dataset="mnist", criterion="random", amount=0.1, seed=5, prunings=2)
    assert dataclasses.replace(study, base=other) == study


@given(STUDIES)
def test_all_methods_have_one_budget_and_the_dense_run_is_every_other_run_s_twin(study):
    dense = {
        (experiment.dataset, experiment.seed): experiment
        for experiment, (cell, _) in study.planned().items()
        if cell == Cell(cell.dataset, "none")
    }
    for experiment in study.experiments():
        for name in ("hidden", "epochs", "batch_size", "learning_rate", "stop_accuracy", "patience"):
            assert getattr(experiment, name) == getattr(study.base, name)
        if dense and not experiment.nuclear:
            assert dense_settings(experiment) == dense[experiment.dataset, experiment.seed]


def test_the_presets_have_the_cells_of_the_design():
    assert set(PRESETS) == {"demo", "published", "trade-off"}
    assert (len(preset("demo").cells()), len(preset("demo").experiments())) == (7, 35)
    assert (len(preset("published").cells()), preset("published").prunings) == (19, 5)
    assert preset("published").base == Experiment(prunings=5)  # the published settings
    assert preset("trade-off").amounts == (0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97)
    chosen = preset("published", dataset="digits", seeds=2, criteria=["magnitude"], amounts=[0.3])
    assert [cell.title for cell in chosen.cells()] == ["weights by magnitude, 30 %"]
    assert (chosen.datasets, chosen.seeds) == (("digits",), (0, 1))


def test_a_study_is_extended_without_repetitions():
    more = SMALL.extended(seeds=(3, 4), amounts=(0.9, 0.5), criteria=("random",))
    assert (more.seeds, more.amounts) == ((0, 3, 4), (0.5, 0.8, 0.9))
    assert set(SMALL.experiments()) < set(more.experiments())
    assert SMALL.extended() == SMALL


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"datasets": ()}, "datasets must name at least one"),
        ({"datasets": ("cats",)}, "'cats'"),
        ({"datasets": "digits"}, "datasets must be a list, not 'digits'"),
        ({"criteria": ("beauty",)}, "'beauty'"),
        ({"criteria": (["none"],)}, "criteria"),
        ({"amounts": ()}, "amounts must name at least one"),
        ({"amounts": (1.5,)}, "1.5"),
        ({"amounts": (0.0,)}, "above 0, not 0"),
        ({"amounts": (0.5, 0.5)}, "amounts must not name a value twice"),
        ({"amounts": ("half",)}, "'half'"),
        ({"seeds": ()}, "seeds must name at least one"),
        ({"seeds": (0, -1)}, "-1"),
        ({"seeds": (0, 1.5)}, "1.5"),
        ({"seeds": tuple(range(3000))}, "10,000 runs at most, not 15,000"),
        ({"prunings": 0}, "prunings must be at least 1"),
        ({"prunings": "many"}, "'many'"),
        ({"nuclear": (-1.0,)}, "above 0, not -1"),
        ({"base": 3}, "Experiment"),
        ({"base": Experiment(nuclear=0.1)}, "base must have nuclear 0, not 0.1"),
        ({"base": Experiment(criterion="none", hidden=(5,), ranks=(2,))}, "ranks"),
    ],
)
def test_a_mistake_is_named(change, words):
    with pytest.raises(SettingError, match=words):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"datasets": ["digits"]}', SMALL.to_json()[:-1] + ', "colour": 1}'])
def test_what_is_no_specification_is_refused(text):
    with pytest.raises(SettingError):
        Study.from_json(text)


def test_presets_refuse_what_they_do_not_know():
    with pytest.raises(SettingError, match="'party'"):
        preset("party")
    with pytest.raises(SettingError, match="at least 1, not 0"):
        preset("demo", seeds=0)
