from __future__ import annotations

import pytest

from abp import sign_in
from abp.cli.main import main

AUTH = """[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "abp"
client_secret = "hunter2hunter2"
server_metadata_url = "http://localhost:1/.well-known/openid-configuration"
"""


@pytest.mark.parametrize(
    ("claims", "watches", "operates"),
    [
        ({"roles": ["abp-operator"]}, True, True),
        ({"roles": "reader, abp-operator"}, True, True),
        ({"roles": ["abp-viewer"]}, True, False),
        ({"roles": [["abp-operator"], {"abp-operator": 1}, None]}, False, False),
        ({"roles": {"abp-operator": True}}, False, False),
        ({"roles": "abp-operators"}, False, False),
        ({}, False, False),
    ],
)
def test_roles_come_from_the_claim_and_whatever_is_not_understood_gives_none(claims, watches, operates, monkeypatch):
    monkeypatch.setenv("ABP_VIEWER_ROLE", "abp-viewer")
    account = sign_in.account_of({"is_logged_in": True, "name": "Ada", **claims})
    assert (account.watches, account.operates) == (watches, operates)
    for signed_in in (False, None, "true", 1):
        assert sign_in.account_of({**claims, "is_logged_in": signed_in}) is None


def test_claim_and_roles_can_be_named_and_without_a_viewers_role_every_account_may_watch(monkeypatch):
    claims = {"is_logged_in": True, "sub": "7", "realm_access": {"roles": ["boss"]}, "roles": ["abp-operator"]}
    monkeypatch.setenv("ABP_ROLE_CLAIM", "realm_access.roles")
    assert sign_in.account_of(claims) == sign_in.Account("7", watches=True, operates=False)
    monkeypatch.setenv("ABP_OPERATOR_ROLE", "boss")
    assert sign_in.account_of(claims) == sign_in.Account("7", watches=True, operates=True)


def test_what_is_missing_for_signing_in_is_named_by_doctor_and_never_shown_with_secrets(home, monkeypatch, capsys):
    assert not sign_in.asked()
    monkeypatch.setenv("ABP_AUTH", "yes")
    assert sign_in.asked() and "must be oidc" in sign_in.trouble()
    monkeypatch.setenv("ABP_AUTH", "oidc")
    assert "There is no" in sign_in.trouble()
    path = sign_in.secrets_file()
    for text, said in (
        ("[auth", "cannot be read"),
        ("", "does not say redirect_uri, cookie_secret"),
        (AUTH.replace("client_id", "client"), "does not say client_id"),
        (AUTH.replace("0123456789abcdef0123456789abcdef", "short"), "at least 32 characters"),
    ):
        path.write_text(text)
        path.chmod(0o600)
        assert said in sign_in.trouble()
        assert main(["doctor"]) == 1
        shown = capsys.readouterr().err
        assert said in shown and "hunter2" not in shown
    path.write_text(AUTH)
    path.chmod(0o644)
    assert "chmod 600" in sign_in.trouble()
    path.chmod(0o600)
    assert sign_in.trouble() is None and main(["doctor"]) == 0
