"""Continuing a run on the screen: the form, the way to it, and how the list of runs shows a family."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from abp.network.masks import live_weights, unpack
from abp.runs import worker
from abp.runs.continuation import continue_run
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.dashboard.test_pages import badges, links, live, open_page, press, run, tick, watch
from tests.recordings import trained

PARENT = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.5, prunings=2, start_accuracy=0.1, stop_accuracy=0.3,
    learning_rate=0.1, epochs=6,
)  # fmt: skip


def execute(store: Store, number: int) -> int:
    assert worker.execute(store, number, worker.new_owner())
    return number


@pytest.fixture
def parent(store) -> int:
    return trained(store, PARENT, name="The parent")


def form(number: object) -> AppTest:
    return open_page("pages/train.py", **{"continue": number})


def choose(page: AppTest, way: str) -> AppTest:
    page.radio[0].set_value(way)
    return run(page)


def children(store: Store, number: int) -> list:
    return [other for other in store.runs.all() if other.parent == number]


# The form


def test_start_without_a_change_trains_the_network_further_for_five_epochs_and_opens_it(store, parent):
    page = press(form(parent), "Start")
    (child,) = children(store, parent)
    assert (child.origin, child.experiment.epochs, child.lane) == ("fine-tuned", 5, "hand")
    assert child.name == "The parent · fine-tuned"
    assert page.query_params == {"run": str(child.id)}
    assert page.title[0].value == child.name
    assert "Queued" in badges(page) and f"Run {parent}, fine-tuned" in badges(page)
    assert len(store.runs.all()) == 2


@pytest.mark.parametrize(
    ("way", "origin"),
    [
        ("rewind", "rewound to the initial weights"),
        ("rewind-K", "rewound to before pruning 2"),
        ("reinitialise", "new random weights under the mask"),
    ],
)
def test_the_chosen_way_name_epochs_and_seed_reach_the_child(way, origin, store, parent):
    page = choose(form(parent), way)
    if way == "rewind-K":
        page.selectbox(key=f"continue-pruning-{parent}").set_value(2)
    page.number_input(key=f"continue-epochs-{parent}").set_value(7)
    if way == "reinitialise":
        page.number_input(key=f"continue-seed-{parent}").set_value(99)
    page.text_input(key=f"continue-name-{parent}").set_value("My child")
    press(page, "Start")
    (child,) = children(store, parent)
    assert (child.origin, child.name, child.experiment.epochs) == (origin, "My child", 7)
    assert child.experiment.seed == (99 if way == "reinitialise" else PARENT.seed)


def test_only_the_fields_that_the_chosen_way_uses_are_open(parent):
    for way in ("fine-tune", "rewind", "rewind-K", "reinitialise"):
        page = choose(form(parent), way)
        assert page.selectbox(key=f"continue-pruning-{parent}").disabled == (way != "rewind-K")
        assert page.number_input(key=f"continue-seed-{parent}").disabled == (way != "reinitialise")
    assert page.selectbox(key=f"continue-pruning-{parent}").options == ["1", "2"]
    assert page.number_input(key=f"continue-seed-{parent}").value == PARENT.seed + 1


def test_a_seed_that_would_be_the_parents_is_refused_in_words(store, parent):
    page = choose(form(parent), "reinitialise")
    page.number_input(key=f"continue-seed-{parent}").set_value(PARENT.seed)
    assert "Seed must not be 0" in press(page, "Start").error[0].value
    assert children(store, parent) == []


@pytest.mark.parametrize("details", [{"keep": "ends"}, {}], ids=["ends", "dense"])
def test_rewinding_to_before_a_pruning_is_offered_only_where_it_is_recorded(details, store):
    settings = PARENT if details else dataclasses.replace(PARENT, criterion="none")
    page = form(trained(store, settings, **details))
    assert len(page.radio[0].options) == 3 and not page.selectbox


def test_a_run_that_has_not_ended_cannot_be_continued_and_says_so(store):
    number = store.runs.add(PARENT)
    page = form(number)
    assert "queued" in page.info[0].value
    assert not page.button and not page.error
    assert ("train", f"continue={number}") not in {(to, query) for _, to, query in links(watch(number))}


@pytest.mark.parametrize("link", ["999", "abc", "", "-1"])
def test_a_link_to_continue_a_run_that_there_is_not_says_so(link, parent):
    page = form(link)
    assert "run" in page.warning[0].value.lower() and not page.error


# The child while it is watched


def test_a_queued_child_already_shows_what_is_removed(store, parent):
    child = continue_run(store, store.runs.get(parent), "rewind", epochs=3)
    left = live_weights(unpack(store.histories.masks(parent, 2), PARENT.sizes))
    assert any((layer == 0).any() for layer in left)
    assert live(watch(child))["start"] == torch.cat(left).tolist()
    assert live(watch(parent))["start"] is None


# The way there, and the family


def test_an_ended_run_offers_to_be_continued_on_both_pages(store, parent):
    link = ("Continue", "train", f"continue={parent}")
    assert link in links(watch(parent))
    page = tick(open_page("pages/runs.py"), parent)
    assert link in links(page)
    queued = store.runs.add(PARENT)
    page = tick(open_page("pages/runs.py"), queued)
    assert "Continue" not in {label for label, _, _ in links(page)}


def test_the_list_names_the_parent_and_what_was_made_of_it(store, parent):
    child = execute(store, continue_run(store, store.runs.get(parent), "rewind-1", epochs=2))
    table = open_page("pages/runs.py").dataframe[0].value.set_index("Run")
    assert table.loc[child, "Continues"] == f"{parent}: rewound to before pruning 1"
    assert table.loc[parent, "Continues"] == ""
    assert table.loc[child, "Method"] == "continued"
    assert not pd.isna(table.loc[child, "Test accuracy"])


def test_the_results_stand_directly_after_name_and_status(parent):
    columns = list(open_page("pages/runs.py").dataframe[0].value.columns)
    assert columns[:7] == ["Run", "Name", "Status", "Validation accuracy", "Test accuracy", "Sparsity", "Epochs"]


def test_a_ticked_run_links_to_its_parent_and_its_children(store, parent):
    child = continue_run(store, store.runs.get(parent), "rewind", epochs=2)
    other = continue_run(store, store.runs.get(parent), "fine-tune", epochs=2)

    def relatives(number: int) -> set[str]:
        page = tick(open_page("pages/runs.py"), number)
        shown = links(page)
        assert ("**Related runs**" in [text.value for text in page.markdown]) == (number in (parent, child, other))
        return {query for label, _, query in shown if label.startswith(("Run ", "Continues run "))}

    assert relatives(parent) == {f"run={child}", f"run={other}"}
    assert relatives(child) == {f"run={parent}"}
    assert relatives(store.runs.add(PARENT)) == set()


def test_a_child_whose_parent_was_deleted_says_so(store, parent):
    child = continue_run(store, store.runs.get(parent), "rewind", epochs=2)
    store.runs.delete(parent)
    page = tick(open_page("pages/runs.py"), child)
    assert any(f"run {parent}, which was deleted" in caption.value for caption in page.caption)
    assert not page.error and not page.warning
