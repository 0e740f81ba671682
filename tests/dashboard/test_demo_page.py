"""The guided demo as Streamlit runs it: every step, runs in every situation, and figures that the store has."""

from __future__ import annotations

import dataclasses
import json
import re
import threading

import pytest
from streamlit.testing.v1 import AppTest

from abp.dashboard.demo.presets import GUIDED, GUIDED_AT_RANDOM, recent_guided, start_guided
from abp.dashboard.demo.story import SELDOM, TITLES, comparable, read_recording, scenes
from abp.pruning.criteria import CRITERIA
from abp.runs import worker
from abp.store.records import unpack_counts
from abp.store.snapshots import recorded_masks
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.dashboard.opening import ROOT, again, open_page
from tests.databases import any_database
from tests.recordings import trained
from tests.waiting import PATIENCE, wait_until

QUICK = dataclasses.replace(GUIDED, hidden=(60, 40), start_accuracy=0.3, stop_accuracy=0.5, prunings=2, epochs=40)
STEPS = range(1, len(TITLES) + 1)


def stage(page: AppTest) -> dict:
    """What the browser is given to draw now."""
    (element,) = page.get("bidi_component")
    data = json.loads(element.proto.json)
    frames = data.pop("frames")
    return data | frames[min(int(data["at"] / data["seconds"]), len(frames) - 1)]


def played(page: AppTest, seconds: float = 1e6) -> AppTest:
    """The page when its step has been played for so long, and held there."""
    clock = page.session_state["demo"]
    clock.stays = True
    clock.set(seconds)
    return again(page)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return again(page)


def param(page: AppTest, name: str) -> str:
    """A parameter of the link; AppTest gives a list or not, as it was set."""
    value = page.query_params[name]
    return value if isinstance(value, str) else value[-1]


def of_100(share: float) -> str:
    return f"{round(100 * share)} of 100"


@pytest.fixture
def pair(store) -> tuple[int, int]:
    """A finished demo and the run at random beside it."""
    return trained(store, QUICK), trained(store, dataclasses.replace(QUICK, criterion="random"))


def half_done(store: Store, experiment: Experiment, until) -> threading.Thread:
    """Train in the background until a condition holds, then hold the run there."""
    number = store.runs.add(experiment, pace=50.0)
    thread = threading.Thread(target=worker.execute, args=(store, number, worker.new_owner()))
    thread.start()
    wait_until(lambda: until(store.runs.get(number)), "for the run")
    store.commands.add(number, "pace", epochs_per_second=0.01)
    wait_until(lambda: store.commands.of(number)[0].settled, "for the pace")
    return thread


# What is said is what was recorded


def test_the_last_step_says_what_the_store_has(pair, store):
    run, beside = map(store.runs.get, pair)
    prunings = store.histories.prunings(run.id)
    shown = stage(played(open_page("demo", run=run.id, beside=beside.id, step=5)))
    before, after, random, left = shown["bars"]
    assert before["text"] == of_100(prunings["test_accuracy_before"][0])
    assert after["text"] == of_100(run.test_accuracy) and f"{run.epoch} rounds" in after["label"]
    assert random["text"] == of_100(beside.test_accuracy) and f"{beside.epoch} rounds" in random["label"]
    masks = recorded_masks(store, run, run.prunings)
    kept, all_weights = sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)
    assert left["text"] == f"{kept:,} of {all_weights:,}" and left["share"] == pytest.approx(kept / all_weights)
    output = int(masks[-1].any(dim=1).sum()) * 10
    work = (kept + output, all_weights + QUICK.hidden[-1] * 10)
    assert f"{work[0]:,} multiplications instead of {work[1]:,}" in shown["note"]
    for figure in (before, after, random):
        assert figure["text"] in shown["sentence"]
    assert f"{round(10 * run.sparsity)} of 10 connections are removed" in shown["sentence"]
    assert shown["alive"] == [int(alive) for mask in masks for alive in mask.any(dim=1)]


@pytest.mark.parametrize(
    ("random", "words"),
    [(0.94, "too close to call"), (0.90, "does worse"), (0.99, "does better"), (0.92, "too close to call")],
)
def test_the_verdict_follows_from_the_figures(random, words, pair, store):
    here, there = (read_recording(store, store.runs.get(number)) for number in pair)
    here = dataclasses.replace(here, states=(*here.states[:-1], dataclasses.replace(here.states[-1], accuracy=0.95)))
    end = dataclasses.replace(there.states[-1], accuracy=random)
    last = scenes(here, dataclasses.replace(there, states=(*there.states[:-1], end)))[-1]
    assert words in last.sentence and "95 of 100" in last.sentence and of_100(random) in last.sentence


