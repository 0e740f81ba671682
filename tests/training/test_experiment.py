from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abp import Experiment
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.training.experiment import settings
from abp.training.setting import Setting, SettingError, parse_hidden, parse_ranks

DEFAULTS = dataclasses.asdict(Experiment())
NUMBERS = {name: setting for name, setting in settings().items() if setting.low is not None and name != "hidden"}
WHOLE = [name for name in NUMBERS if isinstance(DEFAULTS[name], int)]
REAL = [name for name in NUMBERS if isinstance(DEFAULTS[name], float)]
CHOICES = {name: setting for name, setting in settings().items() if setting.choices is not None}


def refusal(**values) -> str:
    """The message that these settings are refused with."""
    with pytest.raises(SettingError) as caught:
        Experiment(**values)
    return str(caught.value)


# What the fields are


def test_every_field_is_described_for_people_and_of_a_known_kind():
    assert list(settings()) == [field.name for field in dataclasses.fields(Experiment)]
    for setting in settings().values():
        assert isinstance(setting, Setting)
        assert setting.label and setting.help.endswith(".")
    assert {*NUMBERS, *CHOICES, "hidden", "ranks", "reset_counts"} == set(DEFAULTS)


def test_the_defaults_are_those_of_the_published_study():
    published = {
        "hidden": (300, 200, 100, 50), "amount": 0.8, "prunings": 5, "epochs": 500, "batch_size": 32,
        "learning_rate": 0.01, "optimiser": "sgd", "momentum": 0.0, "start_accuracy": 0.80, "stop_accuracy": 0.98,
        "share_ratio": 0.8, "early_stopping": 1.1, "patience": 3, "reset_counts": False,
    }  # fmt: skip
    assert {name: DEFAULTS[name] for name in published} == published
    assert (DEFAULTS["stalled"], DEFAULTS["threads"]) == ("prune", 1)  # decisions of ours


def test_choices_are_the_data_sets_and_criteria_there_are():
    assert list(CHOICES["dataset"].choices) == list(DATASETS)
    assert list(CHOICES["criterion"].choices) == list(CRITERIA)
    assert CHOICES["criterion"].choices["activation-neuron"] == "neurons by activation"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_bounds_are_inclusive(name, end):
    value = getattr(NUMBERS[name], end)
    others = {"start_accuracy": {"stop_accuracy": 1.0}, "stop_accuracy": {"start_accuracy": 0.0}}
    found = getattr(Experiment(**{name: value}, **others.get(name, {})), name)
    assert found == value
    assert type(found) is type(DEFAULTS[name])


# What is refused


@pytest.mark.parametrize("value", [1.5, 2.0, "3", "many", None, True, False, [1], math.nan, math.inf, 1j, np.True_])
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_a_whole_number_is_refused_by_name(name, value):
    message = refusal(**{name: value})
    assert name in message and repr(value) in message


@pytest.mark.parametrize("value", ["0.5", "much", None, True, False, [0.5], math.nan, math.inf, -math.inf, 1j])
@pytest.mark.parametrize("name", REAL)
def test_what_is_not_a_finite_number_is_refused_by_name(name, value):
    message = refusal(**{name: value})
    assert name in message and repr(value) in message


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_number_out_of_bounds_is_refused_with_the_exact_bounds(name, end):
    setting = NUMBERS[name]
    outwards = -math.inf if end == "low" else math.inf
    bound = getattr(setting, end)
    value = math.nextafter(bound, outwards) if name in REAL else bound + (-1 if end == "low" else 1)
    message = refusal(**{name: value})
    assert name in message and repr(value) in message
    numbers = [float(word.replace(",", "")) for word in message.split() if word.strip(",")[0].isdigit()]
    assert setting.low in numbers and setting.high in numbers


@pytest.mark.parametrize("value", ["nonsense", "", None, 3, True, ["digits"], {}, math.nan])
@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_name_is_refused_with_the_choices(name, value):
    message = refusal(**{name: value})
    assert name in message and repr(value) in message
    assert all(choice in message for choice in CHOICES[name].choices)


