"""The pages as Streamlit runs them, without a browser, over a store that real runs have filled."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from safetensors.torch import load
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from abp.dashboard.channel import messages
from abp.dashboard.components.live_run import current_state
from abp.dashboard.demo.presets import DEMO, DEMO_PACE
from abp.dashboard.frame.page import MENU
from abp.dashboard.frame.status import STATUS
from abp.data.datasets import DATASETS, DataUnavailable
from abp.pruning import criteria
from abp.pruning.criteria import CRITERIA
from abp.runs import worker
from abp.runs.session import session
from abp.store import schema
from abp.store.records import RunUnknown
from abp.store.repositories import watches
from abp.store.repositories.commands import Commands
from abp.store.store import Store
from abp.training.experiment import Experiment, settings
from tests.databases import as_it_is, copy_of, dropped, new_store, only_sqlite
from tests.recordings import trained
from tests.rows import change_run, die
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
HIDDEN = (20, 10)
TINY = Experiment(hidden=HIDDEN, criterion="activation", amount=0.5, prunings=2, start_accuracy=0.1, epochs=6)
ENDLESS = dataclasses.replace(TINY, epochs=10_000, learning_rate=1e-3, stop_accuracy=1.0, patience=0)
PAGES = tuple(file for section in MENU.values() for file, _, _ in section)
SITUATIONS = (
    "queued", "running", "paused", "finished", "stopped", "stopped-unbegun", "diverged", "failed", "interrupted",
    "pruned-by-hand",
)  # fmt: skip


# A store in which there is a run in every situation


def execute(store: Store, run: int, **details) -> None:
    assert worker.execute(store, run, worker.new_owner(), **details)


def leave_running(store: Store, run: int) -> threading.Thread:
    """Train in the background, a quarter of an epoch a second, until the run is stopped."""
    thread = threading.Thread(target=execute, args=(store, run))
    thread.start()
    wait_until(lambda: (frame := store.frames.newest(run, HIDDEN)) and frame.samples, "for the first batches")
    return thread


def fill(store: Store) -> tuple[dict[str, int], list[threading.Thread]]:
    """Runs in all situations but the ended ones that need another process's fault; and what still trains."""
    runs = {situation: store.runs.add(TINY, name=f"Run that is {situation}") for situation in ("finished", "queued")}
    execute(store, runs["finished"])

    for situation in ("running", "paused", "stopped"):
        runs[situation] = store.runs.add(ENDLESS, name=f"Run that is {situation}", pace=20.0)
    threads = [leave_running(store, runs[situation]) for situation in ("running", "paused", "stopped")]
    wait_until(lambda: all(store.runs.get(run).epoch >= 2 for run in list(runs.values())[2:]), "for two epochs")
    store.commands.add(runs["running"], "pace", epochs_per_second=0.01)
    store.commands.add(runs["paused"], "pause")
    store.commands.add(runs["stopped"], "stop")
    threads.pop().join()
    wait_until(lambda: store.runs.get(runs["paused"]).status == "paused")
    wait_until(lambda: store.commands.of(runs["running"])[0].settled, "for the pace")

    runs["stopped-unbegun"] = store.runs.add(TINY)
    store.commands.add(runs["stopped-unbegun"], "stop")

    runs["diverged"] = store.runs.add(dataclasses.replace(TINY, hidden=(20,) * 8, learning_rate=10.0, batch_size=1))
    execute(store, runs["diverged"])

    runs["failed"] = store.runs.add(dataclasses.replace(TINY, dataset="mnist"))
    with pytest.MonkeyPatch.context() as patch:

        def no_data(*_arguments, **_details):
            raise DataUnavailable("The files of MNIST are not here; the digits need none.")

        patch.setattr(session, "load_dataset", no_data)
        execute(store, runs["failed"])

    runs["interrupted"] = store.runs.add(dataclasses.replace(TINY, epochs=50, stop_accuracy=1.0))

    def lose_worker(progressed: session.Progressed) -> None:
        if progressed.epoch == 3:
            die(store, runs["interrupted"])

    execute(store, runs["interrupted"], report=lose_worker)

    runs["pruned-by-hand"] = store.runs.add(TINY)
    store.commands.add(runs["pruned-by-hand"], "prune", criterion="magnitude", amount=0.1)  # before the first batch
    execute(store, runs["pruned-by-hand"])
    return runs, threads


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Store, dict[str, int]]:
    """A store with a run in every situation, as it stood at one moment, and the runs' numbers."""
    store = new_store(tmp_path_factory)
    runs, threads = fill(store)
    still = as_it_is(store, tmp_path_factory.mktemp("filled"))
    for situation in ("running", "paused"):
        store.commands.add(runs[situation], "stop")
    for thread in threads:
        thread.join()
    return still, runs


