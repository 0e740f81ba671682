"""Who operates and who only watches, against a real server: from this machine, and from another host's address."""

from __future__ import annotations

import asyncio
import re
import shutil
import stat
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from typing import Any

import pytest
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard, give_up, serving
from tests.hosts import Host, hosts, obstacle
from tests.waiting import PATIENCE, run_async, wait_until

SMALL = Experiment(hidden=(5,), criterion="none", epochs=2)


@pytest.fixture(scope="module")
def locked(tmp_path_factory) -> Iterator[Dashboard]:
    """A dashboard that asks for the key; nothing is trained in it."""
    with serving(tmp_path_factory.mktemp("locked"), ABP_OPERATE="key", ABP_ENGINE="off") as running:
        yield running


def operators_link(dashboard: Dashboard) -> str:
    """The link as it was printed."""

    def printed() -> str | None:
        found = re.search(r"http://\S+(/operate\?key=\S+)", (dashboard.home / "server.log").read_text())
        return found and dashboard.url + found[1]

    return wait_until(printed, "for the operator's link")


def operators_cookie(dashboard: Dashboard) -> str:
    cookies = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    with opener.open(operators_link(dashboard)) as reply:
        assert reply.status == 200
    (cookie,) = [cookie for cookie in cookies if cookie.name == "abp_operator"]
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "strict"
    return f"{cookie.name}={cookie.value}"


async def drawn(socket: Any) -> list[ForwardMsg]:
    """All that the server sends until a page has been drawn."""
    found = []
    async with asyncio.timeout(PATIENCE):
        while not (found and found[-1].WhichOneof("type") == "script_finished"):
            found.append(ForwardMsg.FromString(await socket.recv()))
    return found


def session(dashboard: Dashboard, cookie: str = "") -> Any:
    """Streamlit's own socket, as a browser with this cookie opens it."""
    host = dashboard.url.removeprefix("http://")
    headers = {"Cookie": cookie} if cookie else {}
    return websockets.connect(
        f"ws://{host}/_stcore/stream",
        origin=dashboard.url,
        subprotocols=["streamlit"],
        additional_headers=headers,
        max_size=None,
    )


def buttons(messages: list[ForwardMsg]) -> dict[str, str]:
    """Label and number of every button that was drawn."""
    elements = [message.delta.new_element for message in messages if message.WhichOneof("type") == "delta"]
    return {element.button.label: element.button.id for element in elements if element.HasField("button")}


async def press(socket: Any, button: str) -> None:
    message = BackMsg()
    message.rerun_script.query_string = ""
    state = message.rerun_script.widget_states.widgets.add()
    state.id, state.trigger_value = button, True
    await socket.send(message.SerializeToString())
    await drawn(socket)


async def first_drawing(socket: Any) -> dict[str, str]:
    message = BackMsg()
    message.rerun_script.query_string = ""
    await socket.send(message.SerializeToString())
    return buttons(await drawn(socket))


def test_a_forged_click_of_a_watcher_starts_nothing_and_the_operators_does(locked):
    async def both() -> None:
        async with session(locked, operators_cookie(locked)) as operator:
            offered = await first_drawing(operator)
            button = offered["Start a demo run"]
            async with session(locked) as watcher:
                assert "Start a demo run" not in await first_drawing(watcher)
                await press(watcher, button)
                assert locked.store.runs.all() == []
            async with session(locked, "abp_operator=guessed") as guesser:
                await first_drawing(guesser)
                await press(guesser, button)
                assert locked.store.runs.all() == []
            await press(operator, button)
        wait_until(lambda: len(locked.store.runs.all()) == 1, "for the operator's run")

    run_async(both())


def test_a_wrong_key_is_refused_with_a_sentence(locked):
    for key in ("", "x", "9" * 5000, "%00", "é"):
        request = f"{locked.url}/operate?key={urllib.request.quote(key)}"
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
        assert refusal.value.code == 403 and "operator" in refusal.value.read().decode()
        assert refusal.value.headers.get("Set-Cookie") is None


def test_the_key_is_kept_where_only_its_owner_reads_it_and_outlives_the_server(locked):
    file = locked.home / "operator-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() in operators_link(locked)


def test_a_watcher_sees_runs_and_the_channel_and_no_controls(locked, visit):
    run = locked.store.runs.add(SMALL, name="To be watched")
    page = visit(f"{locked.url}/train?run={run}")
    page.get_by_text("To be watched").first.wait_for()
    page.get_by_text("You are watching").first.wait_for()
    assert page.get_by_role("button", name="Stop").count() == 0
    page.goto(f"{locked.url}/train")
    page.get_by_text("You are watching").first.wait_for()
    assert page.get_by_role("button", name="Start training").count() == 0


# Another host


@pytest.fixture(scope="module")
def two_hosts() -> Iterator[list[Host]]:
    """One for the server, one for its visitor."""
    if obstacle():
        give_up(obstacle())
    with ExitStack() as made:
        try:
            found = made.enter_context(hosts(2))
        except subprocess.CalledProcessError as error:
            give_up(f"needs to make network namespaces: {error.stderr[:200]}")
        yield found


def test_from_another_host_a_visitor_watches_and_whoever_has_the_link_operates(tmp_path, chromium, two_hosts):
    home, away = two_hosts
    browser_there = away.program(tmp_path / "chromium-there", shutil.which("chromium"))
    with serving(tmp_path / "home", "--host", "0.0.0.0", host=home, ABP_ENGINE="off") as dashboard:
        there = chromium.browser_type.launch(
            executable_path=str(browser_there),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=1000 * PATIENCE,
        )
        try:
            page = there.new_page()
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(dashboard.url)
            page.get_by_text("You are watching").first.wait_for()
            assert page.get_by_role("button", name="Start a demo run").count() == 0
            page.goto(operators_link(dashboard))
            page.get_by_role("button", name="Start a demo run").first.click()
            wait_until(lambda: len(dashboard.store.runs.all()) == 1, "for the run")
        finally:
            there.close()