@pytest.mark.parametrize("value", [0, 1, 0.0, "true", "", None, np.True_])
def test_what_is_neither_true_nor_false_is_refused(value):
    message = refusal(reset_counts=value)
    assert "reset_counts" in message and repr(value) in message


@pytest.mark.parametrize(
    "value",
    [(), [], "300,200", 300, None, True, {30}, (0,), (30, -1), (4097,), (30, 1.5), (30, "20"), (True,), (math.nan,),
     ((30,),), (30,) * 9],
)  # fmt: skip
def test_hidden_layers_that_cannot_be_built_are_refused(value):
    message = refusal(hidden=value)
    value = tuple(value) if isinstance(value, list) else value
    culprit = value if not isinstance(value, tuple) or len(value) in (0, 9) else value[-1]
    assert "hidden" in message and repr(culprit) in message


def test_pruning_may_not_start_above_the_accuracy_that_ends_training():
    message = refusal(start_accuracy=0.9, stop_accuracy=0.8)
    assert all(word in message for word in ("start_accuracy", "stop_accuracy", "0.9", "0.8"))


def test_momentum_belongs_to_sgd():
    assert Experiment(optimiser="sgd", momentum=0.9).momentum == 0.9
    assert "momentum" in refusal(optimiser="adam", momentum=0.9)


def test_settings_go_by_name():
    with pytest.raises(TypeError):
        Experiment("digits")


@pytest.mark.parametrize(
    ("value", "word"),
    [((3,), "2 numbers"), ((3, 4, 5), "2 numbers"), ((31, 3), "between 0 and 30"), ((3, 21), "between 0 and 20"),
     ((-1, 3), "-1"), ((2.5, 3), "2.5"), ("3,4", "'3,4'"), ((True, 3), "True"), (3, "3")],
)  # fmt: skip
def test_rank_limits_that_the_layers_cannot_have_are_refused(value, word):
    message = refusal(hidden=(30, 20), criterion="none", ranks=value)
    assert "ranks" in message and word in message


def test_ranks_are_limited_in_runs_that_do_not_prune_only():
    assert Experiment(hidden=(30, 20), criterion="none", ranks=[30, 0]).ranks == (30, 0)
    assert "magnitude" in refusal(hidden=(30, 20), criterion="magnitude", ranks=(5, 5))


@pytest.mark.parametrize(("text", "ranks"), [("", ()), (" ", ()), ("20, 10", (20, 10)), ("0", (0,))])
def test_rank_limits_are_read_from_text(text, ranks):
    assert parse_ranks(text) == ranks


@pytest.mark.parametrize("text", ["20,,", ",20", "a", "2.5", "()"])
def test_text_that_names_no_rank_limits_is_refused(text):
    with pytest.raises(SettingError) as caught:
        parse_ranks(text)
    assert "ranks" in str(caught.value) and repr(text) in str(caught.value)


# What is accepted and how it is kept


def test_an_experiment_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment().seed = 1


def test_equal_settings_are_equal_and_can_be_keys():
    assert Experiment(hidden=[30, 20], amount=0) == Experiment(hidden=(30, 20), amount=0.0)
    assert len({Experiment(hidden=[30, 20]), Experiment(hidden=(30, 20))}) == 1


def test_numbers_of_numpy_are_kept_as_those_of_python():
    # Seeds and amounts often come out of np.arange or a data frame.
    experiment = Experiment(
        seed=np.int64(3), amount=np.float32(0.5), learning_rate=np.float64(0.1), hidden=(np.int32(30),)
    )
    assert experiment == Experiment(seed=3, amount=0.5, learning_rate=0.1, hidden=(30,))
    assert (type(experiment.seed), type(experiment.amount), type(experiment.hidden[0])) == (int, float, int)
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_sizes_run_from_pixels_to_classes():
    assert Experiment(dataset="mnist").sizes == [784, 300, 200, 100, 50, 10]
    assert Experiment(dataset="digits", hidden=(5,)).sizes == [64, 5, 10]


def test_the_criterion_none_makes_no_prunings():
    assert Experiment(criterion="none").scheduled_prunings == 0
    assert Experiment(criterion="magnitude").scheduled_prunings == 5


