"""Every page, as axe-core sees it: light, dark, and on a phone. WCAG 2.1, levels A and AA."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from abp.dashboard.frame.page import MENU
from abp.studies.registry import start_study, study_progress
from abp.studies.specification import Study
from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard, give_up
from tests.browser.fitting import misfits
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:
    give_up("needs the package axe-playwright-python (requirements-dev.txt)")

STUDY = Study(
    datasets=("digits",),
    criteria=("none", "activation-neuron", "magnitude", "random"),
    amounts=(0.5,),
    seeds=(0, 1),
    prunings=1,
    base=Experiment(hidden=(20, 10), epochs=3, start_accuracy=0.0, stop_accuracy=1.0, patience=0, learning_rate=0.05),
)
LOOKS = {
    "light": {"color_scheme": "light", "width": 1280},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "width": 390},
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}

STREAMLITS_OWN: dict[str, str] = {}
"""What only Streamlit can mend: rule, and the selector of what is left out of it. Nothing at present."""

PAGES = {label: file.removeprefix("pages/").removesuffix(".py") for part in MENU.values() for file, label, _ in part}


@pytest.fixture(scope="module")
def shown(dashboard) -> dict[str, str]:
    """Addresses below the dashboard's of what every page can show, its store having a study."""
    number = start_study(dashboard.store, STUDY)
    wait_until(lambda: study_progress(dashboard.store, number, workers=1).ended, "for the study")
    of = {run.experiment.criterion: run.id for run in dashboard.store.runs.all() if run.experiment.hidden == (20, 10)}
    run = of["activation-neuron"]
    links = {label: f"/{'' if file == 'start' else file}" for label, file in PAGES.items() if file != "start.py"}
    links["Start"] = "/"
    links["Train"] = f"/train?run={run}"
    links["Guided demo"] = f"/demo?run={run}&beside={of['random']}&step=5"
    links |= {label: f"{links[label]}?run={run}" for label in ("Playground", "Spectra", "Weights", "Low rank")}
    links |= {label: f"{links[label]}?study={number}" for label in ("Compare", "Claims")}
    links["Side by side"] = f"/pair?run={run}&other={of['magnitude']}"
    assert set(links) == set(PAGES)
    return links | {
        "The form of a run": "/train",
        "Continue a run": f"/train?continue={run}",
        "The demo without a run": "/demo",
        "Presenter mode": f"/demo?run={run}&step=2&present=1",
        "A run that there is not": "/train?run=99999",
        "Two runs to choose": "/pair",
    }


def complaints(page) -> list[str]:
    """What axe finds serious or critical, but for `STREAMLITS_OWN`."""
    found = []
    for violation in Axe().run(page, options=RULES).response["violations"]:
        own = STREAMLITS_OWN.get(violation["id"])
        for node in violation["nodes"]:
            target = node["target"][-1]
            if own and page.locator(str(target)).first.evaluate("(node, own) => node.closest(own) !== null", own):
                continue
            if violation["impact"] in ("serious", "critical"):
                words = (node["any"] + node["all"] + node["none"])[0]["message"]
                found.append(f"{violation['id']}: {node['html'][:200]}: {words}")
    return found


def settled(page) -> None:
    """Wait until the page is drawn and nothing goes on in the background."""
    expect(page.locator('[data-testid="stMain"] :is(h1, .stage, [data-testid="stAlert"])').first).to_be_visible()
    page.wait_for_function(
        """() => document.querySelector('[data-test-script-state="notRunning"]')
              && !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')
              && ![...document.querySelectorAll('[data-testid="stAlert"]')].some(
                   alert => alert.innerText.includes('…'))"""
    )


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious_on_any_page_and_every_page_fits_its_window(look, visit, dashboard: Dashboard, shown):
    page = visit("about:blank", height=1500, **LOOKS[look])
    found = {}
    for label, address in shown.items():
        page.goto(f"{dashboard.url}{address}", wait_until="commit")
        settled(page)
        if found_here := [*complaints(page), *misfits(page)]:
            found[label] = found_here
    assert found == {}


def test_axe_finds_nothing_serious_in_what_opens(visit, dashboard: Dashboard):
    page = visit(f"{dashboard.url}/train", height=1500)
    page.get_by_text("Advanced").click()
    expect(page.get_by_role("spinbutton", name="Learning rate")).to_be_visible()
    button = page.get_by_role("button", name="What am I looking at?")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Terms on this page")).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_text("Terms on this page")).to_be_hidden()


def test_axe_finds_nothing_serious_beside_an_opened_file_and_it_fits_a_phone(visit, dashboard: Dashboard, tmp_path):
    save_file({f"{layer}.weight": torch.randn(30, 30) for layer in range(5)}, tmp_path / "mine.safetensors")
    page = visit(f"{dashboard.url}/spectra", height=1500, **LOOKS["phone"])
    page.get_by_text("Open a file").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.safetensors")
    expect(page.get_by_text("is shown instead of a run")).to_be_visible()
    expect(page.locator('[aria-label^="Against chance"] > svg')).to_have_count(5)
    settled(page)
    assert [*complaints(page), *misfits(page)] == []
