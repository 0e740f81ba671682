"""Access: who operates (starts, steers, renames and deletes runs), and who watches and plays.

On this machine alone everybody operates. Where others can reach the server, it takes the operator's key: opening
``/operate?key=...`` once gives a browser a cookie. An address decides nothing, since behind a proxy everyone is local.
Where people sign in (``ABP_AUTH=oidc``), their account's role decides instead: see `abp.dashboard.frame.gate`. The rule
is applied where the store is written (`abp.store.database.Database`), so that no forged message gets past it.
"""

import hmac
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit.runtime.scriptrunner import get_script_run_ctx

from abp import logs, sign_in
from abp.dashboard.frame.gate import account, account_in
from abp.home import home
from abp.sign_in import Account

COOKIE = "abp_operator"
MODES = ("everyone", "key")

_KEPT = 30 * 24 * 3600  # seconds for which a browser keeps the cookie
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class NotOperating(PermissionError):
    """This browser only watches: it has not been given the operator's key."""


def needs_key() -> bool:
    """Whether operating takes the key: as ``ABP_OPERATE`` says, by default where other devices reach the server.

    Where people sign in (`abp.sign_in`) there is no key. A value of ``ABP_OPERATE`` that is not understood locks rather
    than opens.
    """
    if sign_in.asked():
        return False
    asked = os.environ.get("ABP_OPERATE", "")
    return asked != "everyone" if asked else st.get_option("server.address") not in _LOOPBACK


def may_operate(cookies: Mapping[str, str]) -> bool:
    """Whether the browser that sends these cookies may change anything: for routes of our own."""
    if sign_in.asked():
        return _operates(account_in(cookies))
    return not needs_key() or _holds_key(cookies)


def operating() -> bool:
    """Whether the browser that this page is drawn for may start and steer runs; true of the server's own work."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return True
    if sign_in.asked():
        return _operates(account())
    return may_operate(st.context.cookies)


_WATCHING = (
    "You are watching. To start, control, rename or delete runs, open the operator's link, which was printed where "
    "the dashboard was started."
)
_NO_OPERATOR = (
    "You are watching: your account may not start, control, rename or delete runs. Ask whoever runs this dashboard."
)


def require_operator() -> None:
    """Let the operator pass, or raise NotOperating: the store asks before anything is written."""
    if not operating():
        raise NotOperating(_why_watching())


def offers_controls() -> bool:
    """Whether to draw what only the operator can use; to others it says in its place that they are watching."""
    if operating():
        return True
    st.caption(f":material/visibility: {_why_watching()}")
    return False


def _why_watching() -> str:
    return _NO_OPERATOR if sign_in.asked() else _WATCHING


def operator_key() -> str:
    """The key, made when it is first needed and kept in the home folder, readable by its owner alone."""
    path = _key_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(24))
        try:
            os.link(part, path)  # if another process was faster, its key counts
        except FileExistsError:
            pass
        finally:
            part.unlink()
    key = path.read_text().strip()
    logs.keep_secret(key)
    return key


def operator_link(address: str) -> str:
    """The link that makes a browser the operator's, below the dashboard's `address`."""
    return f"{address}/operate?key={quote(operator_key())}"


def room_address() -> str:
    """The dashboard's address for other devices in the room."""
    host = st.get_option("server.address") or ""
    if host in ("", "0.0.0.0", "::"):
        host = _own_address()
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"http://{host}:{st.get_option('server.port')}" + (f"/{base}" if base else "")


def operate_route(base: str) -> Route:
    """The route that checks a key and gives the cookie, below the `base` path."""

    async def operate(request: Request) -> Response:
        if sign_in.asked():
            return PlainTextResponse("Here people sign in; there is no operator's key.", status_code=404)
        if not _is_key(request.query_params.get("key", "")):
            return PlainTextResponse(
                "This is not the operator's key. The right link was printed where the dashboard was started.",
                status_code=403,
            )
        answer = RedirectResponse(f"{base}/", status_code=303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(
            COOKIE, operator_key(), max_age=_KEPT, path=f"{base}/", httponly=True, samesite="strict", secure=secure
        )
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return Route(f"{base}/operate", operate)


def _operates(who: Account | None) -> bool:
    return who is not None and who.operates


def _holds_key(cookies: Mapping[str, str]) -> bool:
    return _is_key(cookies.get(COOKIE))


def _is_key(text: object) -> bool:
    return isinstance(text, str) and hmac.compare_digest(text.encode(), operator_key().encode())


def _key_path() -> Path:
    return home() / "operator-key"


def _own_address() -> str:
    """This machine's address in its network; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: it only chooses the interface
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
