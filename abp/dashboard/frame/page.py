"""What every page shares: its frame and menu, the store, the engine, and plain words for errors."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException

from abp.dashboard.frame.access import NotOperating
from abp.dashboard.frame.glossary import words_of
from abp.dashboard.frame.services import ensure_engine, store
from abp.data.datasets import DataUnavailable
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
        ("pages/runs.py", "Runs", ":material/list_alt:"),
    ],
    "Play": [("pages/playground.py", "Playground", ":material/draw:")],
    "Compare": [
        ("pages/compare.py", "Compare", ":material/compare:"),
        ("pages/claims.py", "Claims", ":material/gavel:"),
    ],
    "Understand": [
        ("pages/spectra.py", "Spectra", ":material/show_chart:"),
        ("pages/weights.py", "Weights", ":material/grid_on:"),
        ("pages/low_rank.py", "Low rank", ":material/compress:"),
    ],
}
"""Sections of the menu: file, title and icon of each page."""

_ICON = Path(__file__).with_name("icon.png")  # a Material icon would be fetched from the internet

# White on the dark theme's orange is too faint to read (WCAG AA), and no theme option says so for primary buttons.
_STYLE = """<style>[data-testid="stBaseButton-primary"] { color: light-dark(#FFFFFF, #0E1117); }</style>"""

_log = logging.getLogger(__name__)


@contextmanager
def page(title: str) -> Iterator[None]:
    """Draw a page's frame around its body; what goes wrong in it is said in words, never as a traceback.

    Parameters
    ----------
    title
        Of the browser's tab.
    """
    st.set_page_config(page_title=f"{title} · ABP Lab", page_icon=_ICON, layout="wide")
    # Tell the browser what this run of the page is about: it leaves the address as it was when a link leads from a
    # page to itself, such as from the form to a run.
    st.query_params.from_dict(st.query_params.to_dict())
    st.html(_STYLE)
    with st.sidebar:
        st.markdown("### :material/hub: ABP Lab")
        for section, pages in MENU.items():
            if section:
                st.caption(section)
            # From a run to what else can be seen of it.
            of_a_run = section in ("Play", "Understand") and "run" in st.query_params
            about = {"run": st.query_params["run"]} if of_a_run else None
            for file, label, sign in pages:
                st.page_link(
                    file if file != START else _main_script(),
                    label=label,
                    icon=sign,
                    width="stretch",
                    query_params=about,
                )
    if not presenting():
        words_of(title)
    ready = False
    with plain_errors():
        store()
        ensure_engine()
        ready = True
    if not ready:  # what is wrong has been said; the body has nothing to stand on
        st.stop()
    with plain_errors():
        yield


def _main_script() -> str:
    """The script that Streamlit was started with: the first page, by whichever name."""
    context = get_script_run_ctx()
    assert context is not None  # pages are drawn by scripts alone
    return Path(context.main_script_path).name


def presenting() -> bool:
    """Whether the link asks for presenter mode: ``?present=1``, nothing but the picture."""
    return st.query_params.get("present") == "1"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show an error as the sentence it carries."""
    try:
        yield
    except (StoreUnusable, HomeUnusable) as error:
        st.error(str(error), icon=":material/database_off:")
    except NotOperating as error:
        st.warning(str(error), icon=":material/visibility:")
    except DataUnavailable as error:
        st.error(str(error), icon=":material/cloud_off:")
    except RunUnknown as error:
        st.warning(str(error), icon=":material/search_off:")
        st.page_link("pages/runs.py", label="See all runs", icon=":material/list_alt:")
    except StudyUnknown as error:
        st.warning(str(error), icon=":material/search_off:")
        st.page_link("pages/compare.py", label="See all studies", icon=":material/compare:")
    except SettingError as error:
        st.error(f"{str(error)[:1].upper()}{str(error)[1:]}.", icon=":material/error:")
    except (RerunException, StopException):
        raise
    except Exception:
        _log.exception("a page failed")
        st.error(
            "Something unexpected went wrong on this page. The terminal in which the dashboard runs shows the details; "
            "runs in progress are not affected. Reload the page to try again.",
            icon=":material/error:",
        )


def fragment(run_every: float | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like ``st.fragment``, with errors in plain words on its own reruns too."""

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def guarded(*arguments: object) -> None:
            with plain_errors():
                body(*arguments)

        return st.fragment(guarded, run_every=run_every)

    return decorate


def run_from_link(parameter: str = "run") -> int | None:
    """The number of a run in the link's ``?run=``, or another parameter; None if there is none.

    Raises
    ------
    abp.store.store.RunUnknown
        If it is no number.
    """
    return _number_from_link(parameter, "run", RunUnknown)


def study_from_link() -> int | None:
    """The number of a study in the link's ``?study=``; None if there is none.

    Raises
    ------
    abp.studies.registry.StudyUnknown
        If it is no number.
    """
    return _number_from_link("study", "study", StudyUnknown)


def _number_from_link(parameter: str, what: str, unknown: type[LookupError]) -> int | None:
    text = st.query_params.get(parameter)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise unknown(f"“{text[:40]}” is not the number of a {what}.")
    return int(text)