def test_the_title_names_data_method_amount_and_seed():
    title = Experiment(dataset="mnist", criterion="activation-neuron", amount=0.85, seed=7).title
    assert title == "MNIST · neurons by activation, 85 % · seed 7"
    assert Experiment(dataset="mnist", criterion="none", seed=7).title == "MNIST · dense · seed 7"
    one_layer = Experiment(hidden=(9,), schedule="layer-by-layer", dataset="mnist")
    for by_layer in (one_layer, Experiment(dataset="mnist", schedule="layer-by-layer")):
        assert by_layer.title == "MNIST · weights by activation, 80 %, layer by layer · seed 0"
        assert dataclasses.replace(by_layer, scope="per-layer").title == by_layer.title
    within = Experiment(dataset="mnist", scope="per-layer")
    assert within.title == "MNIST · weights by activation, 80 %, within each hidden layer · seed 0"
    baseline = dataclasses.replace(within, criterion="magnitude", schedule="polynomial")
    assert baseline.title == (
        "MNIST · weights by magnitude, 80 %, polynomial after training, within each hidden layer · seed 0"
    )
    dense = Experiment(dataset="mnist", schedule="layer-by-layer", criterion="none")
    assert dense.title == "MNIST · dense · seed 0"


def test_the_title_does_not_round_an_amount_to_everything():
    assert "99.9 %" in Experiment(amount=0.999).title
    assert "97.5 %" in Experiment(amount=0.975).title


@pytest.mark.parametrize(
    ("text", "layers"), [("300,200,100,50", (300, 200, 100, 50)), (" 30 , 20", (30, 20)), ("7", (7,))]
)
def test_hidden_layers_are_read_from_text(text, layers):
    assert parse_hidden(text) == layers


@pytest.mark.parametrize("text", ["", ",", "30,,", "30,,20", "30;20", "a", "30,2.5", "(30, 20)"])
def test_text_that_names_no_hidden_layers_is_refused(text):
    with pytest.raises(SettingError) as caught:
        parse_hidden(text)
    assert "hidden" in str(caught.value) and repr(text) in str(caught.value)


# JSON


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    values = {name: draw(st.sampled_from(list(setting.choices))) for name, setting in CHOICES.items()}
    values |= {name: draw(st.integers(NUMBERS[name].low, NUMBERS[name].high)) for name in WHOLE}
    values |= {name: draw(st.floats(NUMBERS[name].low, NUMBERS[name].high)) for name in REAL}
    values["hidden"] = draw(st.lists(st.integers(1, 4096), min_size=1, max_size=8).map(tuple))
    values["reset_counts"] = draw(st.booleans())
    pair = ("start_accuracy", "stop_accuracy")
    values |= zip(pair, sorted(values[name] for name in pair), strict=True)
    if values["optimiser"] != "sgd":
        values["momentum"] = 0.0
    if CRITERIA[values["criterion"]].needs_counts and values["schedule"] == "before-training":
        values["schedule"] = "at-once"
    return Experiment(**values)


@given(experiments())
def test_settings_survive_the_way_through_json(experiment):
    text = experiment.to_json()
    found = Experiment.from_json(text)
    assert found == experiment
    assert hash(found) == hash(experiment)
    assert found.to_json() == text


def test_json_holds_every_field_by_name():
    values = json.loads(Experiment(hidden=(30, 20)).to_json())
    assert list(values) == list(settings())
    assert values["hidden"] == [30, 20]


def test_fields_missing_in_json_take_their_defaults():
    assert Experiment.from_json('{"seed": 3}') == Experiment(seed=3)


def test_unknown_fields_in_json_are_named():
    with pytest.raises(SettingError, match="colour.*known are.*amount"):
        Experiment.from_json('{"seed": 3, "colour": "red"}')


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"seed"', '["seed"]', '{"seed": NaN}', '{"dataset": []}'])
def test_json_that_holds_no_settings_is_refused(text):
    with pytest.raises(SettingError):
        Experiment.from_json(text)
