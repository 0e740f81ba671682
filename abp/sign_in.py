"""Sign-in: who somebody is by what an OpenID Connect provider says of them, and what they may do here.

``ABP_AUTH=oidc`` asks everybody to sign in. The provider is named in the section ``[auth]`` of ``secrets.toml`` in the
home folder, as Streamlit's ``st.login`` wants it. A claim of the provider says what somebody may do.
"""

from __future__ import annotations

import importlib.util
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abp.home import home

NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
"""What the section ``[auth]`` has to say."""

CLAIM, OPERATOR, VIEWER = "ABP_ROLE_CLAIM", "ABP_OPERATOR_ROLE", "ABP_VIEWER_ROLE"
"""Environment variables: the claim that holds roles, and the roles; unset, everybody who can sign in may watch."""

_SHORTEST = 32  # characters of the secret that cookies are signed with


@dataclass(frozen=True)
class Account:
    """Somebody who has signed in.

    Attributes
    ----------
    name
        For the screen.
    watches, operates
        Whether they may look and play; whether they may start, steer, rename and delete runs as well.
    """

    name: str
    watches: bool
    operates: bool


def asked() -> bool:
    """Whether people have to sign in. A value of ``ABP_AUTH`` that is not understood locks rather than opens."""
    return os.environ.get("ABP_AUTH", "") != ""


def secrets_file() -> Path:
    """Where the provider is named."""
    return home() / "secrets.toml"


def trouble() -> str | None:
    """Why nobody can sign in, in sentences that say what to do; None if all is well."""
    if (value := os.environ.get("ABP_AUTH", "")) != "oidc":
        return f"ABP_AUTH must be oidc, or unset, not {value[:40]!r}."
    if importlib.util.find_spec("authlib") is None or importlib.util.find_spec("httpx") is None:
        return "Signing in needs the packages Authlib and httpx: pip install 'abp-lab[oidc]'."
    path = secrets_file()
    try:
        section: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("auth")
    except FileNotFoundError:
        return f"There is no {path}, which names the provider of accounts (SECURITY.md says how)."
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return f"{path} cannot be read: {error}."
    missing = [name for name in NEEDED if not isinstance(section, dict) or not section.get(name)]
    if missing:
        return f"The section [auth] of {path} does not say {', '.join(missing)}."
    if len(str(section["cookie_secret"])) < _SHORTEST:
        return f"The cookie_secret in {path} must have at least {_SHORTEST} characters: cookies are signed with it."
    if path.stat().st_mode & 0o077:
        return f"{path} can be read by others: chmod 600 {path}."
    return None


def account_of(claims: Mapping[str, Any]) -> Account | None:
    """Who has signed in by these claims of the provider; None if nobody has.

    >>> account_of({"is_logged_in": True, "name": "Ada", "roles": ["abp-operator"]})
    Account(name='Ada', watches=True, operates=True)
    >>> account_of({"name": "Ada"}) is None
    True
    """
    if claims.get("is_logged_in") is not True:
        return None
    name = next((str(claims[key]) for key in ("name", "preferred_username", "email", "sub") if claims.get(key)), "?")
    roles = set(_roles(claims))
    viewer = os.environ.get(VIEWER, "")
    operates = os.environ.get(OPERATOR, "") in roles if os.environ.get(OPERATOR) else "abp-operator" in roles
    return Account(name[:60], watches=operates or not viewer or viewer in roles, operates=operates)


def _roles(claims: Mapping[str, Any]) -> Iterable[str]:
    """The values of the claim that holds roles, such as ``roles`` or ``realm_access.roles``: a list, or words."""
    found: Any = claims
    for part in (os.environ.get(CLAIM) or "roles").split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found.replace(",", " ").split()
    return [role for role in found if isinstance(role, str)] if isinstance(found, list | tuple) else []
