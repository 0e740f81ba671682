"""Forms and the menu as people meet them: what is written stays, what is wrong says why, and pages begin at the top."""

from __future__ import annotations

import re

import pytest

from tests.browser.live import button, run_settled
from tests.waiting import PATIENCE

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

SCROLLED = "() => document.querySelector('[data-testid=\"stMain\"]').scrollTop"


def menu(page, name: str):
    return page.get_by_test_id("stSidebar").get_by_role("link", name=name)


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
    page.wait_for_url(re.compile(r"/train\?run=\d+$"))
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