def test_a_run_at_random_that_removed_another_share_is_not_compared(pair, store):
    here, there = (read_recording(store, store.runs.get(number)) for number in pair)
    end = dataclasses.replace(there.states[-1], sparsity=0.5)
    last = scenes(here, dataclasses.replace(there, states=(*there.states[:-1], end)))[-1]
    assert "too different to compare" in last.sentence


def test_the_neurons_pointed_out_are_those_that_seldom_fired_until_the_first_pruning(pair, store):
    run = store.runs.get(pair[0])
    until = int(store.histories.prunings(run.id)["epoch"][0])
    rows = [row for row in store.histories.epoch_counts(run.id) if row[0] <= until]
    samples = sum(row[1] for row in rows)
    counts = [sum(values) for values in zip(*(joined(row[2]) for row in rows), strict=True)]
    expected = [int(count < SELDOM * samples) for count in counts]
    shown = stage(played(open_page("demo", run=run.id, step=2)))
    assert shown["marked"] == expected
    assert shown["sentence"].startswith(f"{sum(expected)} of the {len(expected)} neurons hardly ever fire")
    assert shown["glow"] == pytest.approx([100 * count / samples for count in counts], abs=0.5)


def joined(packed: bytes) -> list[int]:
    return [int(count) for layer in unpack_counts(packed, QUICK.hidden) for count in layer]


def test_the_third_step_removes_what_the_first_pruning_removed(pair, store):
    run, beside = pair
    (first, random) = (store.histories.prunings(number).iloc[0] for number in pair)
    page = open_page("demo", run=run, beside=beside, step=3)
    before = stage(page)
    after = stage(played(page))
    assert sum(before["alive"]) - sum(after["alive"]) == first["neurons_removed"] == sum(before["marked"])
    assert f"The {first['neurons_removed']} least active neurons are removed" in after["sentence"]
    assert [bar["text"] for bar in after["bars"]] == [
        of_100(first["test_accuracy_after"]),
        f"{100 * (1 - first['sparsity']):.0f} %",
        of_100(random["test_accuracy_after"]),
    ]
    assert before["bars"][0]["text"] == of_100(first["test_accuracy_before"])


def test_the_first_and_the_fourth_step_play_every_epoch_and_every_pruning(pair, store):
    recording = read_recording(store, store.runs.get(pair[0]))
    epochs, prunings = store.histories.epochs(pair[0]), store.histories.prunings(pair[0])
    learning, _, _, recovery, _ = scenes(recording, None)
    until = int(prunings["epoch"][0])
    assert [frame.bars[0].share for frame in learning.frames] == [None, *epochs["test_accuracy"][:until]]
    expected = [prunings["test_accuracy_after"][0]]
    for _, epoch in epochs[until:].iterrows():
        expected.append(epoch["test_accuracy"])
        expected += prunings["test_accuracy_after"][(prunings["epoch"] == epoch["epoch"])].tolist()
    assert [frame.bars[0].share for frame in recovery.frames] == expected
    assert of_100(expected[-1]) in recovery.sentence


@any_database
@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "activation-neuron"])
def test_runs_of_other_criteria_are_told_as_they_were(criterion, store):
    number = trained(store, dataclasses.replace(QUICK, criterion=criterion))
    shown = [stage(played(open_page("demo", run=number, step=step))) for step in STEPS]
    if criterion == "none":
        assert "Nothing was removed" in shown[2]["sentence"] and "Hardly any connections" in shown[4]["sentence"]
    else:
        assert "least active" not in shown[2]["sentence"] and "removed" in shown[2]["sentence"]
    assert "no such run" in shown[4]["bars"][2]["text"]


# Situations


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_a_finished_demo_is_shown(step, pair):
    page = open_page("demo", run=pair[0], beside=pair[1], step=step)
    shown = stage(page)
    assert (shown["step"], shown["hidden"], shown["titles"]) == (step, [60, 40], list(TITLES))
    assert len(shown["alive"]) == len(shown["glow"]) == len(shown["marked"]) == 100
    assert len(shown["alt"]) > 40 and shown["sentence"]
    assert not page.error and not page.warning
    assert "Recorded here" in page.main.caption[-1].value


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_waits_shows_the_untrained_network_and_says_so(step, store, monkeypatch):
    run, beside = start_guided(store)
    page = open_page("demo", run=run, beside=beside, step=step)
    shown = stage(page)
    assert sum(shown["glow"]) == 0 and sum(shown["alive"]) == 240
    assert shown["note"] == "Getting ready"
    assert "is waiting" in shown["sentence"] or step == 1
    assert "switched off" in page.warning[0].value  # in these tests there is no engine
    assert "Live" in page.main.caption[-1].value


