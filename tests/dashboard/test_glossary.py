"""Every page says what it shows, and explains its terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from abp.dashboard.frame.glossary import FORMS, GLOSSARY, PAGES
from abp.dashboard.frame.page import MENU
from abp.store.store import Store
from abp.studies.registry import start_study
from abp.studies.specification import Study
from abp.training.experiment import Experiment
from tests.dashboard.opening import ROOT, open_page, settled
from tests.databases import any_database
from tests.recordings import finish
from tests.waiting import PATIENCE

pytestmark = any_database

PAGES_OF_MENU = {label: Path(file).stem for section in MENU.values() for file, label, _ in section}
BASE = Experiment(hidden=(12, 8), epochs=3, start_accuracy=0.0, stop_accuracy=1.0, patience=0, learning_rate=0.05)
SMALL = Study(
    datasets=("digits",),
    criteria=("none", "activation", "activation-neuron", "magnitude", "random"),
    amounts=(0.5,),
    seeds=(0, 1),
    prunings=1,
    base=BASE,
)
PATTERNS = {
    term: re.compile(rf"(?<![\w-])(?:{FORMS.get(term, rf'{re.escape(term)}s?')})(?![\w-])", re.IGNORECASE)
    for term in GLOSSARY
}


def opened(label: str, **link: object) -> AppTest:
    file = PAGES_OF_MENU[label]
    if file == "start":
        return AppTest.from_file(str(ROOT / "start.py"), default_timeout=PATIENCE).run()
    return settled(open_page(file, **link))


def popovers(page: AppTest) -> list:
    return [block for block in blocks(page.main) if opens(block)]


def opens(block) -> str:
    """The label of a block that a button opens; empty of any other."""
    return getattr(getattr(block.proto, "popover", None), "label", "")


def blocks(block) -> Iterator:
    for child in getattr(block, "children", {}).values():
        if hasattr(child, "children"):
            yield child
            yield from blocks(child)


def text_of(block) -> Iterator[str]:
    """What stands on the page: headings, text, labels and figures; not what opens behind icons and buttons."""
    for child in getattr(block, "children", {}).values():
        if hasattr(child, "children"):
            if not opens(child):
                yield from text_of(child)
        elif child.type == "metric":
            yield f"{child.label} {child.value}"
        elif child.type in ("button", "selectbox", "number_input", "toggle", "slider", "radio", "multiselect"):
            yield child.label
        elif child.type in ("markdown", "caption", "title", "header", "subheader", "info", "warning", "error", "text"):
            yield child.value
        elif child.type in ("arrow_data_frame", "dataframe"):
            yield " ".join(map(str, child.value.columns))
        elif child.type == "bidi_component":
            yield child.proto.json


@pytest.fixture(scope="module")
def situations(tmp_path_factory) -> Iterator[dict[str, dict[str, object]]]:
    """A store with a study, all of whose runs are done; the links to them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABP_HOME", str(tmp_path_factory.mktemp("home")))
        store = Store()
        study = start_study(store, SMALL)
        for run in store.runs.queued():
            finish(store, run.id)
        pruned = next(run.id for run in store.runs.all() if run.experiment.criterion == "activation-neuron")
        yield {"empty": {}, "run": {"run": pruned}, "study": {"study": study}}


@pytest.fixture
def home(situations) -> None:
    """The home of the situations, instead of one for each test."""


def texts(label: str, situations) -> str:
    return " ".join(" ".join(text_of(opened(label, **link).main)) for link in situations.values())


@pytest.mark.parametrize("label", PAGES_OF_MENU)
def test_every_page_says_what_it_shows_in_a_few_sentences_behind_one_button(label, situations):
    page = opened(label)
    (behind,) = popovers(page)
    (explained,) = behind.markdown
    text, _, terms = explained.value.partition("**Terms on this page**")
    assert opens(behind) == "What am I looking at?"
    assert text.strip() == PAGES[label].text
    assert 2 <= len(re.findall(r"[.!?](?= |$)", text.strip())) <= 4
    assert [line[4:].split(":**")[0].lower() for line in terms.strip().splitlines()] == sorted(
        term.lower() for term in PAGES[label].terms
    )


@pytest.mark.parametrize("label", PAGES_OF_MENU)
def test_every_term_on_a_page_is_explained_there(label, situations):
    text = texts(label, situations)
    unexplained = {term: PATTERNS[term].search(text).group() for term in GLOSSARY if PATTERNS[term].search(text)}
    for term in PAGES[label].terms:
        unexplained.pop(term, None)
    assert unexplained == {}


@pytest.mark.parametrize("label", PAGES_OF_MENU)
def test_every_page_has_its_words_over_an_empty_store(label, tmp_path, monkeypatch):
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "empty"))
    assert popovers(opened(label))[0].markdown[0].value


def test_every_term_has_one_line_and_is_used_by_a_page():
    assert {term for words in PAGES.values() for term in words.terms} == set(GLOSSARY)
    assert all(30 < len(line) < 200 and line.endswith(".") for line in GLOSSARY.values())
    assert not any(re.search(r"[=$\\^∑√]", line) for line in GLOSSARY.values())
    assert all(len(set(words.terms)) == len(words.terms) for words in PAGES.values())


def test_the_words_are_those_of_the_menus_pages():
    assert set(PAGES) == set(PAGES_OF_MENU)


def test_presenter_mode_shows_no_such_button(situations):
    page = open_page("demo", present=1, **situations["run"])
    assert popovers(page) == []


def test_the_first_page_has_no_formula(situations):
    page = opened("Start").main
    text = " ".join(element.value for element in (*page.title, *page.markdown, *page.caption))
    assert not re.search(r"[=$\\^∑√]", text)
