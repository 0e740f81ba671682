"""Uploads: streamed to disk for the operator alone, and nothing half sent stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from starlette.applications import Starlette

from abp.dashboard.channel import uploads
from abp.dashboard.channel.uploads import Uploads, discard, new_place, uploaded
from abp.dashboard.frame.access import COOKIE, operator_key
from tests.waiting import run_async


def put(
    place: str, pieces: Sequence[bytes | None], *, name: str = "data.csv", base: str = "", **headers: str
) -> tuple[int, str]:
    """Send pieces of a file as a server hands them on; None stands for a browser that goes. Status and answer."""
    left, sent = list(pieces), []

    async def receive() -> dict:
        piece = left.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    async def send(message: dict) -> None:
        sent.append(message)

    head = {"host": "localhost", **headers}
    scope = {
        "type": "http",
        "method": "PUT",
        "path": f"{base}/upload/{place}",
        "query_string": f"name={name}".encode(),
        "headers": [(key.replace("_", "-").encode(), value.encode()) for key, value in head.items()],
    }
    run_async(Starlette(routes=[Uploads(base).route()])(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


def test_a_file_arrives_whole_under_a_harmless_name(home):
    place = new_place()
    assert uploaded(place) is None
    assert put(place, [b"a,label\n", b"1,2\n"], name="..%2F..%2Fmy%20data.csv", base="/lab") == (201, "")
    file = uploaded(place)
    assert file.read_bytes() == b"a,label\n1,2\n" and file.name == "my-data.csv"
    assert file.is_relative_to(home / "uploads" / place)
    put(place, [b"again"], name="other.csv")
    assert [each.name for each in file.parent.iterdir()] == ["other.csv"]
    discard(place)
    assert uploaded(place) is None and not file.parent.exists()


def test_nothing_of_a_file_that_is_too_large_or_breaks_off_stays(home, monkeypatch):
    monkeypatch.setattr(uploads, "FILE_BYTES", 2**20)
    place = new_place()
    status, answer = put(place, [b"never read"], content_length=str(3 * 2**30))
    assert status == 413 and answer == "This file has more than 1 MB, which is the most that can be read."
    assert put(place, [bytes(2**19)] * 3)[0] == 413  # it did not say how large it is
    assert put(place, [b"half", None])[0] == 400
    assert put(place, [b""]) == (400, "This file is empty.")
    assert uploaded(place) is None and not [*home.glob("uploads/*")]


def test_only_the_operator_s_own_pages_send_files(home, monkeypatch):
    place = new_place()
    assert put(place, [b"x"], origin="http://evil.example")[0] == 403
    assert put("../../etc", [b"x"])[0] in (403, 404)
    monkeypatch.setenv("ABP_OPERATE", "key")
    assert put(place, [b"x"])[0] == 403
    assert put(place, [b"x"], cookie=f"{COOKIE}=wrong")[0] == 403
    assert uploaded(place) is None
    assert put(place, [b"x"], cookie=f"{COOKIE}={operator_key()}", origin="http://localhost")[0] == 201


@pytest.mark.parametrize("place", ["", "..", "0" * 31, "g" * 32])
def test_a_place_is_nothing_but_a_random_word(home, place):
    assert uploaded(place) is None
    discard(place)