@contextmanager
def at_home(store: Store, home: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the pages use a copy of a store."""
    home.mkdir(exist_ok=True)
    patch.setenv("ABP_HOME", str(home))
    with dropped(copy_of(store, home)) as place:
        if isinstance(place, str):
            patch.setenv("ABP_DATABASE", place)
        yield


@pytest.fixture
def runs(home, filled, monkeypatch) -> Iterator[dict[str, int]]:
    """The number of a run in each situation; the pages of this test use a store with all of them."""
    store, numbers = filled
    with at_home(store, home, monkeypatch):
        yield numbers


@pytest.fixture(scope="module")
def drawn(filled, tmp_path_factory) -> dict[str, AppTest]:
    """Every page, by its file, and the page of the run in each situation, drawn once; tests only look at them."""
    store, numbers = filled
    with pytest.MonkeyPatch.context() as patch, at_home(store, tmp_path_factory.mktemp("drawn"), patch):
        patch.setenv("ABP_ENGINE", "off")
        pages = {file: open_page(file) for file in PAGES}
        return pages | {situation: watch(number) for situation, number in numbers.items()}


def open_page(file: str, **link: object) -> AppTest:
    """A page as a cold link opens it, `from_` standing for ``?from=``."""
    page = AppTest.from_file(str(ROOT / "start.py"), default_timeout=PATIENCE)
    if file != "start.py":
        page.switch_page(file)
    for name, value in link.items():
        page.query_params[name.rstrip("_")] = str(value)
    return run(page)


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def watch(number: int) -> AppTest:
    return open_page("pages/train.py", run=number)


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [button for button in page.button if button.label == label]
    button.click()
    return run(page)


def labels(elements) -> list[str]:
    return [element.label for element in elements]


def words(page: AppTest) -> str:
    return " ".join(text.value for text in (*page.caption, *page.markdown, *page.error, *page.info, *page.warning))


def badges(page: AppTest) -> str:
    return " ".join(text.value for text in page.markdown if "-badge[" in text.value)


def live(page: AppTest) -> dict:
    """What the live view is given by the page."""
    (view,) = [
        element.proto for element in page.get("bidi_component") if element.proto.component_name == "live_network"
    ]
    return json.loads(view.json)


def told(number: int) -> dict:
    """What the live channel tells of a run's status."""
    store = Store()
    return messages.status(store.runs.get(number), store.commands.newest(number))


def charts_of(page: AppTest) -> list:
    return [element.proto for element in page.get("vega_lite_chart")]


def menu(page: AppTest) -> list[tuple[str, str]]:
    return [(link.value, link.proto.page) for link in page.sidebar.get("page_link")]


def links(page: AppTest) -> set[tuple[str, str, str]]:
    """Label, page and parameters of the links beside the menu."""
    return {(link.value, link.proto.page, link.proto.query_string) for link in page.main.get("page_link")}


# Every page in every situation


@pytest.mark.parametrize("file", PAGES)
def test_each_page_opens_over_an_empty_store(file, store):
    page = open_page(file)
    assert not page.error and not page.warning
    assert page.title


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_run_is_shown_in_every_situation(situation, runs, drawn):
    page = drawn[situation]
    assert not page.error and not page.warning
    state = Store().runs.get(runs[situation])
    word, _, _ = STATUS[state.status]
    assert page.title[0].value == state.name
    assert word in badges(page)
    assert ("Pruned by hand" in badges(page)) == (situation == "pruned-by-hand")
    shown = live(page)
    assert (shown["run"], shown["hidden"], shown["snapshot"]) == (state.id, list(state.experiment.hidden), "")
    assert shown["drawn"]["status"] == state.status and shown["drawn"]["pruned_by_hand"] == state.pruned_by_hand
    ended = f"{state.epoch} of {state.experiment.epochs} epochs"
    assert (ended in [caption.value for caption in page.caption]) == (not state.active)


@pytest.mark.parametrize(
    ("situation", "status"),
    [("stopped-unbegun", "stopped"), ("pruned-by-hand", "finished"), *((s, s) for s in SITUATIONS if "-" not in s)],
)
def test_the_situations_are_what_they_are_called(situation, status, runs):
    assert Store().runs.get(runs[situation]).status == status


@pytest.mark.parametrize("file", PAGES)
def test_the_other_pages_open_with_runs_in_every_situation(file, drawn):
    assert not drawn[file].error and not drawn[file].warning


def test_runs_that_cannot_be_read_are_listed_and_break_no_page(runs):
    """Such as by a criterion that is for another schedule now."""
    broken = [runs["queued"], runs["pruned-by-hand"]]
    for number in broken:
        settings = Store().runs.get(number).settings.replace('"at-once"', '"nightly"')
        change_run(Store(), number, settings=settings)
    for file in PAGES:
        page = open_page(file)
        assert not page.error and not page.warning, file
    table = open_page("pages/runs.py").dataframe[0].value.set_index("Run")
    assert table[table["Method"] == "cannot be read here"].index.tolist() == broken[::-1]
    assert table["Seed"].isna().sum() == 2 and table.loc[runs["finished"], "Seed"] == 0
    assert "Delete" in labels(tick(open_page("pages/runs.py"), broken[1]).button)
    assert "Schedule must be one of at-once" in watch(broken[1]).error[0].value


def test_the_list_shows_every_run_with_its_status_and_results(runs, drawn):
    table = drawn["pages/runs.py"].dataframe[0].value.set_index("Run")
    assert set(table.index) == set(runs.values())
    for situation, number in runs.items():
        state, row = Store().runs.get(number), table.loc[number]
        assert row["Status"].startswith(state.status)
        assert ("by hand" in row["Status"]) == (situation == "pruned-by-hand")
        assert row["Name"] == state.name
        assert row["Epochs"] == state.epoch
        assert row["Sparsity"] == pytest.approx(100 * state.sparsity)
        if state.test_accuracy is None:
            assert pd.isna(row["Test accuracy"])
        else:
            assert row["Test accuracy"] == pytest.approx(100 * state.test_accuracy)


def test_the_runs_that_go_on_are_offered_below_the_form(runs, drawn):
    offered = {query for _, _, query in links(drawn["pages/train.py"]) if query.startswith("run=")}
    assert offered == {f"run={runs[situation]}" for situation in ("queued", "running", "paused")}


def test_an_empty_list_offers_to_start_a_run(store):
    page = open_page("pages/runs.py")
    assert "no runs yet" in page.info[0].value
    assert ("train", "") in {(target, query) for _, target, query in links(page)}


@pytest.mark.parametrize(
    "link", ["abc", "-1", "0", "1.5", "", "999", "9999999999999999999", "9" * 5000, "²", "٣", "<b>1</b>", "1;2"]
)
@pytest.mark.parametrize("parameter", ["run", "from_"])
def test_a_link_to_a_run_that_there_is_not_says_so_and_offers_the_list(link, parameter, runs):
    page = open_page("pages/train.py", **{parameter: link})
    assert not page.error
    assert len(page.warning) == 1
    assert "run" in page.warning[0].value.lower()
    assert "runs" in {target for _, target, _ in links(page)}
    assert len(page.warning[0].value) < 200


def test_a_run_deleted_while_it_is_watched_is_said_to_be_gone(runs):
    page = watch(runs["running"])
    Store().runs.delete(runs["running"])
    run(page)
    assert "does not exist" in page.warning[0].value
    assert "runs" in {target for _, target, _ in links(page)}


@pytest.mark.parametrize("label", ["Pause", "Prune now"])
def test_a_control_of_a_run_that_was_just_deleted_does_no_harm(label, runs):
    page = watch(runs["running"])
    Store().runs.delete(runs["running"])
    press(page, label)
    assert page.warning and not page.error


# What each situation says


def test_a_run_that_waits_says_for_what(runs):
    assert "a worker" in told(runs["queued"])["sentence"]


def test_the_regulariser_s_share_of_the_time_is_told_if_it_is_on(store):
    off = dataclasses.replace(TINY, criterion="none", epochs=2)
    on = dataclasses.replace(off, nuclear=0.001, nuclear_from=0.0, nuclear_every=5)
    plain, regularised = store.runs.add(off), store.runs.add(on)
    for number in (plain, regularised):
        execute(store, number)
    state, page = store.runs.get(regularised), watch(regularised)
    share = f"Regulariser: {100 * state.regulariser_seconds / state.seconds:.0f} % of the time"
    assert share in [caption.value for caption in page.caption]
    assert "nuclear norm 0.001" in page.title[0].value
    assert not any("Regulariser" in caption.value for caption in watch(plain).caption)


@pytest.mark.parametrize("situation", ["running", "finished"])
def test_a_browser_that_the_channel_does_not_reach_is_given_the_same_by_the_page(situation, runs):
    store, number = Store(), runs[situation]
    snapshot, frame = current_state(store, number)
    past = json.loads(snapshot)
    assert past["type"] == "history" and past["run"]["status"] == situation
    assert past["epochs"]["epoch"] == store.histories.epochs(number)["epoch"].tolist()
    assert frame == messages.frame_bytes(store.frames.newest(number, HIDDEN))


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        ("finished", "Finished"),
        ("stopped", "a user pressed Stop"),
        ("stopped-unbegun", "a user pressed Stop"),
        ("diverged", "diverged"),
        ("failed", "The files of MNIST are not here"),
        ("interrupted", "Press Resume"),
    ],
)
def test_a_run_that_has_ended_says_why(situation, words, runs):
    assert words in told(runs[situation])["sentence"]


