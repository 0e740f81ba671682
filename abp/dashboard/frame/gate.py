"""The gate: where people have to sign in (``ABP_AUTH=oidc``), nobody gets past it who has not, by any way in.

Pages ask it before they draw anything, and our own routes before they send anything.
"""

import json
import logging
from collections.abc import Mapping

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from abp import logs, sign_in
from abp.dashboard.frame.markdown import literal
from abp.sign_in import Account

_log = logging.getLogger(__name__)


def account() -> Account | None:
    """Who the page is drawn for, if they have signed in."""
    return sign_in.account_of(st.user.to_dict())


def pass_gate() -> None:
    """Let in who may watch; to others show how to get in, and end the page there."""
    if not sign_in.asked():
        return
    trouble = sign_in.trouble()
    if trouble is not None:
        _log.error("nobody can sign in: %s", trouble)
        st.error(
            "Signing in is not set up, so nobody is let in. Whoever runs this dashboard finds the reason in its log, "
            "and with abp doctor.",
            icon=":material/lock:",
        )
        st.stop()
    who = account()
    if who is not None and who.watches:
        return
    st.title("ABP Lab", anchor=False)
    if who is None:
        st.markdown("This dashboard is for people who have an account.")
        if st.button("Sign in", type="primary", icon=":material/login:"):
            st.login()
    else:
        st.warning(
            f"Your account ({literal(who.name)}) may not use this dashboard. Ask whoever runs it for access.",
            icon=":material/lock:",
        )
        _sign_out()
    st.stop()


def account_line() -> None:
    """Who has signed in, and the way out; nothing where nobody has to."""
    if not sign_in.asked() or (who := account()) is None:
        return
    st.caption(f"Signed in as {literal(who.name)}{'' if who.operates else ', to watch'}")
    _sign_out()


def _sign_out() -> None:
    if st.button("Sign out", icon=":material/logout:", key="sign-out"):
        st.logout()


def admits(connection: HTTPConnection) -> bool:
    """Whether a request to one of our own routes comes from a browser of somebody who may watch."""
    if not sign_in.asked():
        return True
    who = account_in(connection.cookies)
    return who is not None and who.watches


def account_in(cookies: Mapping[str, str]) -> Account | None:
    """Whose browser sends these cookies, if they have signed in and signing in is set up as it should be."""
    return None if sign_in.trouble() is not None else sign_in.account_of(_claims(cookies))


def _claims(cookies: Mapping[str, str]) -> Mapping[str, object]:
    """What Streamlit has written into its signed cookie when somebody signed in; nothing if it is not genuine."""
    secret = get_cookie_secret()

    def part(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value)

    written = get_cookie_with_chunks(part, USER_COOKIE_NAME)
    try:
        claims = json.loads(written) if written else {}
    except ValueError:
        return {}
    genuine = isinstance(claims, dict) and claims.get("origin") == get_origin_from_redirect_uri()
    return claims if genuine else {}


def keep_secrets() -> None:
    """Let no secret of the sign-in get into a log."""
    section = st.secrets.get("auth", {}) if sign_in.asked() and sign_in.trouble() is None else {}
    for name in ("client_secret", "cookie_secret"):
        logs.keep_secret(section.get(name))
