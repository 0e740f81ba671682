"""Two runs side by side."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from abp.dashboard.networks.pair import LEFT, RIGHT, accuracy_curves, differing_settings, overlaps, spectra_curves
from abp.runs import worker
from abp.runs.continuation import continue_run
from abp.store.snapshots import recorded_masks
from abp.studies.registry import start_study
from abp.studies.specification import Study
from abp.training.experiment import Experiment, settings
from tests.dashboard.opening import PRUNED, open_page, settled, words
from tests.recordings import trained


@pytest.fixture
def pair(store) -> tuple[int, int]:
    return trained(store, PRUNED), trained(store, dataclasses.replace(PRUNED, criterion="magnitude", seed=1))


def test_what_differs_and_what_is_shared_is_that_of_the_runs(store, pair):
    first, second = (store.runs.get(number) for number in pair)
    table = differing_settings(first, second)
    assert dict(zip(table["Setting"], zip(table["First"], table["Second"], strict=True), strict=True)) == {
        settings()["criterion"].label: ("neurons by activation", "weights by magnitude"),
        settings()["seed"].label: ("0", "1"),
    }
    masks = [[mask.numpy() for mask in recorded_masks(store, run, run.prunings)] for run in (first, second)]
    found = overlaps(list(zip(*masks, strict=True)))
    for row, one, other in zip(found.to_dict("records"), *masks, strict=True):
        pairs = list(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
        counts = [pairs.count(kept) for kept in ((True, True), (True, False), (False, True), (False, False))]
        assert [row[name] for name in ("Both", "Only the first", "Only the second", "Neither")] == counts
    curves = accuracy_curves(store, first, second)
    assert curves.groupby("run").size().tolist() == [first.epoch, second.epoch]
    spectra = spectra_curves(store, first, second)
    assert spectra["curve"].nunique() == 2 and (np.diff(spectra["value"][:5]) <= 0).all()


def test_a_run_and_its_continuation_differ_in_what_they_continue(store):
    same = dataclasses.replace(PRUNED, criterion="none", stop_accuracy=1.0, patience=0)
    parent = store.runs.get(trained(store, same))
    child = store.runs.get(continue_run(store, parent, "fine-tune", epochs=same.epochs))
    assert child.experiment == parent.experiment
    page = settled(open_page("pair", run=parent.id, other=child.id))
    assert "same settings" not in words(page)
    rows = page.dataframe[0].value.to_dict("records")
    assert rows == [{"Setting": "Continues", "First": "no run", "Second": f"{parent.id}: fine-tuned"}]
    repeated = trained(store, same)
    assert "Both runs have the same settings" in words(settled(open_page("pair", run=parent.id, other=repeated)))


@pytest.mark.parametrize("place", [0, 1])
def test_a_run_keeps_the_colour_of_its_place_beside_one_that_has_not_begun(store, place):
    run, queued = trained(store, PRUNED), store.runs.add(dataclasses.replace(PRUNED, seed=5))
    pair = [queued, queued]
    pair[place] = run
    page = settled(open_page("pair", run=pair[0], other=pair[1]))
    name, other = (f"{number}: {store.runs.get(number).name}" for number in (run, queued))
    specs = [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart")]
    assert len(specs) == 3  # accuracy, and the singular values of two layers
    for spec in specs:
        scale = spec["encoding"]["color"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True))[name] == (LEFT, RIGHT)[place]
    assert f"{other}, which has no epochs" in words(page) and f"{name}, which" not in words(page)


def test_the_page_shows_both_runs(store, pair):
    page = settled(open_page("pair", run=pair[0], other=pair[1]))
    assert not page.exception
    assert [part.value for part in page.subheader] == [
        "Settings that differ", "Validation accuracy", "Masks", "Singular values"
    ]  # fmt: skip
    assert "Which weights both runs kept" in words(page)


def test_networks_of_other_layers_share_no_masks(store, pair):
    other = trained(store, dataclasses.replace(PRUNED, hidden=(7, 6)))
    page = settled(open_page("pair", run=pair[0], other=other))
    assert "different layers" in words(page) and "Masks" not in [part.value for part in page.subheader]


def test_two_runs_are_chosen_on_the_page_and_the_link_holds_them(store, pair):
    first, second = pair
    page = settled(open_page("pair"))
    assert [(box.label, box.value) for box in page.selectbox] == [("First run", None), ("Second run", None)]
    assert not page.subheader and not page.warning
    page.selectbox(key="pair-run").set_value(first).run()
    page.query_params.clear()  # the address as the browser still has it
    page.selectbox(key="pair-other").set_value(second)
    page = settled(page)
    assert [page.query_params[name] for name in ("run", "other")] == [str(first), str(second)]
    assert page.subheader[0].value == "Settings that differ"
    page.run()  # the browser has caught up
    page.query_params["other"] = str(first)  # as Back does
    page = settled(page)
    assert page.selectbox(key="pair-other").value == first and f"Both are run {first}" in words(page)
    page = settled(page.selectbox(key="pair-other").set_value(None).run())
    assert set(page.query_params) == {"run"}
    page = settled(page.selectbox(key="pair-other").set_value(second).run())
    assert page.subheader[0].value == "Settings that differ"


def test_a_wrong_link_is_explained_and_leaves_the_choice(store, pair):
    page = open_page("pair", run=pair[0], other=99)
    assert "Run 99 does not exist" in words(page)
    assert [box.value for box in page.selectbox] == [pair[0], None]
    for wrong in ("abc", f"00{pair[0]}"):
        assert f"“{wrong}” is not the number of a run" in words(open_page("pair", run=wrong, other=pair[1]))


def test_without_two_runs_there_is_nothing_to_choose(store):
    page = open_page("pair")
    assert "not two yet" in words(page) and not page.selectbox


def select(page, frame, rows: list[int]) -> None:
    page.session_state[frame.key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def test_two_ticked_runs_lead_to_the_page_and_three_to_nothing(store, pair):
    trained(store, PRUNED)
    page = settled(open_page("runs"))
    select(page, page.dataframe[0], [0, 2])
    page = settled(page)
    links = [link.proto.label for link in page.get("page_link") if "Compare runs" in link.proto.label]
    assert links == ["Compare runs 3 and 1"]
    select(page, page.dataframe[0], [0, 1, 2])
    assert "or two to compare them" in words(settled(page))


def test_two_rows_of_a_study_are_compared_by_their_shared_seeds(store):
    base = Experiment(hidden=(12, 8), epochs=2, start_accuracy=0.0, stop_accuracy=1.0, patience=0)
    number = start_study(
        store,
        Study(
            datasets=("digits",), criteria=("none", "magnitude"), amounts=(0.5,), seeds=(0, 3), prunings=1, base=base
        ),
    )
    while queued := store.runs.queued():
        assert worker.execute(store, queued[0].id, worker.new_owner())
    page = settled(open_page("compare", study=number))
    frame = next(frame for frame in page.dataframe if "Method" in frame.value)
    select(page, frame, [0, 1])
    page = settled(page)
    runs = {(run.experiment.criterion, run.experiment.seed): run.test_accuracy for run in store.runs.all()}
    mean = 100 * np.mean([runs["none", seed] - runs["magnitude", seed] for seed in (0, 3)])
    assert f"{mean:+.2f} points of test accuracy".replace("-", "−") in words(page)
    assert [link.proto.label for link in page.get("page_link") if "Seed" in link.proto.label] == ["Seed 0", "Seed 3"]