# Pictures


def test_the_first_pages_pictures_have_a_caption_and_words_for_those_who_cannot_see_it(store):
    page = open_page("start.py")
    spoken = [re.search(r'role="img".*aria-label="([^"]+)"', element.proto.body) for element in page.get("html")]
    alts = [found[1] for found in spoken if found]
    assert len(set(alts)) == 3 and all(len(alt) > 20 for alt in alts)
    assert any("Illustration" in caption.value for caption in page.caption)


def children(block) -> list:
    return list(getattr(block, "children", {}).values())


# The form


@pytest.mark.parametrize(
    "text", ["", "abc", "300,,200", "0", "5000", "-3", "1.5", "1,2,3,4,5,6,7,8,9", "300;200", "9" * 5000, "20, x"]
)
def test_the_form_refuses_hidden_layers_that_cannot_be_and_starts_nothing(text, store):
    page = open_page("pages/train.py")
    page.text_input(key="new-hidden").set_value(text)
    press(page, "Start training")
    (error,) = page.error
    assert error.value.startswith("“Hidden layers” must be")
    assert page.button[0].disabled and "correct “Hidden layers”" in words(page)
    named = text if not text.replace("-", "").isdigit() else text.lstrip("0") or "0"
    assert named.replace(",", ", ")[:50].split(", ")[0] in error.value
    assert store.runs.all() == []


