"""Work in the background: what is kept of it, and how many threads it leaves behind."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from abp.dashboard.frame import background
from abp.dashboard.frame.result_cache import ResultCache, bytes_of
from tests.databases import any_database
from tests.waiting import PATIENCE, wait_until

pytestmark = any_database


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    """The process's linear algebra with two threads, which a thread that is gone by then has asked for."""

    def limit(threads: int) -> None:
        with ThreadPoolExecutor(1) as executor:
            executor.submit(threadpool_limits, threads, "blas").result()

    at_work = lambda: any(thread.name == "one core" for thread in threading.enumerate())  # noqa: E731
    wait_until(lambda: not at_work(), "for the pages of earlier tests to end their work")
    (before,) = blas_threads()
    limit(2)
    assert blas_threads() == {2}
    yield
    limit(before)


def test_overlapping_work_has_one_thread_each_and_leaves_the_old_number_behind(two_threads):
    first_began, second_began, first_ended = (threading.Event() for _ in range(3))
    seen: dict[str, tuple[set[int], int]] = {}

    def work(name: str, began: threading.Event, awaited: threading.Event) -> None:
        began.set()
        assert awaited.wait(PATIENCE)
        seen[name] = blas_threads(), torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(background._alone, partial(work, "first", first_began, second_began))
        assert first_began.wait(PATIENCE)
        second = pool.submit(background._alone, partial(work, "second", second_began, first_ended))
        first.result(PATIENCE)
        first_ended.set()
        second.result(PATIENCE)
    assert seen == {"first": ({1}, 1), "second": ({1}, 1)}
    assert blas_threads() == {2}


def test_work_that_fails_leaves_the_old_number_of_threads_behind(two_threads):
    with pytest.raises(ZeroDivisionError):
        background._alone(lambda: 1 / 0)
    assert blas_threads() == {2}


# What is kept


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def done(cache: ResultCache, key: object, size: int) -> Future:
    future = cache.future(key, lambda: np.zeros(size, dtype=np.uint8))
    future.result(PATIENCE)
    return future


def weighed(pool: ThreadPoolExecutor) -> None:
    """Wait until the callbacks of all that was done have run, which they do in the pool's only thread."""
    pool.submit(lambda: None).result(PATIENCE)


def test_results_asked_for_longest_ago_go_when_all_of_them_take_too_many_bytes(pool):
    cache = ResultCache(pool, budget=1_000)
    futures = {key: done(cache, key, 90) for key in range(10)}
    weighed(pool)
    assert len(cache) == 10  # 900 bytes
    done(cache, 0, 90)  # asked for again
    done(cache, "large", 150)
    weighed(pool)
    assert len(cache) == 10
    assert cache.future(0, lambda: None) is futures[0]
    assert cache.future(2, lambda: None) is futures[2]
    assert cache.future(1, lambda: None) is not futures[1]


def test_what_a_page_shows_at_once_stays_however_large_it_is(pool):
    cache = ResultCache(pool, budget=1_000)
    for key in range(40):
        done(cache, key, 10_000)
    weighed(pool)
    assert len(cache) == 6


def test_work_that_goes_on_is_never_forgotten():
    go_on = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        cache = ResultCache(pool, budget=0)
        slow = cache.future("slow", lambda: go_on.wait(PATIENCE))
        for key in range(20):
            done(cache, key, 1_000)
        assert cache.future("slow", lambda: None) is slow
        go_on.set()


def test_work_is_done_once_until_it_is_forgotten(pool):
    cache, calls = ResultCache(pool), []
    first = cache.future("key", lambda: calls.append(1))
    assert cache.future("key", lambda: calls.append(2)) is first
    cache.forget("key", Future())  # another one, of somebody who came before
    assert cache.future("key", lambda: calls.append(3)) is first
    cache.forget("key", first)
    cache.future("key", lambda: calls.append(4)).result(PATIENCE)
    assert calls == [1, 4]


@dataclass(frozen=True)
class Holder:
    tensor: torch.Tensor
    arrays: tuple[np.ndarray, ...]
    texts: dict[str, bytes]


def test_bytes_are_those_of_all_that_a_result_holds_each_counted_once():
    tensor, array = torch.zeros(1_000_000), np.zeros(500_000)
    holder = Holder(tensor, (array, array[:10], array.reshape(500, 1000)), {"key": bytes(300_000)})
    expected = 4_000_000 + 4_000_000 + 300_000
    assert bytes_of([holder, holder, tensor.t()]) == pytest.approx(expected, rel=1e-3)
    assert bytes_of(pd.DataFrame({"a": np.zeros(250_000)})) == pytest.approx(2_000_000, rel=1e-2)
    assert bytes_of(None) < 100
