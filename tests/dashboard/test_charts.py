from __future__ import annotations

import json
import math
from typing import Any
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abp.dashboard.charts import charts, colours, tables
from abp.dashboard.demo.presets import DEMO
from abp.dashboard.demo.start_drawing import pruning_drawings
from abp.dashboard.frame.status import ENDED_BY, STATUS
from abp.pruning.criteria import CRITERIA
from abp.store.records import ACTIVE, RESUMABLE

HIDDEN = (300, 200, 100, 50)


@pytest.fixture(autouse=True)
def _any_number_of_rows():
    """Streamlit sends rows beside the chart, where Altair's own limit does not apply."""
    with alt.data_transformers.enable("default", max_rows=None):
        yield


def frame(seed: int, hidden=HIDDEN, samples: int = 1000, removed: float = 0.0) -> list[pd.DataFrame]:
    """Tables of the heatmap for made-up counts, with about this share of the neurons removed."""
    random = np.random.default_rng(seed)
    counts = [random.integers(0, samples + 1, width) for width in hidden]
    live_weights = [np.where(random.random(width) < removed, 0, random.integers(1, 99, width)) for width in hidden]
    return tables.neurons(hidden, counts, samples, live_weights)


def epochs(number: int) -> pd.DataFrame:
    """A made-up history in which accuracy rises and loss falls."""
    epoch = np.arange(1, number + 1)
    rising = 1 - 0.9 / np.sqrt(epoch)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_accuracy": rising,
            "valid_accuracy": rising * 0.99,
            "train_loss": 2.3 / epoch,
            "valid_loss": 2.4 / epoch,
        }
    )