def test_a_run_in_training_is_followed_and_later_steps_say_how_far_it_is(store):
    endless = dataclasses.replace(QUICK, start_accuracy=0.98, stop_accuracy=1.0, epochs=10_000, patience=0)
    thread = half_done(store, endless, lambda run: run.epoch >= 2)
    run = store.runs.all()[0]
    try:

        def newest() -> str:
            return of_100(store.histories.epochs(run.id)["test_accuracy"].iloc[-1])

        # It may finish the epoch in which it was slowed down.
        wait_until(lambda: stage(played(open_page("demo", run=run.id)))["bars"][0]["text"] == newest(), "for the epoch")
        later = stage(open_page("demo", run=run.id, step=3))
        assert f"in training round {store.runs.get(run.id).epoch + 1}" in later["sentence"]
        assert later["bars"][0]["text"] == newest()
    finally:
        store.commands.add(run.id, "stop")
        thread.join()


def test_between_prunings_the_first_steps_are_whole_and_the_last_waits(store):
    slow = dataclasses.replace(QUICK, start_accuracy=0.3, stop_accuracy=0.999, epochs=10_000, patience=0)
    thread = half_done(store, slow, lambda run: run.prunings == 1)
    run = store.runs.all()[0]
    try:
        first = store.histories.prunings(run.id).iloc[0]
        assert of_100(first["test_accuracy_after"]) in stage(open_page("demo", run=run.id, step=3))["sentence"]
        assert "while more is removed" in stage(open_page("demo", run=run.id, step=4))["sentence"] or (
            store.runs.get(run.id).epoch == first["epoch"]
        )
        assert "not reached this step" in stage(open_page("demo", run=run.id, step=5))["sentence"]
    finally:
        store.commands.add(run.id, "stop")
        thread.join()


def test_while_the_run_at_random_still_learns_the_comparison_waits(store):
    run = trained(store, QUICK)
    beside = store.runs.add(dataclasses.replace(QUICK, criterion="random"))
    page = played(open_page("demo", run=run, beside=beside, step=5))
    assert stage(page)["bars"][2]["share"] is None
    assert page.session_state["demo"].playing  # it does not end before the comparison is there
    assert worker.execute(store, beside, worker.new_owner())
    assert stage(played(page))["bars"][2]["text"] == of_100(store.runs.get(beside).test_accuracy)


@pytest.mark.parametrize("gone", ["run", "beside"])
def test_a_deleted_run_is_said_to_be_gone_and_there_is_a_way_on(gone, pair, store):
    run, beside = pair
    page = open_page("demo", run=run, beside=beside, step=5)
    store.runs.delete(run if gone == "run" else beside)
    again(page)
    if gone == "beside":
        assert stage(played(page))["bars"][2]["text"] == "no such run"
        return
    assert "does not exist" in page.warning[0].value
    press(page, "Start a new demo")
    assert store.runs.get(int(param(page, "run"))).experiment == GUIDED


def test_a_run_that_failed_says_why_and_shows_what_there_is(store):
    number = store.runs.add(dataclasses.replace(QUICK, learning_rate=10.0, hidden=(20,) * 8, batch_size=1))
    assert worker.execute(store, number, worker.new_owner())
    assert store.runs.get(number).status == "diverged"
    page = open_page("demo", run=number, step=3)
    assert "diverged" in page.warning[0].value
    assert "There is nothing to show" in stage(page)["sentence"] or "Nothing was removed" in stage(page)["sentence"]
    assert "Train two new networks" in labels(page)


def test_a_network_too_large_for_it_is_sent_to_the_train_page(store):
    number = store.runs.add(Experiment(hidden=(900, 200)))
    page = open_page("demo", run=number)
    assert "1,100 neurons" in page.warning[0].value
    assert "train" in {link.proto.page for link in page.main.get("page_link")}


# Links


@pytest.mark.parametrize("link", ["abc", "-1", "0", "", "999", "9" * 400, "<b>1</b>"])
def test_a_link_to_a_run_that_there_is_not_says_so(link, store):
    page = open_page("demo", run=link)
    assert not page.error and "run" in page.warning[0].value.lower()


@pytest.mark.parametrize("step", ["0", "6", "x", "", "1.5", "9" * 400])
def test_a_step_that_there_is_not_is_the_first_and_is_said(step, pair):
    page = open_page("demo", run=pair[0], step=step)
    assert stage(page)["step"] == 1
    assert "from 1 to 5" in page.main.warning[0].value and len(page.main.warning[0].value) < 200


def test_a_run_of_other_settings_is_not_compared(store, pair):
    other = trained(store, dataclasses.replace(QUICK, criterion="random", seed=1))
    assert not comparable(store.runs.get(pair[0]), store.runs.get(other))
    assert stage(played(open_page("demo", run=pair[0], beside=other, step=5)))["bars"][2]["text"] == "no such run"


def test_without_a_run_the_page_offers_to_start_one_and_starts_nothing(store):
    page = open_page("demo")
    assert labels(page) == ["Show me, in a minute"]
    assert store.runs.all() == []


