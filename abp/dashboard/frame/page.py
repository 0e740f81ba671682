"""What every page shares: its frame and menu, the store, the engine, and errors in plain sentences."""

import functools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException

from abp.dashboard.frame.access import NotOperating
from abp.dashboard.frame.gate import account_line, pass_gate
from abp.dashboard.frame.glossary import page_help
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.services import ensure_engine, store
from abp.dashboard.frame.turns import turns
from abp.dashboard.frame.visits import visits
from abp.data.datasets import DataUnavailable
from abp.errors import AbpError
from abp.home import HomeUnusable
from abp.store.database import StoreUnusable
from abp.store.records import RunUnknown, StudyUnknown
from abp.training.experiment import SettingError

START = "start.py"
"""The first page's script."""

MENU = {
    "": [(START, "Start", ":material/home:")],
    "Watch": [
        ("pages/demo.py", "Guided demo", ":material/slideshow:"),
        ("pages/train.py", "Train", ":material/play_circle:"),
        ("pages/data.py", "Data", ":material/database:"),
        ("pages/runs.py", "Runs", ":material/list_alt:"),
    ],
    "Play": [("pages/playground.py", "Playground", ":material/draw:")],
    "Compare": [
        ("pages/compare.py", "Compare", ":material/compare:"),
        ("pages/claims.py", "Claims", ":material/gavel:"),
        ("pages/pair.py", "Side by side", ":material/compare_arrows:"),
    ],
    "Understand": [
        ("pages/spectra.py", "Spectra", ":material/show_chart:"),
        ("pages/weights.py", "Weights", ":material/grid_on:"),
        ("pages/low_rank.py", "Low rank", ":material/compress:"),
    ],
}
"""Sections of the menu: file, title and icon of each page."""

_ICON = Path(__file__).with_name("icon.png")  # a Material icon would be fetched from the internet

_STYLE = f"<style>{Path(__file__).with_name('page.css').read_text(encoding='utf-8')}</style>"

_SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")

_log = logging.getLogger(__name__)


@contextmanager
def page(title: str) -> Iterator[None]:
    """Draw a page's frame around its body; an error in it is shown as a sentence, never as a traceback.

    Parameters
    ----------
    title
        Title of the browser's tab.
    """
    with visits.drawing():
        with turns.turn(), _framed(title):
            yield
        with plain_errors():
            ensure_engine()  # last: it takes the cores for seconds, and no page is to wait for it


@contextmanager
def _framed(title: str) -> Iterator[None]:
    st.set_page_config(page_title=f"{title} · ABP Lab", page_icon=_ICON, layout="wide")
    # The browser keeps the old address when a link leads from a page to itself, such as from the form to a run, unless
    # it is told the new one. Told without need, it would undo a step back that was made meanwhile.
    before, drawn = st.session_state.get("drawn-link"), (title, st.query_params.to_dict())
    if before is not None and before != drawn and before[0] == title and not moved_in_history():
        st.query_params.from_dict(drawn[1])
    st.session_state["drawn-link"] = drawn
    st.html(_STYLE)
    st.html(f"<script>{_SCRIPT}// {_what_is_shown(title)}\n</script>", unsafe_allow_javascript=True)
    pass_gate()
    with st.sidebar:
        st.markdown("### :material/hub: ABP Lab")
        for section, pages in MENU.items():
            if section:
                st.caption(section)
            # From one run's page to the other pages about the same run.
            of_a_run = section in ("Play", "Understand") and "run" in st.query_params
            query = {"run": st.query_params["run"]} if of_a_run else None
            for file, label, icon in pages:
                st.page_link(
                    file if file != START else _main_script(),
                    label=label,
                    icon=icon,
                    width="stretch",
                    query_params=query,
                )
        account_line()
    if not presenting():
        with st.container(key="page-help"):
            page_help(title)
    ready = False
    with plain_errors():
        store()
        ready = True
    if not ready:  # the error is on the page already, and the body cannot be drawn without a store
        st.stop()
    with plain_errors():
        yield


def moved_in_history() -> bool:
    """Whether the page is drawn because a person pressed the browser's Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _main_script() -> str:
    """The script that Streamlit was started with: the first page, by whichever name."""
    context = get_script_run_ctx()
    assert context is not None  # pages are drawn by scripts alone
    return Path(context.main_script_path).name


def _what_is_shown(title: str) -> str:
    """The page and what its link says that it is about: of anything else, one page shows different sides."""
    about = {name: st.query_params.get(name) for name in ("run", "from", "continue", "study")}
    return json.dumps([title, *about.values()]).replace("<", "\\u003c")


def presenting() -> bool:
    """Whether the link asks for presenter mode (``?present=1``), which shows nothing but the picture."""
    return st.query_params.get("present") == "1"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show an error as the sentence that it carries."""
    try:
        yield
    except (StoreUnusable, HomeUnusable) as error:
        st.error(literal(str(error)), icon=":material/database_off:")
    except NotOperating as error:
        st.warning(literal(str(error)), icon=":material/visibility:")
    except DataUnavailable as error:
        st.error(literal(str(error)), icon=":material/cloud_off:")
    except RunUnknown as error:
        st.warning(literal(str(error)), icon=":material/search_off:")
        st.page_link("pages/runs.py", label="Show all runs", icon=":material/list_alt:")
    except StudyUnknown as error:
        st.warning(literal(str(error)), icon=":material/search_off:")
        st.page_link("pages/compare.py", label="Show all studies", icon=":material/compare:")
    except SettingError as error:
        st.error(f"{literal(str(error)[:1].upper() + str(error)[1:])}.", icon=":material/error:")
    except AbpError as error:
        st.error(literal(str(error)), icon=":material/error:")
    except (RerunException, StopException):
        raise
    except Exception:
        _log.exception("a page failed")
        st.error(
            "This page failed unexpectedly. Runs in progress are not affected. Details are in the terminal in which "
            "the dashboard runs; reload the page to try again.",
            icon=":material/error:",
        )


def fragment(run_every: float | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like ``st.fragment``; its own reruns show errors as `plain_errors` does."""

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def guarded(*arguments: object) -> None:
            with turns.turn(), plain_errors():
                body(*arguments)

        return st.fragment(guarded, run_every=run_every)

    return decorate
