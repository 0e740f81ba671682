from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import segno

from abp.dashboard import server
from abp.dashboard.frame.room import qr_code
from abp.dashboard.frame.visits import Visits
from tests.dashboard.opening import ROOT, again

HEAVY = ("torch", "sklearn", "scipy", "distributed", "dask", "altair", "onnx")


def imported_by(program: str) -> set[str]:
    """Which of the heavy packages a program imports."""
    ending = f"; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program + ending], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split("\n")[-2].split())


def test_the_first_page_is_drawn_without_what_takes_seconds_to_import(home, monkeypatch):
    monkeypatch.setenv("ABP_HOME", str(home))
    draw = (
        "from streamlit.testing.v1 import AppTest; import sys; before = set(sys.modules);"
        "page = AppTest.from_file('start.py', default_timeout=300).run();"
        "assert not page.exception and len(page.button) == 2, page"
    )
    assert imported_by(draw) == set()


def test_the_server_starts_without_what_takes_seconds_to_import():
    assert imported_by("import abp.dashboard.server") == set()


def test_a_run_is_watched_without_what_takes_seconds_to_import():
    assert imported_by("import abp.dashboard.channel.reader, abp.dashboard.train.watch") == set()


def test_what_can_wait_is_imported_while_nobody_waits_for_a_page(monkeypatch):
    clock, imported = SimpleNamespace(now=0.0), []
    visits = Visits(lambda: clock.now)
    drawing = visits.drawing()

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now - seconds < 1 <= clock.now:
            drawing.__enter__()
        if clock.now - seconds < 5 <= clock.now:
            drawing.__exit__(None, None, None)

    monkeypatch.setattr(server, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(server, "importlib", SimpleNamespace(import_module=lambda name: imported.append(clock.now)))
    server._import_later(["one", "other"], visits)
    assert len(imported) == 2 and imported[0] == pytest.approx(5 + server.IDLE, abs=0.2)
    assert visits.drawn


def test_what_two_threads_must_not_import_at_once_is_there_before_there_are_two():
    """A cold link to Train failed now and then, its import and the background's waiting for each other."""
    program = "import sys, abp.dashboard.server; sys.exit('narwhals.stable.v1' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("script", ["app.py", "start.py"])
def test_the_first_page_is_drawn_by_either_script_with_the_whole_menu(script, store):
    from streamlit.testing.v1 import AppTest

    page = again(AppTest.from_file(str(ROOT / script), default_timeout=300))
    assert [button.label for button in page.button] == ["Show me, in a minute", "Start a demo run"]
    assert page.title[0].value == "Which neurons does a network need?"


def test_the_rooms_link_and_its_code_stand_on_the_first_page_where_others_can_reach_it(store, monkeypatch):
    from streamlit.testing.v1 import AppTest

    def drawn() -> str:
        page = again(AppTest.from_file(str(ROOT / "start.py"), default_timeout=300))
        return " ".join(element.value for element in page.markdown)

    assert "Join in" not in drawn()
    monkeypatch.setenv("ABP_OPERATE", "key")
    assert re.search(r"Join in:\*\* http://localhost:\d+", drawn())


def test_the_code_holds_the_link():
    address = "http://192.0.2.7:8501/lab"
    drawn = ElementTree.fromstring(qr_code(address))
    size = segno.make(address, micro=False).symbol_size(border=4)[0]
    assert drawn.get("width") == str(4 * size) and drawn.find("title").text == f"QR code of {address}"
    assert drawn.find("path").get("stroke", drawn.find("path").get("class")) is not None
