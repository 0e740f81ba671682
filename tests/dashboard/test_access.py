from __future__ import annotations

import pytest

from abp.dashboard.frame import access, services
from abp.dashboard.frame.access import NotOperating
from tests.dashboard.opening import PRUNED, open_page, words
from tests.recordings import trained

STARTS = ("Start", "Train", "Fine-tune", "Resume", "Pause", "Stop", "Prune", "Rename", "Delete", "Extend", "Go on")


@pytest.fixture
def watching(monkeypatch) -> None:
    """The key is asked for, and this browser has none."""
    monkeypatch.setenv("ABP_OPERATE", "key")


@pytest.mark.parametrize("file", ["train", "runs", "compare", "claims", "low_rank", "playground", "spectra", "weights"])
def test_a_watcher_is_offered_nothing_that_starts_or_changes_a_run(file, store, watching):
    run = trained(store, PRUNED)
    page = open_page(file) if file in ("compare", "claims", "runs") else open_page(file, run=run)
    offered = [button.label for button in page.button if button.label.startswith(STARTS)]
    assert offered == [] and not page.error


def test_the_form_of_a_new_run_says_why_it_is_not_there(store, watching):
    page = open_page("train")
    assert "You are watching" in words(page) and not page.button


def test_what_a_page_writes_is_refused_in_the_store_itself(store, watching, monkeypatch):
    run = trained(store, PRUNED)
    monkeypatch.setattr(access, "get_script_run_ctx", lambda **_: object())
    monkeypatch.setattr(access.st, "context", type("Context", (), {"cookies": {}}))
    page = services.store()
    for write in (
        lambda: page.runs.add(PRUNED),
        lambda: page.runs.rename(run, "mine"),
        lambda: page.runs.delete(run),
        lambda: page.commands.add(run, "stop"),
        lambda: page.studies.add("mine", "{}"),
    ):
        with pytest.raises(NotOperating):
            write()
    assert [each.id for each in store.runs.all()] == [run] and store.commands.of(run) == []
    page.watches.mark(run)  # looking is free
    assert store.watches.watched(run)
    monkeypatch.setattr(access.st, "context", type("Context", (), {"cookies": {access.COOKIE: access.operator_key()}}))
    page.runs.rename(run, "Mine now")
    assert store.runs.get(run).name == "Mine now"


@pytest.mark.parametrize(
    ("asked", "address", "needed"),
    [
        ("", "localhost", False),
        ("", "127.0.0.1", False),
        ("", "0.0.0.0", True),
        ("", None, True),
        ("everyone", "0.0.0.0", False),
        ("key", "localhost", True),
        ("nonsense", "localhost", True),
    ],
)
def test_the_key_is_needed_where_others_reach_the_server_unless_it_is_said_otherwise(
    asked, address, needed, monkeypatch
):
    monkeypatch.setenv("ABP_OPERATE", asked)
    monkeypatch.setattr(access.st, "get_option", lambda name: {"server.address": address}[name])
    assert access.needs_key() is needed
