"""Breaking a copy on the playground, without a browser: what is said, drawn and counted follows the copy."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from abp import Experiment
from abp.analysis.confusion import predictions
from abp.analysis.neuron_responses import activations
from abp.dashboard.playground.damage import SHARES, Damage, curve_chart, curves
from abp.dashboard.playground.mistakes import confusion_table
from abp.data.datasets import load_test_set
from abp.network.evaluation import evaluate
from abp.runs.damage import BREAKING, NotMeasured, TrainedNetwork, damaged, switched_off, trained_network
from abp.store.store import Store
from tests.dashboard.opening import again, open_page, settled, words
from tests.recordings import trained
from tests.waiting import wait_until

DENSE = Experiment(hidden=(24, 16), criterion="none", learning_rate=0.1, epochs=8, stop_accuracy=1.0)


@pytest.fixture
def run(store) -> int:
    return trained(store, DENSE)


def copy(store: Store, run: int):
    found = trained_network(store, store.runs.get(run))
    assert found is not None
    return found


def right(store: Store, trained: TrainedNetwork) -> float:
    return evaluate(trained.network, *load_test_set("digits")).accuracy


@pytest.fixture
def slide(monkeypatch):
    """Put the slider at a share, as a browser would."""

    def to(percent: int, *, rests: bool = True) -> None:
        monkeypatch.setattr("abp.dashboard.playground.damage.share_slider", lambda label, key: (percent, rests))

    return to


def settle_scores(page) -> None:
    """Wait until both networks have been tested."""
    wait_until(lambda: ": …" not in words(again(page)), "for the scores")


def test_the_slider_breaks_the_right_network_and_shows_how_many_pictures_that_costs(store, run, slide):
    page = open_page("playground", run=run, picture=1)
    settle_scores(page)
    whole = right(store, copy(store, run))
    assert words(page).count(f"classifies **{100 * whole:.1f} %** correctly") == 2
    page.selectbox(key="break-criterion").set_value("random")
    slide(90, rests=False)
    again(page)
    assert words(page).count("** correctly") == 1  # while it is dragged, only the answer follows
    broken = damaged(copy(store, run), "random", 0.9)
    probabilities = activations(broken.network, load_test_set("digits")[0][0].numpy())[-1]
    bars = [element.proto.body for element in page.get("html") if "Your copy: class" in element.proto.body]
    assert re.findall(r"\d+ %", bars[0]) == [f"{100 * share:.0f} %" for share in probabilities]
    slide(90)
    settle_scores(page)
    left = right(store, broken)
    assert left < whole
    assert f"classifies **{100 * left:.1f} %** correctly (−{100 * (whole - left):.1f} points)." in words(page)


def test_a_criterion_that_looks_at_the_training_samples_does_so_in_the_background(store, run, slide):
    slide(60)
    page = open_page("playground", run=run, picture=1)
    page.selectbox(key="break-criterion").set_value("wanda")
    settled(page)
    settle_scores(page)
    left = right(store, damaged(copy(store, run), "wanda", 0.6))
    assert f"classifies **{100 * left:.1f} %** correctly" in words(page)
    with pytest.raises(NotMeasured):
        damaged(copy(store, run), "wanda", 0.6, at_once=True)


def test_neurons_in_the_list_are_off_until_all_are_switched_on(store, run):
    page = open_page("playground", run=run, picture=1)
    page.multiselect[0].set_value(["hidden 1, neuron 3", "hidden 2, neuron 16"])
    settle_scores(page)
    left = right(store, switched_off(copy(store, run), [(0, 2), (1, 15)]))
    assert f"classifies **{100 * left:.1f} %**" in words(page)
    (yours,) = [json.loads(part.proto.json) for part in page.get("bidi_component") if "layers" in part.proto.json]
    assert (yours["title"], yours["switches"]) == ("Your copy", True)
    assert [layer["off"] for layer in yours["layers"]] == [[2], [15]]
    page.segmented_control(key="flow-of").set_value("As trained")
    again(page)
    (whole,) = [json.loads(part.proto.json) for part in page.get("bidi_component") if "layers" in part.proto.json]
    assert (whole["title"], whole["switches"]) == ("As trained", False)
    assert [layer["off"] for layer in whole["layers"]] == [[], []]
    next(button for button in page.button if button.label == "Switch all on").click()
    settle_scores(page)
    assert page.multiselect[0].value == [] and " points)." not in words(page)


def test_the_curves_are_the_accuracies_of_copies_broken_by_every_method(store, run):
    whole = copy(store, run)
    table = curves(whole)
    assert len(table) == len(BREAKING) * len(SHARES)
    for row in table.sample(12, random_state=0).itertuples():
        assert row.accuracy == pytest.approx(right(store, damaged(whole, row.criterion, row.removed)))
    spec = curve_chart(table, Damage("magnitude", 0.3)).to_dict()
    assert len(spec["layer"]) == 4  # where the slider stands, the curves, the knee and its word
    page = open_page("playground", run=run)
    page.toggle(key="curves").set_value(True)
    settled(page)
    assert "can be removed before accuracy falls" in words(page) and "Accuracy after removal" in words(page)


def test_mistakes_count_every_test_picture_and_name_those_that_were_lost(store, run, slide):
    slide(95)
    page = open_page("playground", run=run, picture=1)
    page.toggle(key="mistakes").set_value(True)
    settled(page)
    x, y = load_test_set("digits")
    networks = [copy(store, run), damaged(copy(store, run), BREAKING[0], 0.95)]
    before, after = (predictions(trained.network, x) for trained in networks)
    for name, found in (("As trained", before), ("Your copy", after)):
        assert f"**{name}**: {int((found != y.numpy()).sum()):,} of 360 wrong" in words(page)
    gone = int(((before == y.numpy()) & (after != y.numpy())).sum())
    assert (
        gone
        and f"The network as trained classifies {gone:,} test pictures correctly that your copy does not" in words(page)
    )


def test_a_confusion_table_has_a_row_for_every_pair_and_shares_of_its_class():
    table = confusion_table(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    assert table.to_numpy().tolist() == [
        ["cat", "cat", 3, 0.75], ["cat", "dog", 1, 0.25], ["dog", "cat", 0, 0.0], ["dog", "dog", 0, 0.0],
    ]  # fmt: skip
