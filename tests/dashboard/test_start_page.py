from __future__ import annotations

import subprocess
import sys

import pytest

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
        "page = AppTest.from_file('start.py', default_timeout=60).run();"
        "assert not page.exception and len(page.button) == 2, page"
    )
    assert imported_by(draw) == set()


def test_the_server_starts_without_what_takes_seconds_to_import():
    assert imported_by("import abp.dashboard.server") == set()


@pytest.mark.parametrize("script", ["app.py", "start.py"])
def test_the_first_page_is_drawn_by_either_script_with_the_whole_menu(script, store):
    from streamlit.testing.v1 import AppTest

    page = again(AppTest.from_file(str(ROOT / script), default_timeout=60))
    assert [button.label for button in page.button] == ["Show me, in a minute", "Start a demo run"]
    assert page.title[0].value == "Which neurons does a network need?"
