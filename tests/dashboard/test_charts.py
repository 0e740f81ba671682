from __future__ import annotations

import ast
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from abp.dashboard.charts import charts, colours
from abp.dashboard.demo.presets import DEMO
from abp.dashboard.demo.start_drawing import pruning_drawings
from abp.dashboard.frame.status import ENDED_BY, STATUS
from abp.dashboard.networks.spectrum_chart import spectrum_chart
from abp.dashboard.studies.charts import by_method
from abp.pruning.criteria import CRITERIA
from abp.store.records import ACTIVE, RESUMABLE
from tests.databases import any_database

pytestmark = any_database


def test_the_epoch_axis_holds_the_run_and_grows_in_rare_steps():
    ends = [charts.step_above(number) for number in range(1, 10_001)]
    assert all(end >= number for number, end in enumerate(ends, start=1))
    assert ends == sorted(ends)
    assert len(set(ends)) <= 10
    assert all(end <= 2.5 * number for number, end in enumerate(ends, start=1) if number > 10)


def test_channels_are_objects_since_altair_takes_long_to_find_the_class_of_a_text():
    texts = []
    for path in Path(charts.__file__).parents[1].rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "encode":
                channels = [
                    part for keyword in call.keywords for part in getattr(keyword.value, "elts", [keyword.value])
                ]
                texts += [ast.unparse(part) for part in channels if isinstance(part, ast.Constant | ast.JoinedStr)]
    assert texts == []


# Colours, words and the first picture


def test_every_method_has_a_colour_of_its_own():
    assert set(CRITERIA) <= set(colours.METHODS)
    assert len(set(colours.METHODS.values())) == len(colours.METHODS)


def test_every_status_and_every_way_to_end_has_words():
    assert {*ACTIVE, *RESUMABLE, "finished", "stopped", "diverged", "failed"} == set(STATUS)
    assert {"stop-accuracy", "early-stopping", "fine-tuned", "epochs", "hand", "elsewhere"} == set(ENDED_BY)


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


def test_no_two_methods_of_a_study_share_a_colour_and_no_interval_leaves_its_axis():
    rows = [
        {"dataset": "digits", "method": name, "criterion": "none", "amount": 0.0, "seed": seed, "run": 1,
         "sparsity": 0.0, "test_accuracy": 0.9 + 0.02 * seed}
        for name in ("dense", "nuclear norm 0.001", "nuclear norm 0.01", "weights by magnitude")
        for seed in (0, 1)
    ]  # fmt: skip
    spec = by_method(pd.DataFrame(rows)).to_dict()
    dots, bars, _ = spec["layer"]
    assert len(set(dots["encoding"]["color"]["scale"]["range"])) == 4
    least, most = dots["encoding"]["x"]["scale"]["domain"]
    drawn = spec["datasets"][bars["data"]["name"]]
    assert all(least <= row["shown_low"] < row["shown_high"] <= most for row in drawn)
    assert drawn[0]["low"] < least  # the interval itself is wider, and is told so
    assert spec["height"] >= 220


def test_two_amounts_are_told_apart_by_the_names_of_the_rows_and_methods_by_their_colours():
    rows = [
        {"dataset": "digits", "method": name, "criterion": "none", "amount": amount, "seed": seed, "run": 1,
         "sparsity": amount, "test_accuracy": 0.9 + 0.02 * seed}
        for name, amount in (("magnitude", 0.9), ("magnitude", 0.8), ("dense", 0.0), ("random", 0.9), ("random", 0.8))
        for seed in (0, 1)
    ]  # fmt: skip
    spec = by_method(pd.DataFrame(rows)).to_dict()
    dots, bars, _ = spec["layer"]
    ordered = ["dense", "80\xa0%, magnitude", "80\xa0%, random", "90\xa0%, magnitude", "90\xa0%, random"]
    for layer in (dots, bars):
        assert list(dict.fromkeys(row["row"] for row in spec["datasets"][layer["data"]["name"]])) == ordered
    assert len(dots["encoding"]["color"]["scale"]["domain"]) == 3


def test_a_zero_has_no_place_on_a_logarithmic_axis():
    table = pd.DataFrame({"layer": 1, "index": [1, 2, 3], "value": [2.0, 0.5, 0.0], "curve": "after"})
    spec = spectrum_chart(table, {"after": "#D55E00"}, log=True, highest=2.0).to_dict()
    assert [row["shown"] for row in spec["datasets"][spec["data"]["name"]]] == [2.0, 0.5, None]
    assert spec["encoding"]["y"]["title"] == "singular value"
