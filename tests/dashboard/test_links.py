"""Links hold what a page shows: opened elsewhere, they show the same."""

from __future__ import annotations

import dataclasses

from streamlit.testing.v1 import AppTest

from abp.dashboard.frame import links
from abp.studies.registry import start_study
from abp.studies.specification import preset
from tests.dashboard.opening import PRUNED, again, open_page, settled, words
from tests.recordings import trained


def test_a_link_to_spectra_holds_the_moment_the_scale_and_the_overlay(store):
    runs = [trained(store, dataclasses.replace(PRUNED, seed=seed)) for seed in (0, 1)]
    page = settled(open_page("spectra", run=runs[0]))
    moment, overlay = f"spectra-pruning-{runs[0]}", f"spectra-others-{runs[0]}"
    assert set(page.query_params) == {"run"}  # what is usual needs no words
    page.slider(key=moment).set_value(1)
    page.get("button_group")[0].set_value("log")
    page.multiselect(key=overlay).set_value([runs[1]])
    chosen = {"run": str(runs[0]), "moment": "1", "scale": "log", "overlay": str(runs[1])}
    page = settled(page)
    assert {name: page.query_params[name] for name in chosen} == chosen

    elsewhere = settled(open_page("spectra", **chosen))
    assert elsewhere.slider(key=moment).value == 1
    assert elsewhere.session_state["spectra-scale"] == "log"
    assert elsewhere.multiselect(key=overlay).value == [runs[1]]
    for name in ("moment", "scale", "overlay"):  # as Back does
        elsewhere.query_params.pop(name)
    elsewhere = settled(elsewhere)
    assert elsewhere.slider(key=moment).value == 2 and elsewhere.multiselect(key=overlay).value == []
    assert elsewhere.session_state["spectra-scale"] == "linear"

    wrong = settled(open_page("spectra", run=runs[0], moment=7, overlay=f"{runs[1]},99"))
    assert "“7” in the link" in words(wrong) and "“99” in the link" in words(wrong)
    assert wrong.slider(key=moment).value == 2 and wrong.multiselect(key=overlay).value == [runs[1]]


def test_a_link_to_weights_holds_the_moment_what_is_shown_and_the_other_run(store):
    runs = [trained(store, dataclasses.replace(PRUNED, seed=seed)) for seed in (0, 1)]
    page = open_page("weights", run=runs[0], moment="before 1", show="zero pattern", overlay=runs[1])
    assert page.select_slider(key=f"moment-{runs[0]}").value == "before 1"
    assert page.session_state["shown"] == "zero pattern"
    assert page.selectbox(key=f"beside-{runs[0]}").value == runs[1]
    page.selectbox(key="chosen-run").set_value(runs[1])  # whose moments are others
    page = again(page)
    assert page.query_params["run"] == [str(runs[1])] or page.query_params["run"] == str(runs[1])
    assert not {"moment", "overlay"} & set(page.query_params) and not page.warning


def test_what_needs_another_run_is_not_shown_without_one(store):
    run = trained(store, PRUNED)
    assert not settled(open_page("spectra", run=run)).multiselect
    assert "Compare with" not in [field.label for field in open_page("weights", run=run).selectbox]


def test_a_link_to_a_run_that_is_too_old_for_the_list_shows_it(store, monkeypatch):
    monkeypatch.setattr(links, "_MANY", 2)
    runs = [trained(store, dataclasses.replace(PRUNED, seed=seed)) for seed in range(4)]
    page = settled(open_page("weights", run=runs[0]))
    assert page.selectbox(key="chosen-run").value == runs[0]
    assert [option.split(":")[0] for option in page.selectbox(key="chosen-run").options] == ["4", "3", "1"]
    pair = settled(open_page("pair", run=runs[0], other=runs[1]))
    assert [pair.selectbox(key=f"pair-{side}").value for side in ("run", "other")] == runs[:2] and not pair.warning
    assert "Run 99 does not exist" in words(settled(open_page("weights", run=99)))
    assert "Run 99 does not exist" in words(settled(open_page("pair", run=runs[0], other=99)))


def test_claims_puts_its_study_into_the_link(store):
    newest = start_study(store, preset("demo"))
    page = open_page("claims")
    assert page.query_params["study"] in (str(newest), [str(newest)])


def _two_in_the_link():
    import streamlit as st

    from abp.dashboard.frame.links import in_link

    in_link("scale", "scale", ["linear", "log"], "linear", lambda: st.radio("Scale", ["linear", "log"], key="scale"))
    in_link("layer", "layer", ["1", "2"], "1", lambda: st.radio("Layer", ["1", "2"], key="layer"))


def test_a_choice_sent_before_the_browser_knew_of_the_one_before_takes_neither_back():
    app = AppTest.from_function(_two_in_the_link).run()
    app.radio(key="scale").set_value("log").run()
    assert app.query_params["scale"] == "log"
    app.query_params.clear()  # the address as the browser still has it
    app.radio(key="layer").set_value("2").run()
    assert (app.radio(key="scale").value, app.radio(key="layer").value) == ("log", "2")
    assert (app.query_params["scale"], app.query_params["layer"]) == ("log", "2")


def test_another_link_is_followed():
    app = AppTest.from_function(_two_in_the_link).run()
    app.radio(key="scale").set_value("log").run()
    app.run()  # the browser has caught up
    app.query_params["scale"] = "linear"
    assert app.run().radio(key="scale").value == "linear"
