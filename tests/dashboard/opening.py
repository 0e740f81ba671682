"""Opening a page as Streamlit runs it, without a browser, over runs that were really trained."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from abp.training.experiment import Experiment
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
PRUNED = Experiment(
    hidden=(20, 10),
    criterion="activation-neuron",
    amount=0.5,
    prunings=2,
    start_accuracy=0.05,
    stop_accuracy=0.06,
    epochs=9,
)


def open_page(file: str, **link: object) -> AppTest:
    """A page opened cold by a link, and drawn once."""
    page = AppTest.from_file(str(ROOT / "start.py"), default_timeout=PATIENCE)
    page.switch_page(f"pages/{file}.py")
    for name, value in link.items():
        page.query_params[name] = str(value)
    return again(page)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def settled(page: AppTest) -> AppTest:
    """The page when nothing goes on in the background any more; the timers of a test's page never fire."""
    wait_until(lambda: not any("…" in info.value for info in again(page).info), "for the background")
    return page


def words(page: AppTest) -> str:
    texts = (*page.caption, *page.markdown, *page.info, *page.warning, *page.error, *page.subheader)
    return " ".join(text.value for text in texts)
