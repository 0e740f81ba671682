from __future__ import annotations

import json
import logging

import pytest

from abp import logs


@pytest.fixture
def log(home):
    """A logger, and what it has written to the file of a part."""
    root, level = logging.getLogger(), logging.getLogger().level
    logs.write_to("dashboard")
    yield logging.getLogger("abp.test")
    for logger in (root, *map(logging.getLogger, list(root.manager.loggerDict))):
        for handler in [each for each in logger.handlers if isinstance(each.formatter, logs.JsonLines)]:
            logger.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def lines(home) -> list[dict]:
    return [json.loads(line) for line in (home / "logs" / "dashboard.log").read_text().splitlines()]


def test_each_line_is_an_object_that_says_when_where_and_what(home, log):
    log.warning("the engine had ended with status %s", 3)
    try:
        raise KeyError("a column")
    except KeyError:
        log.exception("a page failed")
    warning, error = lines(home)
    assert (warning["level"], warning["part"], warning["logger"]) == ("warning", "dashboard", "abp.test")
    assert warning["message"] == "the engine had ended with status 3" and warning["time"].endswith("+00:00")
    assert (error["error"], error["error_message"]) == ("KeyError", "'a column'")
    assert "tests/test_logs.py:" in error["at"][0]
    assert (home / "logs").stat().st_mode & 0o077 == 0  # nobody else's to read


def test_nothing_secret_or_personal_gets_into_a_log(home, log, monkeypatch):
    logs.keep_secret("swordfish-1234")
    monkeypatch.setenv("HOME", "/home/ada")
    log.error(
        "the key is swordfish-1234, and GET /operate?key=Zq3-xyz&run=7 came from 192.0.2.7 and 2001:db8:0:0:0:0:0:7"
    )
    log.error("postgresql+psycopg://abp:hunter22@db.example/abp, Cookie: abp_operator=topsecret; a=b")
    log.error("Bearer abcdefgh12345678, client_secret=qwertz99, eyJhbGciOi.eyJzdWIi.c2ln, ada@example.org, /home/ada/x")
    text = (home / "logs" / "dashboard.log").read_text()
    for private in (
        "swordfish", "Zq3", "192.0.2.7", "2001:db8", "hunter22", "topsecret", "abcdefgh12345678", "qwertz99",
        "c2ln", "ada@", "/home/ada",
    ):  # fmt: skip
        assert private not in text, private
    assert "run=7" in text and "db.example/abp" in text and "~/x" in text


def test_a_log_is_rotated_and_no_line_breaks_it(home, log, monkeypatch):
    handler = next(each for each in logging.getLogger().handlers if isinstance(each.formatter, logs.JsonLines))
    monkeypatch.setattr(handler, "maxBytes", 4000)
    for number in range(100):
        log.error("line\n%s \x00\u202e %s", number, "x" * 5000)
    files = sorted(path.name for path in (home / "logs").iterdir())
    assert files == ["dashboard.log", *(f"dashboard.log.{n}" for n in range(1, logs.KEPT + 1))]
    assert all(path.stat().st_size <= 4000 for path in (home / "logs").iterdir())
    assert len(lines(home)) == 1 and len(lines(home)[0]["message"]) == 2000


def test_what_other_programs_keep_to_themselves_is_logged_too(home, log):
    own = logging.getLogger("uvicorn.error")
    own.propagate = False
    try:
        logs.write_to("dashboard")
        own.error("an application failed")
        log.error("once")
    finally:
        own.propagate = True
    assert [line["message"] for line in lines(home)] == ["an application failed", "once"]


def test_a_home_that_cannot_be_used_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "file"))
    logs.write_to("dashboard")