def test_the_form_refuses_settings_that_do_not_go_together(store):
    page = open_page("pages/train.py")
    page.selectbox(key="new-optimiser").set_value("adam")
    page.number_input(key="new-momentum").set_value(0.5)
    press(page, "Start training")
    assert page.error[0].value == "“Momentum” belongs to the “Optimiser” sgd; with Adam it must be 0, not 0.5."
    assert page.button[0].disabled and store.runs.all() == []


def test_the_form_writes_shares_in_per_cent_and_says_beside_a_field_why_it_refuses_one(store):
    page = open_page("pages/train.py")
    for name, value, words_ in (
        ("amount", 995.0, "“Share to remove, %” must be from 0 to 99.9, not 995."),
        ("prunings", 101, "“Prunings” must be from 0 to 100, not 101."),
        ("start_accuracy", 99.0, "“First pruning at” must not be above “Stop at” (98 %), not 99 %."),
    ):
        usual = page.number_input(key=f"new-{name}").value
        page.number_input(key=f"new-{name}").set_value(value)
        press(page, "Start training")  # typed and pressed at once
        column = next(one for one in page.columns if any(field.key == f"new-{name}" for field in one.number_input))
        assert [error.value for error in column.error] == [words_]
        assert page.button[0].disabled and store.runs.all() == []
        page.number_input(key=f"new-{name}").set_value(usual)
        assert not run(page).error and not page.button[0].disabled
    page.number_input(key="new-amount").set_value(99.5)
    press(page, "Start training")
    assert store.runs.all()[0].experiment.amount == 0.995


def test_the_form_offers_every_setting_with_its_default_its_bounds_and_what_it_means(store):
    page, defaults = open_page("pages/train.py"), Experiment()
    for name, setting in settings().items():
        field = page.get_by_key(f"new-{name}")
        assert field.label == setting.field_label
        assert field.proto.help == setting.help
        if name == "hidden":
            assert field.value == "300, 200, 100, 50"
        elif name == "ranks":
            assert field.value == ""
        elif setting.choices:
            assert field.options == list(setting.choices.values())
            assert field.value == getattr(defaults, name)
        else:
            assert field.value == in_the_form(name, getattr(defaults, name))


def in_the_form(name: str, value):
    """A setting as people write it."""
    return 100 * value if settings()[name].percent else value


def test_a_first_time_visitor_sees_only_the_settings_that_matter(store):
    page = open_page("pages/train.py")
    (advanced,) = page.expander
    assert not advanced.proto.expanded
    hidden_away = {getattr(field, "key", None) for field in everything_in(advanced)}
    for name, setting in settings().items():
        assert (f"new-{name}" in hidden_away) == setting.advanced


@pytest.mark.parametrize("file", ["pages/train.py", "pages/compare.py"])
def test_a_criterion_that_cannot_be_loaded_is_named_where_people_choose_one(file, store, registry):
    assert "Not available" not in words(open_page(file))
    criteria.BROKEN["my-method"] = "ImportError: no module named numpie"
    assert "Not available here: my-method." in words(open_page(file))


def everything_in(block) -> Iterator:
    for child in children(block):
        yield child
        yield from everything_in(child)


CHOSEN = Experiment(
    dataset="fashion-mnist", hidden=(33, 12), criterion="magnitude", amount=0.35, prunings=3,
    schedule="layer-by-layer", scope="per-layer", seed=42, epochs=17,
    batch_size=64, learning_rate=0.0125, optimiser="sgd", momentum=0.9, start_accuracy=0.5, stop_accuracy=0.75,
    share_ratio=0.6, early_stopping=1.35, patience=7, stalled="stop", reset_counts=True, threads=2,
    nuclear=0.001, nuclear_weights="index", nuclear_from=0.6, nuclear_every=50, nuclear_step="gradient",
)  # fmt: skip


