"""Forms and the menu as people meet them: what is written stays, what is wrong says why, and pages begin at the top."""

from __future__ import annotations

import dataclasses
import re

import pytest

from abp.store.records import Lane
from tests.browser.live import button, run_settled, watched
from tests.dashboard.opening import PRUNED
from tests.recordings import trained
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

SCROLLED = "() => document.querySelector('[data-testid=\"stMain\"]').scrollTop"


def menu(page, name: str):
    return page.get_by_test_id("stSidebar").get_by_role("link", name=name)


def at_rest(page) -> None:
    """Wait until the page has been drawn: before, a step through the history may be lost."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()


def test_a_form_says_why_it_refuses_a_value_keeps_what_was_written_and_its_run_begins_at_the_top(visit, dashboard):
    known = {run.id for run in dashboard.store.runs.all()}
    page = visit(f"{dashboard.url}/train", width=1280, height=720)
    share = page.get_by_role("spinbutton", name="Share to remove, %")
    layers = page.get_by_role("textbox", name="Hidden layers")
    expect(share).to_have_value("80")
    for value in ("99.5", "995"):
        share.fill(value)
        share.press("Enter")
    expect(page.get_by_text("“Share to remove, %” must be from 0 to 99.9, not 995.")).to_be_visible()
    expect(button(page, "Start training")).to_be_disabled()
    share.fill("90")
    share.press("Enter")
    expect(button(page, "Start training")).to_be_enabled()
    layers.fill("64 32, ")
    layers.press("Enter")

    menu(page, "Runs").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    menu(page, "Train").click()
    expect(button(page, "Start training")).to_be_visible()
    expect(share).to_have_value("90")
    expect(layers).to_have_value("64 32, ")

    page.get_by_text("Advanced").click()
    expect(page.get_by_role("spinbutton", name="First pruning at, %")).to_have_value("80")
    button(page, "Start training").scroll_into_view_if_needed()
    assert page.evaluate(SCROLLED) > 0
    button(page, "Start training").click()
    expect(page).to_have_url(re.compile(r"/train\?run=\d+$"))
    expect(page.locator(".live canvas")).to_be_visible()
    page.wait_for_function(f"({SCROLLED})() === 0")
    (run,) = {run.id for run in dashboard.store.runs.all()} - known
    started = dashboard.store.runs.get(run).experiment
    assert (started.amount, started.hidden) == (0.9, (64, 32))
    dashboard.store.commands.add(run, "stop")
    run_settled(dashboard, run)


def test_on_a_phone_the_menu_closes_once_a_page_is_chosen(visit, dashboard):
    page = visit(f"{dashboard.url}/runs", width=390, height=844, has_touch=True, is_mobile=True)
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    page.get_by_test_id("stExpandSidebarButton").tap()
    menu(page, "Train").tap()
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).not_to_be_in_viewport()
    button(page, "Start training").tap(trial=True)


def test_back_and_forward_restore_what_was_shown_and_a_deleted_run_is_noticed(visit, dashboard):
    runs = [trained(dashboard.store, dataclasses.replace(PRUNED, seed=seed), lane=Lane.SELF) for seed in (0, 1)]
    page = visit(f"{dashboard.url}/train?run={runs[0]}", width=1280, height=720)
    expect(page.get_by_role("link", name="All runs")).to_be_visible()
    page.get_by_role("link", name="Spectra: singular values").click()
    expect(page.get_by_text("Ranks and norms")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("radio", name="log").click()
    expect(page).to_have_url(re.compile(rf"run={runs[0]}&scale=log"))
    at_rest(page)
    menu(page, "Runs").click()
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="runs", exact=True)).to_be_visible()
    at_rest(page)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/spectra\?.*scale=log"))
    log = page.get_by_test_id("stMain").get_by_role("radio", name="log")
    expect(log).to_be_checked()
    at_rest(page)
    page.go_back()
    expect(log).not_to_be_checked()
    at_rest(page)
    page.go_back()
    expect(page).to_have_url(f"{dashboard.url}/train?run={runs[0]}")
    expect(page.get_by_role("link", name="Rerun with changes")).to_be_visible()
    at_rest(page)
    page.go_forward()
    expect(page).to_have_url(re.compile(r"/spectra\?"))
    expect(page.get_by_text("Ranks and norms")).to_be_visible()
    at_rest(page)

    other = watched(visit, dashboard, runs[0])
    expect(button(other, "Play")).to_be_visible()  # its film is there
    dashboard.store.runs.delete(runs[0])
    for at in (page, other):
        expect(at.get_by_text(f"Run {runs[0]} does not exist or was deleted")).to_be_visible()
    dashboard.store.runs.delete(runs[1])


def test_runs_are_renamed_by_enter_and_several_are_deleted_at_once(visit, dashboard):
    runs = [trained(dashboard.store, PRUNED, name=f"One of {number}", lane=Lane.SELF) for number in (1, 2)]
    page = visit(f"{dashboard.url}/runs")
    expect(page.get_by_role("region", name="runs")).to_be_visible()
    tick_row(page, 1)
    button(page, "Rename").click()
    field = page.get_by_role("dialog").get_by_label("Name")
    field.fill("Named by Enter")
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Named by Enter")).to_be_visible()
    assert dashboard.store.runs.get(runs[1]).name == "Named by Enter"
    tick_row(page, 2)
    button(page, "Delete 2 runs").click()
    button(page.get_by_role("dialog"), "Delete the runs").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: not {run.id for run in dashboard.store.runs.all()} & set(runs), "for the runs to be gone")


def tick_row(page, row: int) -> None:
    """Tick a row of the list; the table is a picture, whose first column holds the boxes."""
    box = page.get_by_test_id("stDataFrame").locator("canvas").first.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 36 + 66 * row - 33)
