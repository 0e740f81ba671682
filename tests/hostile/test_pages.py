"""Pages under links that nobody made by hand, and names that were meant to break them."""

from __future__ import annotations

import pytest

from abp.store.store import Store
from tests.dashboard.opening import PRUNED, ROOT, again, open_page, words
from tests.recordings import trained

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PARAMETERS = (
    "beside",
    "step",
    "present",
    "picture",
    "layer",
    "neuron",
    "study",
    "from",
    "continue",
    "runs",
    "seed",
    "data",
)
NAME = "<b onclick=alert(1)>x</b> ![](http://192.0.2.1/x) $\\frac{1}{0}$ :material/delete: ../../etc =1+1"
HOSTILE = ("-1", "1e999", "<script>alert(1)</script>", "9" * 400, "../../etc/passwd")


@pytest.fixture
def store(home, monkeypatch) -> Store:
    monkeypatch.setenv("ABP_ENGINE", "off")
    return Store()


def unharmed(page) -> None:
    shown = words(page)
    assert "failed unexpectedly" not in shown and "Traceback" not in shown
    assert not page.exception


@pytest.mark.parametrize("file", PAGES)
def test_no_link_and_no_name_breaks_a_page(file, store):
    run = trained(store, PRUNED, name=NAME)
    numbers = {name: HOSTILE[place % len(HOSTILE)] for place, name in enumerate(PARAMETERS)}
    unharmed(open_page(file, run=run, **numbers))
    unharmed(open_page(file, run=HOSTILE[-2], beside=HOSTILE[2], study=HOSTILE[-1]))
    assert [each.id for each in store.runs.all()] == [run] and store.commands.of(run) == []


def test_a_form_that_is_filled_in_with_nonsense_starts_nothing(store):
    page = open_page("train")
    for field in page.text_input:
        field.set_value(HOSTILE[2] + "9" * 5000)
    again(page)
    unharmed(page)
    start = next(button for button in page.button if button.label == "Start training")
    if not start.disabled:
        start.click()
        again(page)
    assert store.runs.all() == [] and page.error