def test_start_training_queues_a_run_with_exactly_the_forms_settings_and_goes_to_it(store, monkeypatch):
    monkeypatch.setattr(watches, "LASTS", 1000.0)
    page = open_page("pages/train.py")
    for name, value in dataclasses.asdict(CHOSEN).items():
        written = ", ".join(map(str, value)) if isinstance(value, tuple) else in_the_form(name, value)
        page.get_by_key(f"new-{name}").set_value(written)
    press(page, "Start training")
    (started,) = store.runs.all()
    assert started.experiment == CHOSEN and store.watches.watched(started.id)
    alike = ("optimiser", "ranks")  # others would rule out momentum, and pruning
    assert all(getattr(CHOSEN, name) != getattr(Experiment(), name) for name in settings() if name not in alike)
    assert (started.status, started.lane, started.name) == ("queued", "hand", CHOSEN.title)
    assert page.query_params == {"run": str(started.id)}
    assert page.title[0].value == CHOSEN.title
    assert "Queued" in badges(page)


def test_start_training_without_a_change_runs_the_published_defaults(store):
    press(open_page("pages/train.py"), "Start training")
    assert store.runs.all()[0].experiment == Experiment()


def test_a_run_can_be_put_behind_the_others(store):
    page = open_page("pages/train.py")
    page.toggle[0].set_value(True)
    press(page, "Start training")
    assert store.runs.all()[0].lane == "queue"


def test_one_click_starts_one_run(store):
    page = press(open_page("pages/train.py"), "Start training")
    run(page)
    assert len(store.runs.all()) == 1


def test_rerun_with_changes_starts_from_the_settings_of_that_run(store):
    source = store.runs.add(CHOSEN)
    page = open_page("pages/train.py", from_=source)
    press(page, "Start training")
    again, _ = store.runs.all()
    assert again.experiment == CHOSEN
    assert page.query_params == {"run": str(again.id)}


def test_the_demo_button_starts_the_paced_demo_and_opens_it(store, monkeypatch):
    monkeypatch.setattr(watches, "LASTS", 1000.0)
    page = press(open_page("start.py"), "Start a demo run")
    (demo,) = store.runs.all()
    assert store.watches.watched(demo.id)  # so that its worker shows it before the viewer has come
    assert demo.experiment == DEMO and demo.pace == DEMO_PACE and demo.status == "queued"
    assert page.query_params == {"run": str(demo.id)}
    assert page.title[0].value == demo.name


# The controls


@pytest.mark.parametrize("situation", ["queued", "running", "paused"])
@pytest.mark.parametrize("label", ["Pause or Resume", "Step", "Stop"])
def test_each_control_writes_its_command(situation, label, runs):
    page = watch(runs[situation])
    switch = "Resume" if situation == "paused" else "Pause"
    assert labels(page.button) == [switch, "Step", "Stop", "Prune now"]  # pausing and resuming are one place
    label = switch if " or " in label else label
    before = len(Store().commands.of(runs[situation]))
    press(page, label)
    commands = Store().commands.of(runs[situation])
    assert len(commands) == before + 1
    assert (commands[0].kind, commands[0].arguments) == (label.lower(), {})
    if label != "Stop" or situation != "queued":
        assert "waiting for the worker" in told(runs[situation])["sentence"]


@pytest.mark.parametrize("situation", ["running", "paused"])
@pytest.mark.parametrize("pace", [4.0, 2.0, 1.0, 0.2])
def test_the_pace_control_writes_the_pace(situation, pace, runs):
    page = watch(runs[situation])
    (field,) = [field for field in page.selectbox if field.label == "Pace"]
    assert field.value == Store().runs.get(runs[situation]).pace
    field.set_value(pace)
    run(page)
    command = Store().commands.of(runs[situation])[0]
    assert (command.kind, command.arguments) == ("pace", {"epochs_per_second": pace})


@pytest.mark.parametrize("criterion", [name for name, entry in CRITERIA.items() if entry.scores])
def test_prune_now_writes_criterion_and_amount_even_when_they_were_typed_just_before(criterion, runs):
    page = watch(runs["running"])
    (method,) = [field for field in page.selectbox if field.label == "Criterion"]
    method.set_value(criterion)
    page.number_input[0].set_value(35)
    press(page, "Prune now")
    command = Store().commands.of(runs["running"])[0]
    assert command.kind == "prune"
    assert command.arguments == {"criterion": criterion, "amount": pytest.approx(0.35), "of": "left"}


def test_prune_now_says_before_what_would_remain_and_refuses_beside_the_field_what_cannot_be(runs):
    page = watch(runs["running"])
    weights = 64 * 20 + 20 * 10
    left = weights - round(Store().runs.get(runs["running"]).sparsity * weights)
    assert f"about {left - round(0.1 * left):,} of the {left:,} weights that are left" in words(page)
    page.number_input[0].set_value(120)
    press(page, "Prune now")
    assert page.error[0].value == "“Remove, %” must be from 1 to 99, not 120."
    assert "prune" not in [command.kind for command in Store().commands.of(runs["running"])]


