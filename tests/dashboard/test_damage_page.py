"""Breaking a copy on the playground, without a browser: what is said, drawn and counted follows the copy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from abp import Experiment
from abp.analysis.confusion import predictions
from abp.dashboard.playground.damage import SHARES, Damage, curve_chart, curves
from abp.dashboard.playground.mistakes import confusion_table
from abp.data.datasets import load_test_set
from abp.network.evaluation import evaluate
from abp.runs.damage import BREAKING, TrainedNetwork, damaged, switched_off, trained_network
from abp.store.store import Store
from tests.dashboard.opening import again, open_page, settled, words
from tests.recordings import trained

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


def test_the_slider_breaks_the_right_network_and_shows_how_many_pictures_that_costs(store, run):
    page = open_page("playground", run=run, picture=1)
    whole = right(store, copy(store, run))
    assert words(page).count(f"classifies **{100 * whole:.1f} %** of the test pictures correctly") == 2
    page.selectbox(key="break-criterion").set_value("random")
    page.slider[0].set_value(90)
    again(page)
    left = right(store, damaged(copy(store, run), "random", 0.9))
    assert left < whole
    expected = f"classifies **{100 * left:.1f} %** of the test pictures correctly (−{100 * (whole - left):.1f} points)."
    assert expected in words(page)


def test_neurons_in_the_list_are_off_until_all_are_switched_on(store, run):
    page = open_page("playground", run=run, picture=1)
    page.multiselect[0].set_value(["hidden 1, neuron 3", "hidden 2, neuron 16"])
    again(page)
    left = right(store, switched_off(copy(store, run), [(0, 2), (1, 15)]))
    assert f"classifies **{100 * left:.1f} %**" in words(page)
    sent = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    as_trained, yours = (side for side in sent if "layers" in side)
    assert (as_trained["title"], as_trained["switches"]) == ("As trained", False)
    assert (yours["title"], yours["switches"]) == ("Your copy", True)
    assert [yours["layers"][layer]["live"][neuron] for layer, neuron in ((0, 2), (1, 15))] == [0, 0]
    assert sum(links == 0 for layer in yours["layers"] for links in layer["live"]) == 2
    next(button for button in page.button if button.label == "Switch all on").click()
    again(page)
    assert page.multiselect[0].value == [] and " points)." not in words(page)


def test_the_curves_are_the_accuracies_of_copies_broken_by_every_method(store, run):
    whole = copy(store, run)
    table = curves(whole)
    assert len(table) == len(BREAKING) * len(SHARES)
    for row in table.sample(12, random_state=0).itertuples():
        assert row.accuracy == pytest.approx(right(store, damaged(whole, row.criterion, row.removed)))
    spec = curve_chart(table, Damage("magnitude", 0.3)).to_dict()
    assert len(spec["layer"]) == 4  # where the slider stands, the curves, the knee and its word
    page = settled(open_page("playground", run=run))
    assert "Knee of" in words(page) and "Accuracy after removal" in words(page)


def test_mistakes_count_every_test_picture_and_name_those_that_were_lost(store, run):
    page = open_page("playground", run=run, picture=1)
    page.slider[0].set_value(95)
    page.toggle[0].set_value(True)
    again(page)
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
