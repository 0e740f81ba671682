"""Pages are drawn one after the other, and none waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from abp.dashboard.frame import background
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.result_cache import ResultCache
from abp.dashboard.frame.turns import Turns
from tests.databases import any_database
from tests.waiting import PATIENCE, wait_until

pytestmark = any_database


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as executor:
        yield executor.submit


def in_turn(turns: Turns, work: Callable[[], object]) -> None:
    with turns.turn():
        work()


def line_up(threads, turns: Turns, works: list[Callable[[], object]]) -> list[Future]:
    """Threads that ask for a turn in this order, while another one has it."""
    asked = []
    for place, work in enumerate(works):
        asked.append(threads(in_turn, turns, work))
        wait_until(lambda place=place: len(turns._line) == place + 1, "for a thread to stand in line")
    return asked


def test_turns_come_in_the_order_in_which_they_were_asked_for_and_never_two_at_once(threads):
    turns, seen, drawing = Turns(PATIENCE), [], []

    def draw(name: int) -> None:
        drawing.append(name)
        seen.append((name, len(drawing)))
        drawing.remove(name)

    with turns.turn():
        asked = line_up(threads, turns, [lambda name=name: draw(name) for name in range(6)])
        assert not seen
    for each in asked:
        each.result(PATIENCE)
    assert seen == [(name, 1) for name in range(6)]


def test_a_part_of_a_page_has_the_turn_of_its_page(threads):
    turns = Turns(PATIENCE)
    with turns.turn():
        with turns.turn():
            pass
        (asked,) = line_up(threads, turns, [lambda: None])  # the part has not given the page's turn away
        assert not asked.done()
    asked.result(PATIENCE)


def test_who_waits_for_something_else_lets_others_draw_and_goes_on_in_turn(threads):
    turns, order = Turns(PATIENCE), []
    with turns.turn():
        (asked,) = line_up(threads, turns, [lambda: order.append("other")])
        with turns.waiting():
            asked.result(PATIENCE)
        order.append("own")
        (asked,) = line_up(threads, turns, [lambda: order.append("last")])  # so the turn was taken again
        assert order == ["other", "own"]
    asked.result(PATIENCE)
    with turns.waiting():  # nobody's turn is given away by somebody who has none
        pass
    with turns.turn():
        line_up(threads, turns, [lambda: None])


def test_a_page_lets_others_draw_while_its_work_is_done_and_not_for_what_is_done_already(threads, monkeypatch):
    turns, order, ends = Turns(PATIENCE), [], threading.Event()
    with ThreadPoolExecutor(1) as workers:
        results = ResultCache(workers)
        monkeypatch.setattr(background, "_results", lambda: results)
        monkeypatch.setattr(background, "turns", turns)

        def work() -> str:
            assert ends.wait(PATIENCE)
            return "found"

        def other() -> None:
            order.append("other")
            ends.set()

        with turns.turn():
            (asked,) = line_up(threads, turns, [other])  # only when it has drawn is the work done
            assert in_background("key", work, "Working", patience=PATIENCE) == "found"
            order.append("page")
            asked.result(PATIENCE)
            (asked,) = line_up(threads, turns, [lambda: order.append("next")])
            assert in_background("key", work, "Working", patience=PATIENCE) == "found"
            order.append("page")
        asked.result(PATIENCE)
    assert order == ["other", "page", "page", "next"]


def test_a_page_that_hangs_holds_up_no_other_and_leaves_one_turn_behind(threads):
    turns, ends = Turns(patience=0.01), threading.Event()
    hanging = threads(in_turn, turns, lambda: ends.wait(PATIENCE))
    wait_until(lambda: not turns._free, "for the page to hang")
    in_turn(turns, lambda: None)  # goes on without a turn
    assert not turns._line
    ends.set()
    hanging.result(PATIENCE)
    turns._patience = PATIENCE
    with turns.turn():
        (asked,) = line_up(threads, turns, [lambda: None])
        assert not asked.done()
    asked.result(PATIENCE)


def test_an_error_gives_the_turn_back(threads):
    turns = Turns(PATIENCE)
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    threads(in_turn, turns, lambda: None).result(PATIENCE)
    assert turns._free