def test_a_pace_set_elsewhere_is_never_sent_back(runs):
    """What a browser still holds of the field as it was is no wish of a person's."""
    number = runs["running"]
    page = watch(number)
    for pace in (1.0, 0.0, 2.0):
        Store().commands.add(number, "pace", epochs_per_second=pace)
        run(page)
        (field,) = [field for field in page.selectbox if field.label == "Pace"]
        assert field.value == pace
        press(page, "Step")
    asked = [
        command.arguments["epochs_per_second"] for command in Store().commands.of(number) if command.kind == "pace"
    ]
    assert asked[:3] == [2.0, 0.0, 1.0] and len(asked) == 4  # and the one that this run was given at first


def test_the_share_s_field_says_what_it_removes(drawn):
    (share,) = drawn["running"].number_input
    assert "remove" in share.label.lower() and "%" in share.label


def test_prune_now_offers_all_methods_by_their_plain_names_and_the_runs_own_first(drawn):
    (method,) = [field for field in drawn["running"].selectbox if field.label == "Criterion"]
    assert method.options == [entry.title for entry in CRITERIA.values() if entry.scores]
    assert method.value == TINY.criterion


def test_an_interrupted_run_can_be_resumed(runs):
    page = watch(runs["interrupted"])
    assert labels(page.button) == ["Resume"]
    page = press(page, "Resume")
    state = Store().runs.get(runs["interrupted"])
    assert state.status == "queued" and state.epoch == 3
    assert "Queued" in badges(page)


@pytest.mark.parametrize("situation", ["finished", "stopped", "diverged", "failed"])
def test_a_run_that_has_ended_has_no_controls(situation, drawn):
    assert labels(drawn[situation].button) == []


def test_a_run_stopped_before_it_began_is_stopped_at_once(runs):
    page = press(watch(runs["queued"]), "Stop")
    assert Store().runs.get(runs["queued"]).status == "stopped"
    assert "Stopped" in badges(page)


# The list of runs


