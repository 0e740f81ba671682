from __future__ import annotations

import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from sqlalchemy import func, select

from abp.dashboard.frame.access import operator_key
from abp.store import schema
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.hostile.live_socket import FOREIGN, Served, Visit, serving, visits
from tests.hostile.test_hostile import ALIKE
from tests.recordings import trained


@pytest.fixture
def store(home) -> Store:
    store = Store()
    trained(store, Experiment(hidden=(5,), criterion="none", epochs=1))
    return store


def rows(store: Store) -> dict[str, int]:
    with store.database.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
        }


def several() -> list[Visit]:
    found: list[Visit] = []

    @settings(ALIKE, max_examples=60)
    @given(visits)
    def keep(visit: Visit) -> None:
        found.append(visit)

    keep()
    return found


def met(server: Served, sent: list[Visit]) -> None:
    with ThreadPoolExecutor(1) as thread:  # a browser of this process keeps a loop in the main one
        thread.submit(server.meet, sent).result()


def test_garbage_and_floods_on_the_live_socket_change_nothing_and_hurt_nobody(store):
    before, threads = rows(store), threading.active_count()
    with serving(store) as server:
        met(server, [*several(), *[Visit(path="1", messages=(b"\xff" * 2**16,) * 20)] * 20])
        assert server.errors == []
        welcomed = Visit(path="1", origin=None)
        met(server, [welcomed])
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/live/1/film", timeout=60) as film:
            assert film.status == 200
    assert rows(store) == before
    assert threading.active_count() <= threads + 8


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_sites_page_can_post_nothing_to_our_routes(method, store):
    before = rows(store)
    with serving(store) as server:
        for path in ("live/1", "live/1/film", "operate", f"operate?key={operator_key()}"):
            asked = urllib.request.Request(
                f"http://127.0.0.1:{server.port}/{path}", method=method, data=b"run=1", headers={"Origin": FOREIGN}
            )
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(asked, timeout=60)
            assert refusal.value.code in (403, 404, 405)
            told = refusal.value.headers
            assert "Set-Cookie" not in told and "Access-Control-Allow-Origin" not in told
    assert rows(store) == before