def test_the_first_page_starts_both_runs_with_one_seed_and_opens_the_demo(store):
    page = AppTest.from_file(str(ROOT / "start.py"), default_timeout=PATIENCE).run()
    assert labels(page)[0] == "Show me, in a minute"
    page.button[0].click()
    page.run()
    random, run = store.runs.all()
    assert (run.experiment, random.experiment) == (GUIDED, GUIDED_AT_RANDOM)
    assert comparable(run, random)
    assert param(page, "run") == str(run.id) and param(page, "beside") == str(random.id)
    assert stage(page)["step"] == 1


# The player


def test_next_and_back_go_through_the_steps_and_the_link_follows(pair):
    page = open_page("demo", run=pair[0], beside=pair[1])
    for step in STEPS[1:]:
        press(page, "Next")
        assert stage(page)["step"] == step and param(page, "step") == str(step)
    assert next(button for button in page.button if button.label == "Next").disabled
    press(page, "Back")
    assert stage(page)["step"] == 4
    press(page, "Restart")
    assert stage(page)["step"] == 1 and param(page, "step") == "1"


def test_a_step_that_has_been_played_leads_to_the_next_and_the_last_one_ends(pair):
    page = open_page("demo", run=pair[0], beside=pair[1])
    for step in STEPS[1:]:
        page.session_state["demo"].set(1e6)
        assert stage(again(page))["step"] == step
    page.session_state["demo"].set(1e6)
    assert stage(again(page))["step"] == 5
    assert not page.session_state["demo"].playing
    press(page, "Play")
    assert stage(page)["step"] == 1 and page.session_state["demo"].playing


def test_a_held_demo_stays_and_goes_step_by_step(pair):
    page = open_page("demo", run=pair[0], beside=pair[1], step=4)
    press(page, "Pause")
    assert not page.session_state["demo"].playing
    page.session_state["demo"].played = 2.0
    held = stage(again(page))
    assert stage(again(page)) == held
    press(page, "Next")
    page.session_state["demo"].set(1e6)
    again(page)
    assert stage(page)["step"] == 5 and not page.session_state["demo"].playing  # played to its end, and stays
    press(page, "Back")
    page.session_state["demo"].set(1e6)
    assert stage(again(page))["step"] == 4
    press(page, "Play")
    page.session_state["demo"].set(1e6)
    assert stage(again(page))["step"] == 5


def test_another_step_in_the_link_is_gone_to(pair):
    page = open_page("demo", run=pair[0], step=2)
    page.query_params["step"] = "4"  # the browser's Back
    assert stage(again(page))["step"] == 4


# Presenter mode


def presented(page: AppTest) -> bool:
    hidden = '[data-testid="stSidebar"], [data-testid="stHeader"]'  # as the style of this mode says
    return any(hidden in html.proto.body for html in page.get("html"))


def test_presenter_mode_is_large_hides_the_menu_and_can_be_left(pair):
    page = open_page("demo", run=pair[0], beside=pair[1], step=3, present=1)
    assert presented(page) and stage(page)["large"] and not page.title
    press(page, "Leave presenter mode")
    assert not presented(page) and not stage(page)["large"] and page.title
    assert param(page, "step") == "3" and "present" not in page.query_params
    press(page, "Presenter mode")
    assert presented(page)


def test_presenter_mode_plays_again_from_the_first_step_with_the_same_runs(pair, store):
    page = open_page("demo", run=pair[0], beside=pair[1], step=5, present=1)
    page.session_state["demo"].set(1e6)
    assert stage(again(page))["step"] == 1
    assert page.session_state["demo"].playing
    assert len(store.runs.all()) == 2


def test_presenter_mode_without_a_run_starts_one_and_keeps_to_it(store):
    page = open_page("demo", present=1)
    assert [run.experiment for run in store.runs.all()] == [GUIDED_AT_RANDOM, GUIDED]
    assert presented(page) and param(page, "present") == "1"
    again(page)
    assert len(store.runs.all()) == 2


def test_presenter_mode_without_a_run_shows_one_that_has_just_been_recorded(store):
    run, beside = start_guided(store)
    for number in (run, beside):
        store.commands.add(number, "pace", epochs_per_second=0)
        assert worker.execute(store, number, worker.new_owner())
    assert recent_guided(store) == (run, beside)
    page = open_page("demo", present=1)
    assert (param(page, "run"), param(page, "beside")) == (str(run), str(beside))
    assert len(store.runs.all()) == 2


def test_no_word_of_the_demo_is_a_formula(pair):
    for step in STEPS:
        shown = stage(played(open_page("demo", run=pair[0], beside=pair[1], step=step)))
        assert not re.search(r"[=$\\^]|\bepoch|\bsparsity", json.dumps([shown["sentence"], shown["note"]]))