def tick(page: AppTest, *numbers: int) -> AppTest:
    """Tick the rows of these runs."""
    listed = page.dataframe[0].value["Run"].tolist()
    rows = [listed.index(number) for number in numbers]
    page.session_state[page.dataframe[0].key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return run(page)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_ticked_run_can_be_opened_repeated_renamed_and_deleted(situation, runs):
    number = runs[situation]
    page = tick(open_page("pages/runs.py"), number)
    assert page.subheader[0].value == Store().runs.get(number).name
    assert {("train", f"run={number}"), ("train", f"from={number}")} <= {(to, query) for _, to, query in links(page)}
    assert {"Rename", "Delete"} <= set(labels(page.button))
    assert ("Resume" in labels(page.button)) == (situation == "interrupted")


def test_the_list_follows_what_others_do_to_the_ticked_run(runs):
    page = tick(open_page("pages/runs.py"), runs["finished"])
    Store().runs.rename(runs["finished"], "Renamed elsewhere")
    assert run(page).subheader[0].value == "Renamed elsewhere"


def test_a_list_whose_last_run_was_deleted_elsewhere_is_empty(store):
    number = store.runs.add(TINY)
    page = tick(open_page("pages/runs.py"), number)
    store.runs.delete(number)
    assert "no runs yet" in run(page).info[0].value


def test_a_tick_does_not_pass_to_another_run_when_the_list_changes(runs):
    page = tick(open_page("pages/runs.py"), runs["finished"])
    assert page.subheader
    Store().runs.add(TINY)
    assert not run(page).subheader
    newest = max(runs.values())
    page = tick(open_page("pages/runs.py"), newest)
    Store().runs.delete(newest)
    assert not run(page).subheader


def test_rename_opens_a_dialog_with_the_name(runs):
    page = press(tick(open_page("pages/runs.py"), runs["finished"]), "Rename")
    (name,) = page.text_input
    assert name.value == Store().runs.get(runs["finished"]).name
    assert "Save" in labels(page.button)


def test_delete_asks_first(runs):
    page = press(tick(open_page("pages/runs.py"), runs["finished"]), "Delete")
    assert {"Delete the run", "Keep the run"} <= set(labels(page.button))
    assert any("cannot be undone" in text.value for text in page.markdown)
    assert Store().runs.get(runs["finished"]).status == "finished"  # it is still there


def test_delete_warns_of_a_run_that_goes_on(runs):
    page = press(tick(open_page("pages/runs.py"), runs["running"]), "Delete")
    assert "ends the training" in page.warning[0].value


def test_several_ticked_runs_are_packed_into_one_zip_and_may_be_deleted_together(runs, offered):
    numbers = [runs["finished"], runs["queued"], runs["diverged"]]
    page = tick(open_page("pages/runs.py"), *numbers)
    page = press(page, "Download as one zip")
    wait_until(lambda: run(page) and "runs.zip" in offered, "for the zip")
    with zipfile.ZipFile(io.BytesIO(offered["runs.zip"])) as packed:
        assert sorted(pd.read_csv(packed.open("runs.csv"))["Run"]) == sorted(numbers)
        final = packed.read(f"run-{numbers[0]}/final.safetensors")
        assert final == Store().weights.get(numbers[0], "final")
        assert f"run-{numbers[1]}/final.safetensors" not in packed.namelist()
        history = pd.read_csv(packed.open(f"run-{numbers[0]}/history.csv"))
        assert len(history) == Store().runs.get(numbers[0]).epoch
        assert json.loads(packed.read(f"run-{numbers[1]}/settings.json"))["hidden"] == list(HIDDEN)
    page = press(page, "Delete 3 runs")  # asks first
    assert {"Delete the runs", "Keep the runs"} <= set(labels(page.button))
    assert f"Runs {', '.join(map(str, sorted(numbers, reverse=True)))} and all their records" in words(page)


def test_two_ticked_runs_are_compared(runs):
    first, second = sorted((runs["finished"], runs["stopped"]))
    page = tick(open_page("pages/runs.py"), second, first)
    compared = {query for _, to, query in links(page) if to == "pair"}
    assert compared in ({f"run={first}&other={second}"}, {f"run={second}&other={first}"})


def test_demos_beyond_the_last_few_are_folded_away_and_equal_ones_can_be_told_apart(store):
    demos = [trained(store, dataclasses.replace(DEMO, hidden=(20, 10)), name="Demo") for _ in range(5)]
    with store.transaction() as connection:
        connection.execute(update(schema.runs).values(settings=DEMO.to_json()))
    mine = store.runs.add(TINY)
    page = open_page("pages/runs.py")
    assert page.dataframe[0].value["Run"].tolist() == [mine, *demos[:1:-1]]
    page.toggle(key="all-demos").set_value(True)
    assert run(page).dataframe[0].value["Run"].tolist() == [mine, *demos[::-1]]
    offered = open_page("pages/spectra.py").selectbox(key="chosen-run").options
    accuracy = f"{100 * store.runs.get(demos[0]).test_accuracy:.1f} %"
    assert len(set(offered)) == 6 and all(accuracy in label for label in offered[1:])
    assert re.fullmatch(rf"{demos[-1]}: Demo · {accuracy} · \d+ \w+ \d\d:\d\d", offered[1])


def test_a_study_leads_to_its_runs_and_back(runs, store):
    study = store.studies.add("A study", "{}")
    store.studies.link(study, runs["finished"])
    page = open_page("pages/runs.py", study=study)
    assert page.dataframe[0].value["Run"].tolist() == [runs["finished"]]
    assert ("compare", f"study={study}") in {(to, query) for _, to, query in links(page)}
    assert "A study" in words(page)
    assert "does not exist" in words(open_page("pages/runs.py", study=99))


def test_a_resumed_run_of_the_list_is_queued(runs):
    press(tick(open_page("pages/runs.py"), runs["interrupted"]), "Resume")
    assert Store().runs.get(runs["interrupted"]).status == "queued"


# What can be downloaded


@pytest.fixture
def offered(monkeypatch) -> dict[str, Callable[[], bytes] | None]:
    """What a browser would get for each file that a page offers, by name; None where the button is disabled."""
    files: dict[str, Callable[[], bytes] | None] = {}
    original = st.download_button

    def download_button(label: str, data: Callable[[], bytes], *, file_name: str, **details):
        files[file_name] = None if details.get("disabled") else data
        return original(label, data, file_name=file_name, **details)

    monkeypatch.setattr(st, "download_button", download_button)
    return files


def table(content: Callable[[], bytes] | bytes | None) -> pd.DataFrame:
    assert content is not None
    return pd.read_csv(io.BytesIO(content if isinstance(content, bytes) else content()))


def test_the_history_of_a_run_is_offered_as_csv(runs, offered):
    number = runs["finished"]
    tick(open_page("pages/runs.py"), number)
    history = table(offered[f"run-{number}-history.csv"])
    expected = Store().histories.epochs(number)
    assert history["epoch"].tolist() == list(range(1, Store().runs.get(number).epoch + 1))
    pd.testing.assert_frame_equal(history, expected, check_dtype=False)


def test_the_weights_of_a_run_are_offered_as_safetensors(runs, offered):
    number = runs["finished"]
    tick(open_page("pages/runs.py"), number)
    content = offered[f"run-{number}.safetensors"]
    assert content is not None
    tensors = load(content)
    sizes = Store().runs.get(number).experiment.sizes
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items() if name.endswith("weight")}
    assert shapes == {"hidden.0.weight": (20, 64), "hidden.1.weight": (10, 20), "output.weight": (10, 10)}
    zeros = sum(int((tensors[f"hidden.{layer}.weight"] == 0).sum()) for layer in range(len(HIDDEN)))
    total = sum(inputs * outputs for inputs, outputs in zip(sizes[:-2], sizes[1:-1], strict=True))
    assert zeros / total == pytest.approx(Store().runs.get(number).sparsity)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_a_name_that_looks_like_a_formula_stays_text_in_a_spreadsheet(name, runs, offered):
    """A spreadsheet computes what begins with one of these signs."""
    Store().runs.rename(runs["finished"], name)
    open_page("pages/runs.py")
    rows = table(offered["runs.csv"])
    assert not any(str(cell).startswith(("=", "+", "-", "@")) for cell in rows["Name"])
    assert rows.set_index("Run").loc[runs["finished"], "Name"] == f"'{name}"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_files_are_offered_if_and_only_if_there_is_something_in_them(situation, runs, offered):
    number = runs[situation]
    tick(open_page("pages/runs.py"), number)
    for file, there in (
        (f"run-{number}-history.csv", not Store().histories.epochs(number).empty),
        (f"run-{number}.safetensors", Store().weights.get(number, "final") is not None),
    ):
        assert (file in offered) == there, file  # what cannot work here is not shown


