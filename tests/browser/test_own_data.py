"""A teacher's story in a real browser: drawings are dropped on a page, and a network is seen learning them."""

from __future__ import annotations

import re

import pytest

from tests.browser.live import button
from tests.data.own.files import drawings, table, zipped
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)


def test_drawings_are_dropped_seen_kept_learned_and_played_with(visit, dashboard, tmp_path):
    files = zipped(tmp_path / "My shapes.zip", {**drawings(40), "cross/broken.png": b"no picture"})
    page = visit(f"{dashboard.url}/data", width=1280, height=800)
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_text("120 pictures")).to_be_visible()
    expect(page.get_by_text("Left out: 1 file")).to_be_visible()
    assert dashboard.store.datasets.all() == []
    page.get_by_label("Name", exact=True).fill("shapes")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_text("named 'shapes'")).to_have_count(0)
    button(page, "Add data set").click()
    expect(page.get_by_text("Its exact bytes are named")).to_be_visible()
    (row,) = dashboard.store.datasets.all()
    assert row.name == "shapes" and not [*(dashboard.home / "uploads").glob("*")]

    page.get_by_role("link", name="Train with it").click()
    expect(page.get_by_role("combobox", name="Data")).to_have_value("shapes")
    button(page, "Start training").click()
    page.wait_for_url(re.compile(r"run=\d+"))
    run = int(re.search(r"run=(\d+)", page.url).group(1))  # type: ignore[union-attr]
    wait_until(lambda: not dashboard.store.runs.get(run).active, "for the run to end")
    found = dashboard.store.runs.get(run)
    assert found.status == "finished" and found.experiment.dataset == row.key

    page.goto(f"{dashboard.url}/playground?run={run}&picture=1")
    expect(page.get_by_text(re.compile("Test picture 1 shows: (circle|cross|square)"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"classifies .* correctly")).first).to_be_visible()
    page.goto(f"{dashboard.url}/weights?run={run}")
    expect(page.get_by_text("Preferred pattern").first).to_be_visible()


def test_what_cannot_be_read_is_said_and_leaves_nothing(visit, dashboard, tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text(table().replace("blue", ""))
    before = len(dashboard.store.datasets.all())
    page = visit(f"{dashboard.url}/data", width=390, height=844)
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text("column 'colour' is empty")).to_be_visible()
    button(page, "Discard this file").click()
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    assert len(dashboard.store.datasets.all()) == before and not [*(dashboard.home / "uploads").glob("*")]
