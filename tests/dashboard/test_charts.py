from __future__ import annotations

from xml.etree import ElementTree

from abp.dashboard.charts import charts, colours
from abp.dashboard.demo.presets import DEMO
from abp.dashboard.demo.start_drawing import pruning_drawings
from abp.dashboard.frame.status import ENDED_BY, STATUS
from abp.pruning.criteria import CRITERIA
from abp.store.records import ACTIVE, RESUMABLE


def test_the_epoch_axis_holds_the_run_and_grows_in_rare_steps():
    ends = [charts.step_above(number) for number in range(1, 10_001)]
    assert all(end >= number for number, end in enumerate(ends, start=1))
    assert ends == sorted(ends)
    assert len(set(ends)) <= 10
    assert all(end <= 2.5 * number for number, end in enumerate(ends, start=1) if number > 10)


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