def test_the_list_itself_is_offered_as_csv(runs, offered):
    open_page("pages/runs.py")
    assert set(table(offered["runs.csv"])["Run"]) == set(runs.values())


# When the store cannot be used


def another_version(path: Path) -> str:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE abp_schema (version INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO abp_schema VALUES (99)")
    return "schema 99"


def rubbish(path: Path) -> str:
    path.write_bytes(b"This is no database. " * 1000)
    return "cannot be used"


def something_else(path: Path) -> str:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    return "holds something else"


@only_sqlite
@pytest.mark.parametrize("file", PAGES)
@pytest.mark.parametrize("damage", [rubbish, another_version, something_else])
def test_a_database_that_cannot_be_used_gives_a_sentence_and_the_menu(file, damage, home):
    home.mkdir()
    database = home / "abp.sqlite3"
    words = damage(database)
    before = database.read_bytes()
    page = open_page(file)
    (error,) = page.error
    assert str(database) in error.value and words in error.value and "ABP_HOME" in error.value
    assert "Traceback" not in error.value and "\n" not in error.value.strip()
    assert menu(page) == MENU_LINKS
    assert database.read_bytes() == before


@only_sqlite
def test_a_database_damaged_under_an_open_page_gives_a_sentence(runs, home):
    page = watch(runs["finished"])
    for file in home.glob("abp.sqlite3*"):
        file.write_bytes(b"no database any more " * 5000)
    assert "cannot be used" in run(page).error[0].value


@only_sqlite
def test_a_home_that_is_no_folder_gives_a_sentence(home):
    home.write_text("a file")
    (error,) = open_page("start.py").error
    assert "ABP_HOME" in error.value and "it is a file" in error.value


def test_what_nobody_thought_of_gives_a_sentence_and_goes_to_the_log(runs, monkeypatch, caplog):
    def break_down(*_arguments):
        raise ZeroDivisionError("never shown")

    monkeypatch.setattr(Commands, "of", break_down)
    page = watch(runs["running"])
    assert "unexpected" in page.error[0].value and "never shown" not in page.error[0].value
    assert "never shown" in caplog.text


# The menu


MENU_LINKS = [
    (label, "" if file == "start.py" else Path(file).stem) for pages in MENU.values() for file, label, _ in pages
]


def test_the_menu_is_the_same_on_every_page_and_in_every_situation(runs, drawn):
    nonsense = open_page("pages/train.py", run="nonsense")
    assert all(menu(page) == MENU_LINKS for page in (*drawn.values(), nonsense))


def test_the_menu_lists_every_page_that_exists_and_no_other():
    listed = {file for pages in MENU.values() for file, _, _ in pages}
    assert listed == {"start.py", *(f"pages/{file.name}" for file in (ROOT / "pages").glob("*.py"))}


def test_every_link_leads_to_a_page_of_the_menu(drawn):
    known = {target for _, target in MENU_LINKS}
    for page in drawn.values():
        assert {target for _, target, _ in links(page)} <= known


def test_the_first_page_says_what_it_is_about_and_offers_ways_on(store):
    page = open_page("start.py")
    text = " ".join(element.value for element in page.markdown)
    assert "Activation-based pruning" in text and text.count(".") >= 3
    assert {target for _, target, _ in links(page)} == {"train", "runs"}
    assert labels(page.button) == ["Show me, in a minute", "Start a demo run"]


def test_data_sets_and_methods_have_the_names_that_people_know(store):
    page = open_page("pages/train.py")
    assert page.selectbox(key="new-dataset").options == [info.title for info in DATASETS.values()]
    assert {"weights by activation", "neurons by activation", "weights by magnitude", "at random"} <= set(
        page.selectbox(key="new-criterion").options
    )


def test_a_run_that_is_gone_cannot_be_renamed(store):
    with pytest.raises(RunUnknown):
        store.runs.rename(77, "nobody")
