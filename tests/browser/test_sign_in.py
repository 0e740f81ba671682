"""Signing in with an account of an OpenID Connect provider, and what that opens."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
import websockets
from playwright.sync_api import expect

from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.browser.conftest import serving
from tests.browser.provider import CLIENT, SECRET, providing
from tests.recordings import trained
from tests.waiting import PATIENCE, run_async

expect.set_options(timeout=1000 * PATIENCE)

SECRETS = """[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "a-cookie-secret-of-more-than-thirty-two-characters"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{url}/.well-known/openid-configuration"
"""


def watched(url: str, cookies: str) -> str:
    """What a program with these cookies is told by the live socket: the type of the first message, or the refusal."""

    async def watch() -> str:
        headers = {"Cookie": cookies} if cookies else {}
        try:
            async with websockets.connect(
                f"{url.replace('http', 'ws')}/live/1", additional_headers=headers, max_size=None
            ) as socket:
                return str(json.loads(await socket.recv())["type"])
        except websockets.InvalidStatus as refusal:
            return str(refusal.response.status_code)

    return run_async(watch())


def film(url: str, cookies: str) -> int:
    asked = urllib.request.Request(f"{url}/live/1/film", headers={"Cookie": cookies} if cookies else {})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def upload(url: str, cookies: str) -> int:
    asked = urllib.request.Request(
        f"{url}/upload/{'0' * 32}?name=x.csv", data=b"a,b", method="PUT", headers={"Cookie": cookies} if cookies else {}
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def cookies_of(page) -> str:
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())


def test_who_signs_in_may_watch_who_operates_may_start_and_nobody_else_gets_anything(tmp_path, visit):
    home = tmp_path / "home"
    home.mkdir()
    trained(Store(home / "abp.sqlite3"), Experiment(hidden=(5,), criterion="none", epochs=1), name="Somebody's run")
    with providing() as provider:
        (home / "secrets.toml").write_text(SECRETS.format(client=CLIENT, secret=SECRET, url=provider.url))
        (home / "secrets.toml").chmod(0o600)
        environment = {"ABP_AUTH": "oidc", "ABP_ENGINE": "off", "NO_PROXY": "*", "ABP_VIEWER_ROLE": "abp-viewer"}
        with serving(home, **environment) as dashboard:
            url = dashboard.url
            # Nobody has signed in: no page, no socket, no file, by any link; and the operator's key is none here.
            assert (watched(url, ""), film(url, ""), upload(url, "")) == ("403", 403, 403)
            page = visit(f"{url}/runs")
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()
            expect(page.get_by_text("Somebody's run")).to_have_count(0)
            expect(page.get_by_role("link", name="Runs")).to_have_count(0)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}/operate?key=x", timeout=60)

            # An account without a role is told so.
            provider.person = {"sub": "1", "name": "Eve", "roles": ["else"]}
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_text("may not use this dashboard")).to_be_visible()
            assert watched(url, cookies_of(page)) == "403"
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()

            # A viewer sees runs, live ones too, and starts none.
            provider.person = {"sub": "2", "name": "Ada", "roles": ["abp-viewer"]}
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_text("Signed in as Ada, to watch")).to_be_visible()
            expect(page.get_by_role("button", name="Start a demo run")).to_have_count(0)
            assert (watched(url, cookies_of(page)), film(url, cookies_of(page))) == ("history", 200)
            forged = cookies_of(page).replace("_streamlit_user=", "_streamlit_user=x")
            assert (watched(url, forged), upload(url, cookies_of(page))) == ("403", 403)
            page.goto(f"{url}/train?run=1")
            expect(page.get_by_role("heading", name="Somebody's run")).to_be_visible()
            expect(page.get_by_text("Finished").first).to_be_visible()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()

            # An operator starts one.
            provider.person = {"sub": "3", "name": "Grace", "roles": ["abp-operator"]}
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_text("Signed in as Grace")).to_be_visible()
            page.get_by_role("button", name="Start a demo run").click()
            expect(page.get_by_text("of 500").first).to_be_visible()
            assert len(dashboard.store.runs.all()) == 2 and upload(url, cookies_of(page)) == 201
            page.close()  # it may still be loading parts of the page, which the server will no longer have
        logged = (home / "server.log").read_text() + "".join(path.read_text() for path in (home / "logs").glob("*"))
        for secret in (SECRET, "a-cookie-secret", "eyJ"):
            assert secret not in logged
