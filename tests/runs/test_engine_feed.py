"""How the engine hands queued runs to Dask, without Dask: what it does when something goes wrong."""

import asyncio
from contextlib import suppress

import pytest

from abp.runs import engine
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.rows import change_run
from tests.waiting import PATIENCE, run_async

TINY = Experiment(hidden=(5,), criterion="none", epochs=1)


class Future:
    """What becomes of a submitted run; as with Dask, callbacks come in another thread."""

    def __init__(self) -> None:
        self.status = "pending"
        self._loop, self._callbacks = asyncio.get_running_loop(), []

    def done(self) -> bool:
        return self.status != "pending"

    async def exception(self) -> BaseException:
        return RuntimeError("killed")

    def add_done_callback(self, callback) -> None:
        self._callbacks.append(callback)

    def end(self, status: str) -> None:
        self.status = status
        for callback in self._callbacks:
            self._loop.run_in_executor(None, callback, self)


class Client:
    """Takes runs; `errors` are raised by the first submissions."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.submitted = list(errors), []

    def submit(self, _train, run: int, *names: str, **_options) -> Future:
        if self.errors:
            raise self.errors.pop(0)
        future = Future()
        self.submitted.append((run, names, future))
        return future


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(engine, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(engine, "RETRY_AFTER", 0.01)


def fed(client: Client, story) -> None:
    """Feed the client while a story happens, which fails if it has not ended within a minute."""

    async def both() -> None:
        ended = asyncio.Event()
        feeding = asyncio.ensure_future(engine.feed(client, ended, 2))
        telling = asyncio.ensure_future(story())
        try:
            await asyncio.wait({feeding, telling}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            assert telling.done(), "the feed ended, or the story did not"
            telling.result()
        finally:
            ended.set()
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            await feeding

    run_async(both())


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("error", [ValueError("nobody thought of this"), OSError("no more files")])
def test_the_feed_survives_what_nobody_thought_of_and_says_it_in_the_log(error, home, caplog):
    run = Store().runs.add(TINY)
    client = Client(error, error)

    async def story() -> None:
        await until(lambda: client.submitted)

    fed(client, story)
    assert client.submitted[0][0] == run
    assert str(error) in caplog.text


def test_a_run_whose_worker_died_goes_on_with_another_one(home):
    store, client = Store(), Client()
    run = store.runs.add(TINY)

    async def story() -> None:
        await until(lambda: client.submitted)
        _, (name,), future = client.submitted[0]
        assert store.leases.claim(run, f"a machine:123:{name}")
        future.end("error")
        await until(lambda: len(client.submitted) == 2)
        assert client.submitted[1][0] == run and store.runs.get(run).deaths == 1

    fed(client, story)


def test_a_run_that_another_worker_has_claimed_by_now_is_left_to_it(home):
    store, client = Store(), Client()
    run = store.runs.add(TINY)

    async def story() -> None:
        await until(lambda: client.submitted)
        assert store.leases.claim(run, "another machine:5:another placement")
        client.submitted[0][2].end("error")
        other = store.runs.add(TINY)  # is placed after the first one was let go
        await until(lambda: len(client.submitted) > 1)
        assert client.submitted[1][0] == other
        row = store.runs.get(run)
        assert (row.status, row.owner) == ("running", "another machine:5:another placement")

    fed(client, story)


def test_a_long_queue_is_placed_as_workers_become_free_each_run_once(home):
    store, client = Store(), Client()
    runs = [store.runs.add(TINY, lane="queue") for _ in range(20)]

    async def story() -> None:
        for count in range(1, len(runs) + 1):
            await until(lambda count=count: len(client.submitted) >= count)
            at_once = sum(future.status == "pending" for _, _, future in client.submitted)
            assert at_once <= 2
            run, _, future = client.submitted[count - 1]
            change_run(store, run, status="finished")
            future.end("finished")

    fed(client, story)
    assert [run for run, _, _ in client.submitted] == runs