def prunings(*rows: tuple[int, int, str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["epoch", "batch", "criterion", "made_by", "achieved", "sparsity"])


def shape_of(chart) -> str:
    """The chart's specification without the rows it draws."""
    spec = chart.to_dict()
    spec.pop("datasets", None)

    def without_data(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: without_data(value) for name, value in part.items() if name != "data"}
        return [without_data(value) for value in part] if isinstance(part, list) else part

    return json.dumps(without_data(spec), sort_keys=True)


def marks(chart) -> list[dict]:
    """Rows drawn by all layers of a chart, as they stand in its specification."""
    return [row for rows in chart.to_dict().get("datasets", {}).values() for row in rows]


def axis(chart, channel: str) -> list[float]:
    """Domain of a chart's axis, wherever in its layers it stands."""
    found = [layer["encoding"][channel]["scale"]["domain"] for layer in chart.to_dict()["layer"]
             if "scale" in layer["encoding"].get(channel, {})]  # fmt: skip
    assert found
    return found[0]


# The table behind the heatmap


def test_every_neuron_has_its_own_place_row_by_row_within_the_layers_block():
    for table, width in zip(frame(1), HIDDEN, strict=True):
        columns = charts.layer_columns(width, charts.cell_size(HIDDEN))
        places = [(number % columns + 0.5, number // columns + 0.5) for number in range(width)]
        assert list(zip(table["column"], table["row"], strict=True)) == places
        assert len(set(places)) == width
        assert table["row"].max() < math.ceil(width / columns)
        assert table["neuron"].tolist() == list(range(1, width + 1))  # people count from one


def test_frequency_is_the_share_of_the_samples_for_which_the_neuron_fired():
    counts = [np.array([0, 1, 3, 7]), np.array([7, 2])]
    first, second = tables.neurons((4, 2), counts, 7, None)
    assert first["frequency"].tolist() == [round(count / 7, 4) for count in (0, 1, 3, 7)]
    assert second["frequency"].tolist() == [1.0, round(2 / 7, 4)]
    assert set(first["layer"]) == {"hidden 1"} and set(second["layer"]) == {"hidden 2"}


def test_before_any_sample_no_neuron_has_fired():
    (table,) = tables.neurons((3,), [np.zeros(3)], 0, None)
    assert table["frequency"].tolist() == [0, 0, 0]


def test_a_neuron_without_incoming_weights_is_removed_and_no_other_one():
    first, second = tables.neurons((3, 2), [np.ones(3), np.ones(2)], 1, [np.array([5, 0, 1]), np.array([0, 20])])
    assert first["state"].tolist() == ["live", "removed", "live"]
    assert second["state"].tolist() == ["removed", "live"]
    assert first["live_weights"].tolist() == [5, 0, 1]


def test_before_the_first_pruning_every_neuron_is_alive():
    for table in tables.neurons((3, 2), [np.ones(3), np.ones(2)], 1, None):
        assert set(table["state"]) == {"live"}


# The heatmap


def test_the_heatmap_draws_every_neuron_and_what_its_tooltip_tells():
    for table, width in zip(frame(2, removed=0.5), HIDDEN, strict=True):
        chart = charts.activity(table, width, 13)
        rows = {row["neuron"]: row for row in marks(chart)}
        assert len(rows) == width
        for layer in chart.to_dict()["layer"]:
            told = {field["field"] for field in layer["encoding"]["tooltip"]}
            assert told == {"layer", "neuron", "state", "frequency", "live_weights"}
            assert told <= set(rows[1])


def test_live_neurons_and_removed_ones_are_drawn_by_different_marks():
    live_layer, removed_layer = charts.activity(frame(3, removed=0.5)[0], 300, 13).to_dict()["layer"]
    assert "'live'" in live_layer["transform"][0]["filter"] and live_layer["mark"]["type"] == "square"
    assert "'removed'" in removed_layer["transform"][0]["filter"] and removed_layer["mark"]["type"] == "point"


def test_the_heatmaps_colours_always_run_from_never_to_always():
    live_layer = charts.activity(frame(3)[0], 300, 13).to_dict()["layer"][0]
    assert live_layer["encoding"]["color"]["scale"]["domain"] == [0, 1]
    assert charts.frequency_legend().to_dict()["encoding"]["color"]["scale"]["domain"] == [0, 1]


def test_the_heatmaps_specification_stays_the_same_while_only_the_data_change():
    early, late = frame(4), frame(5, samples=50_000, removed=0.9)
    for width, before, after in zip(HIDDEN, early, late, strict=True):
        assert not before.equals(after)
        assert shape_of(charts.activity(before, width, 13)) == shape_of(charts.activity(after, width, 13))


@pytest.mark.parametrize("width", [1, 300, 4096])
def test_the_specification_that_a_live_page_keeps_is_the_heatmaps_own(width):
    (table,) = frame(8, hidden=(width,), removed=0.3)
    drawn = charts.activity(table, width, 13).to_dict()
    assert charts.activity_spec(width, 13) == {part: drawn[part] for part in drawn if part not in ("data", "datasets")}
    assert charts.frequency_legend_spec()["encoding"] == charts.frequency_legend().to_dict()["encoding"]


@given(st.lists(st.integers(1, 4096), min_size=1, max_size=8))
def test_all_layers_have_cells_of_one_size_and_none_is_wider_than_a_phone(hidden):
    cell = charts.cell_size(hidden)
    for width in hidden:
        columns = charts.layer_columns(width, cell)
        assert columns >= 1
        assert columns * cell <= 340  # of the 390 pixels of a phone, less the page's margins


def test_a_layer_of_4096_neurons_is_drawn_whole():
    (table,) = frame(6, hidden=(4096,), removed=0.1)
    chart = charts.activity(table, 4096, charts.cell_size((4096,)))
    drawn = marks(chart)
    assert len({(row["column"], row["row"]) for row in drawn}) == len(drawn) == 4096
    assert max(row["column"] for row in drawn) < axis_of_all(chart)["x"]
    assert max(row["row"] for row in drawn) < axis_of_all(chart)["y"]


def axis_of_all(chart) -> dict[str, float]:
    """Upper end of a heatmap's axes."""
    encoding = chart.to_dict()["layer"][0]["encoding"]
    return {channel: max(encoding[channel]["scale"]["domain"]) for channel in ("x", "y")}


def test_a_layer_of_one_neuron_is_drawn():
    (table,) = frame(7, hidden=(1,))
    assert len(marks(charts.activity(table, 1, charts.cell_size((1,))))) == 1


# The histories


@pytest.mark.parametrize("number", [0, 1, 2, 500])
def test_every_chart_of_a_history_builds_for_any_number_of_epochs(number):
    none = prunings()
    some = prunings((1, 0, "magnitude", "hand", 0.1, 0.1))
    for made in (none, some):
        rules = tables.pruning_rules(made, batches=10)
        steps = tables.sparsity_steps(made, batches=10, until=max(number, 1))
        for chart in (
            charts.history(epochs(number), rules, "accuracy", max(number, 1)),
            charts.history(epochs(number), rules, "loss", max(number, 1)),
            charts.sparsity(steps, rules, max(number, 1)),
        ):
            assert json.dumps(chart.to_dict())


def test_a_history_draws_training_and_validation_of_every_epoch():
    table = epochs(7)
    drawn = marks(charts.history(table, tables.pruning_rules(prunings(), 10), "accuracy", 7))
    for split, column in (("training", "train_accuracy"), ("validation", "valid_accuracy")):
        values = {row["epoch"]: row["accuracy"] for row in drawn if row.get("split") == split}
        assert values == pytest.approx(dict(zip(table["epoch"], table[column], strict=True)))


@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_a_historys_specification_changes_in_rare_steps_only(measure):
    none = tables.pruning_rules(prunings(), 10)
    shapes = [shape_of(charts.history(epochs(number), none, measure, number)) for number in range(2, 101)]
    changes = sum(before != after for before, after in zip(shapes, shapes[1:], strict=False))
    assert changes <= 3  # at 10, 25 and 50 epochs


def test_the_sparsity_charts_specification_stays_the_same_from_pruning_to_pruning():
    none, two = prunings(), prunings((3, 10, "random", "hand", 0.1, 0.1), (5, 4, "random", "schedule", 0.2, 0.3))
    shapes = {
        shape_of(charts.sparsity(tables.sparsity_steps(made, 10, 8), tables.pruning_rules(made, 10), 8))
        for made in (none, two)
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("lowest", [0.0, 0.05, 0.31, 0.9, 0.97, 1.0])
def test_the_accuracy_axis_shows_every_value_and_ends_at_100_percent(lowest):
    table = pd.DataFrame({"epoch": [1, 2], "train_accuracy": [lowest, 1.0], "valid_accuracy": [lowest, 1.0]})
    low, high = axis(charts.history(table, tables.pruning_rules(prunings(), 1), "accuracy", 2), "y")
    assert low <= lowest and high == 1
    assert lowest - low < 0.1 + 1e-9 or low == 0.9  # and wastes no range


@pytest.mark.parametrize("highest", [0.0, 0.01, 0.5, 2.3, 17.2])
def test_the_loss_axis_starts_at_zero_and_shows_every_value(highest):
    table = pd.DataFrame({"epoch": [1, 2], "train_loss": [highest, 0.0], "valid_loss": [highest, 0.0]})
    low, high = axis(charts.history(table, tables.pruning_rules(prunings(), 1), "loss", 2), "y")
    assert low == 0 and high >= highest


def test_the_epoch_axis_holds_the_run_and_grows_in_rare_steps():
    ends = [charts.step_above(number) for number in range(1, 10_001)]
    assert all(end >= number for number, end in enumerate(ends, start=1))
    assert ends == sorted(ends)
    assert len(set(ends)) <= 10
    assert all(end <= 2.5 * number for number, end in enumerate(ends, start=1) if number > 10)


# The prunings


def test_a_pruning_stands_where_it_fell_counted_in_epochs():
    made = prunings(
        (1, 5, "magnitude", "hand", 0.1, 0.1),  # in the middle of the first epoch
        (3, 10, "activation", "schedule", 0.2, 0.3),  # at the end of the third
        (3, 10, "random", "hand", 0.1, 0.4),
    )
    rules = tables.pruning_rules(made, batches=10)
    assert rules["position"].tolist() == [0.5, 3.0, 3.0]


def test_a_pruning_before_the_first_epoch_stands_at_the_start():
    rules = tables.pruning_rules(prunings((0, 0, "random", "hand", 0.1, 0.1)), batches=10)
    assert rules["position"].tolist() == [0.0]


def test_a_pruning_is_told_by_method_by_whom_and_how_much():
    made = prunings((1, 5, "magnitude", "hand", 0.25, 0.25), (2, 10, "activation-neuron", "stall", 0.1234, 0.37))
    by_hand, by_schedule = tables.pruning_rules(made, batches=10)["what"]
    assert CRITERIA["magnitude"].title in by_hand and "by hand: 25.0 %" in by_hand
    assert CRITERIA["activation-neuron"].title in by_schedule and "by schedule: 12.3 %" in by_schedule


def test_sparsity_rises_at_each_pruning_and_holds_until_now():
    made = prunings((1, 5, "magnitude", "hand", 0.1, 0.1), (3, 10, "magnitude", "hand", 0.3, 0.4))
    steps = tables.sparsity_steps(made, batches=10, until=4.5)
    assert list(zip(steps["position"], steps["sparsity"], strict=True)) == [(0, 0), (0.5, 0.1), (3, 0.4), (4.5, 0.4)]


def test_a_continued_runs_sparsity_begins_where_its_parents_ended():
    steps = tables.sparsity_steps(prunings(), batches=10, until=2, start=0.4)
    assert list(zip(steps["position"], steps["sparsity"], strict=True)) == [(0, 0.4), (2, 0.4)]
    made = prunings((1, 5, "magnitude", "hand", 0.1, 0.5))
    steps = tables.sparsity_steps(made, batches=10, until=2, start=0.4)
    assert list(zip(steps["position"], steps["sparsity"], strict=True)) == [(0, 0.4), (0.5, 0.5), (2, 0.5)]


def test_without_prunings_sparsity_is_zero_all_along():
    steps = tables.sparsity_steps(prunings(), batches=10, until=2)
    assert list(zip(steps["position"], steps["sparsity"], strict=True)) == [(0, 0), (2, 0)]
    assert tables.pruning_rules(prunings(), batches=10).empty


# Colours, words and the first picture


def test_every_method_has_a_colour_of_its_own():
    assert set(CRITERIA) <= set(colours.METHODS)
    assert len(set(colours.METHODS.values())) == len(colours.METHODS)


def test_every_status_and_every_way_to_end_has_words():
    assert {*ACTIVE, *RESUMABLE, "finished", "stopped", "diverged", "failed"} == set(STATUS)
    assert {"stop-accuracy", "early-stopping", "fine-tuned", "epochs", "hand"} == set(ENDED_BY)


def test_the_first_pages_picture_draws_the_same_neurons_three_times_and_removes_the_pale_ones():
    stages = [ElementTree.fromstring(drawing) for drawing in pruning_drawings()]
    neurons = [
        {(mark.get("cx"), mark.get("cy")): mark.get("style") for mark in stage.iter("circle")} for stage in stages
    ]
    assert neurons[0].keys() == neurons[1].keys() > neurons[2].keys()
    went = neurons[1].keys() - neurons[2].keys()
    faded = {place for place in neurons[0] if neurons[0][place] != neurons[1][place]}
    assert went == faded and len({neurons[1][place] for place in went}) == 1
    crosses = sum("l8 8m0-8l-8 8" in mark.get("d", "") for mark in stages[2].iter("path"))
    assert crosses == len(went) > 0


def test_the_demo_shows_the_method_that_gave_the_laboratory_its_name_on_data_that_need_no_network():
    assert DEMO.dataset == "digits"
    assert DEMO.criterion.startswith("activation")
    assert DEMO.scheduled_prunings
