"""What a person does, in a real browser, with real training behind it."""

from __future__ import annotations

import re

import pandas as pd
import psutil
import pytest
from safetensors.torch import load

from abp.dashboard.demo.presets import DEMO
from abp.dashboard.frame.page import MENU
from abp.training.experiment import Experiment
from tests.browser.conftest import serving
from tests.browser.live import ENDLESS, button, choose, number_of, paused_run, watched
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)


def badge(page, word: str):
    return page.get_by_test_id("stMain").locator("span.stMarkdownBadge", has_text=re.compile(rf"{word}$"))


def answer(page):
    """The line that says what came of the last command."""
    return page.locator(".live .sentence")


def run_of(page) -> int:
    page.wait_for_url(re.compile(r"/train\?run=\d+$"))
    return int(page.url.rsplit("=")[-1])


# From the first page


def test_one_click_on_the_first_page_opens_a_live_demo(visit, dashboard):
    page = visit(dashboard.url)
    button(page, "Start a demo run").click()
    run = run_of(page)
    expect(badge(page, "Running")).to_be_visible()
    expect(number_of(page, "epoch")).to_have_text(re.compile("^[1-9][0-9]* of 500$"))
    assert dashboard.store.runs.get(run).experiment == DEMO
    expect(page.get_by_role("application", name=f"of {sum(DEMO.hidden)} neurons")).to_be_visible()
    expect(number_of(page, "rate")).to_have_text(re.compile("^[1-9][0-9,]*$"))
    button(page, "Stop").click()
    expect(badge(page, "Stopped")).to_be_visible()


def test_the_menu_leads_to_every_page(visit, dashboard):
    page = visit(dashboard.url)
    menu = page.get_by_test_id("stSidebar")
    menu.get_by_role("link", name="Train").click()
    expect(button(page, "Start training")).to_be_visible()
    menu.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    menu.get_by_role("link", name="Start").click()
    expect(button(page, "Start a demo run")).to_be_visible()


def test_start_training_works_by_keyboard_alone(visit, dashboard):
    page = visit(f"{dashboard.url}/train")
    expect(button(page, "Start training")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip().endswith("Start training"):
            break
    else:
        pytest.fail("Tab does not reach the button")
    page.keyboard.press("Enter")
    run = run_of(page)
    assert dashboard.store.runs.get(run).experiment == Experiment()
    dashboard.store.commands.add(run, "stop")


# Live


def test_pause_step_resume_and_stop_do_what_they_say(visit, dashboard):
    run = paused_run(dashboard)
    page = watched(visit, dashboard, run)
    expect(badge(page, "Paused")).to_be_visible()
    assert number_of(page, "epoch").inner_text() == "0 of 10000"
    place = button(page, "Stop").bounding_box()

    for epoch in (1, 2):
        button(page, "Step").click()
        expect(page.get_by_text(f"{epoch} of 10000")).to_be_visible()
        wait_until(lambda: dashboard.store.runs.get(run).status == "paused")
        assert dashboard.store.runs.get(run).epoch == epoch
    expect(badge(page, "Paused")).to_be_visible()

    button(page, "Resume").click()
    expect(badge(page, "Running")).to_be_visible()
    assert button(page, "Stop").bounding_box() == place  # no control moves from under the mouse
    wait_until(lambda: dashboard.store.runs.get(run).epoch > 3)
    button(page, "Pause").click()
    expect(badge(page, "Paused")).to_be_visible()
    expect(answer(page)).to_contain_text("Paused.")
    epoch = dashboard.store.frames.newest(run, ENDLESS.hidden).epoch
    expect(page.get_by_text(f"{epoch} of 10000")).to_be_visible()

    button(page, "Stop").click()
    expect(badge(page, "Stopped")).to_be_visible()
    for control in ("Pause", "Resume", "Step", "Stop", "Prune now"):
        expect(button(page, control)).to_have_count(0)
    state = dashboard.store.runs.get(run)
    assert state.status == "stopped" and state.stopped_by == "hand"
    expect(page.get_by_role("slider")).to_be_visible()


def test_prune_now_raises_the_sparsity_and_says_what_came_of_it(visit, dashboard):
    run = paused_run(dashboard)
    page = watched(visit, dashboard, run)
    button(page, "Step").click()
    expect(page.get_by_text("1 of 10000")).to_be_visible()
    expect(number_of(page, "removed")).to_have_text("0.0 %")
    expect(badge(page, "Pruned by hand")).to_have_count(0)

    page.get_by_role("spinbutton", name="Remove, %").fill("40")
    button(page, "Prune now").click()  # at once: what was just typed must count
    expect(answer(page)).to_contain_text("Removed ")
    expect(badge(page, "Pruned by hand")).to_be_visible()
    expect(badge(page, "Paused")).to_be_visible()
    expect(number_of(page, "removed")).to_have_text("40.0 %")
    sparsity = 100 * dashboard.store.runs.get(run).sparsity
    expect(answer(page)).to_contain_text(f"sparsity {sparsity:.1f} %")
    expect(answer(page)).to_contain_text(re.compile(r"validation accuracy [\d.]+ → [\d.]+ %"))

    weights = 64 * 60 + 60 * 40
    expect(page.get_by_text(f"of the {round((1 - sparsity / 100) * weights):,} weights that are left")).to_be_visible()
    button(page, "Prune now").click()  # of what is left, and not of all
    expect(number_of(page, "removed")).to_have_text("64.0 %")
    button(page, "Step").click()  # and the network goes on learning without what was removed
    expect(page.get_by_text("2 of 10000")).to_be_visible()
    assert dashboard.store.runs.get(run).sparsity >= 0.639
    button(page, "Undo").click()
    expect(answer(page)).to_contain_text(re.compile("Brought back 1,49[0-9] weights"))
    expect(number_of(page, "removed")).to_have_text("40.0 %")
    button(page, "Undo").click()
    expect(number_of(page, "removed")).to_have_text("0.0 %")
    expect(button(page, "Undo")).to_have_count(0)
    assert list(dashboard.store.histories.prunings(run)["made_by"]) == ["hand", "hand", "undo", "undo"]
    button(page, "Stop").click()
    expect(badge(page, "Stopped")).to_be_visible()


def test_a_reload_and_a_second_browser_show_the_same_run_in_the_same_state(visit, dashboard):
    run = paused_run(dashboard)
    page = watched(visit, dashboard, run)
    button(page, "Step").click()
    expect(page.get_by_text("1 of 10000")).to_be_visible()
    button(page, "Prune now").click()
    expect(badge(page, "Pruned by hand")).to_be_visible()
    expect(badge(page, "Paused")).to_be_visible()

    def everything(at) -> list[str]:
        return [*at.locator(".numbers dd").all_inner_texts(), answer(at).inner_text(), at.title()]

    expect(number_of(page, "removed")).not_to_have_text("0.0 %")
    expect(answer(page)).to_contain_text("Removed ")
    seen = everything(page)
    page.reload(wait_until="commit")
    other = watched(visit, dashboard, run)
    for again in (page, other):
        expect(badge(again, "Pruned by hand")).to_be_visible()
        expect(badge(again, "Paused")).to_be_visible()
        wait_until(lambda again=again: everything(again) == seen, "for the same numbers")

    other.get_by_role("combobox", name="Pace").click()  # what one person sets, the other sees
    other.get_by_role("option", name="1 epoch a second").click()
    expect(page.get_by_role("combobox", name="Pace")).to_have_value("1 epoch a second")
    button(other, "Stop").click()
    expect(badge(page, "Stopped")).to_be_visible()


def test_only_a_person_s_choice_sets_the_pace(visit, dashboard):
    """No page load, no second tab, and no click on anything else does."""
    run = paused_run(dashboard)
    page, other = (watched(visit, dashboard, run) for _ in range(2))
    asked = []
    for title, pace in (("1 epoch in 5 seconds", 0.2), ("As fast as possible", None), ("2 epochs a second", 2.0)):
        choose(page, "Pace", title)
        wait_until(lambda pace=pace: dashboard.store.runs.get(run).pace == pace, f"for the pace {pace}")
        for at in (page, other):
            # A redraw may show the field it replaces beside the new one for an instant.
            expect(at.get_by_role("combobox", name="Pace").last).to_have_value(title)
        asked.append(pace or 0.0)
    for epoch, at in enumerate((other, page, other), start=1):
        button(at, "Step").click()
        expect(page.get_by_text(f"{epoch} of 10000")).to_be_visible()
        expect(badge(page, "Paused")).to_be_visible()
        page.reload(wait_until="commit")
        expect(badge(page, "Paused")).to_be_visible()
        expect(page.get_by_role("combobox", name="Pace")).to_have_value("2 epochs a second")
    commands = [command for command in dashboard.store.commands.of(run)[::-1] if command.kind == "pace"]
    assert [command.arguments["epochs_per_second"] for command in commands] == asked
    dashboard.store.commands.add(run, "stop")


# Links


TITLES = {"" if file == "start.py" else file[6:-3]: title for pages in MENU.values() for file, title, _ in pages}


ADDRESSES = ("/train?run=1", *(f"/{page}" for page in TITLES))


def test_cold_links_on_a_fresh_server_open_their_pages_with_the_full_menu_and_no_dialog(visit, tmp_path):
    with serving(tmp_path, ABP_ENGINE="off") as fresh:
        run = fresh.store.runs.add(ENDLESS, name="The run of the link")
        assert run == 1
        # All are asked for at once: none finds a server that has drawn another page before.
        for address, page in [(address, visit(fresh.url + address)) for address in ADDRESSES]:
            mark = {
                "/": button(page, "Start a demo run"),
                "/train": button(page, "Start training"),
                "/runs": page.get_by_test_id("stDataFrame"),
                "/train?run=1": page.get_by_role("heading", name="The run of the link"),
            }
            expect(mark.get(address, page.get_by_role("heading", level=1))).to_be_visible()
            menu = page.get_by_test_id("stSidebar").get_by_role("link")
            expect(menu).to_have_count(len(TITLES))
            assert [text.split("\n")[-1] for text in menu.all_inner_texts()] == list(TITLES.values()), address
            assert page.get_by_role("dialog").count() == 0, address
            assert page.url == fresh.url + address
            page.context.close()


def test_a_link_to_an_unknown_run_says_so_and_offers_the_list(visit, dashboard):
    dashboard.store.commands.add(paused_run(dashboard), "stop")
    for link, words in (("999999", "Run 999999 does not exist"), ("abc", "is not the number of a run")):
        page = visit(f"{dashboard.url}/train?run={link}")
        expect(page.get_by_text(words)).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("link", name="Show all runs").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


PICTURE = "![picture](https://example.org/a.png)"
NAME = (
    f"{PICTURE} [link](https://example.org/b) https://example.org/c www.example.org/d a@example.org "
    ":material/home: :smile: :red[red] $a$ **bold** `code` # no heading"
)


def test_the_name_of_a_run_is_shown_as_it_is_without_links_and_pictures(visit, dashboard):
    run = paused_run(dashboard)
    dashboard.store.runs.rename(run, NAME)
    pages = {f"train?run={run}": NAME, "train": NAME, f"train?continue={run}": NAME, f"train?run={PICTURE}": PICTURE}
    for address, shown in pages.items():
        main = visit(f"{dashboard.url}/{address}").get_by_test_id("stMain")
        expect(main).to_contain_text(re.compile("\u2060?".join(map(re.escape, shown))))
        assert main.locator("a[href*='example.org'], img, code, strong:has-text('bold'), .katex").count() == 0
    dashboard.store.commands.add(run, "stop")


# The list of runs


def tick_first(page) -> None:
    """Tick the newest run; the table is a picture, whose first column holds the boxes."""
    box = page.get_by_test_id("stDataFrame").locator("canvas").first.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 52)


def test_a_run_can_be_ticked_renamed_downloaded_opened_and_deleted(visit, dashboard):
    run = paused_run(dashboard)
    dashboard.store.commands.add(run, "step")
    wait_until(lambda: dashboard.store.runs.get(run).epoch == 1 and dashboard.store.runs.get(run).status == "paused")
    dashboard.store.commands.add(run, "stop")
    wait_until(lambda: dashboard.store.runs.get(run).status == "stopped")
    page = visit(f"{dashboard.url}/runs")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    tick_first(page)
    expect(page.get_by_role("heading", name="A paused run")).to_be_visible()

    button(page, "Rename").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("   ")
    button(dialog, "Save").click()
    expect(dialog.get_by_text("A name must have 1 to 200 characters")).to_be_visible()
    dialog.get_by_label("Name").fill("Renamed <b>run</b>")
    button(dialog, "Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    assert dashboard.store.runs.get(run).name == "Renamed <b>run</b>"

    with page.expect_download() as download:
        button(page, "Download history (CSV)").click()
    assert pd.read_csv(download.value.path())["epoch"].tolist() == [1]
    with page.expect_download() as download:
        button(page, "Download weights (safetensors)").click()
    assert download.value.suggested_filename == f"run-{run}.safetensors"
    assert load(download.value.path().read_bytes())["hidden.0.weight"].shape == (60, 64)

    page.get_by_test_id("stMain").get_by_role("link", name="Open").click()
    assert run_of(page) == run
    expect(page.get_by_role("heading", name="Renamed <b>run</b>")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("link", name="All runs").click()

    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    tick_first(page)
    button(page, "Delete").click()
    expect(dialog).to_contain_text("cannot be undone")
    button(dialog, "Keep the run").click()
    expect(dialog).to_have_count(0)
    assert dashboard.store.runs.get(run)
    button(page, "Delete").click()
    button(dialog, "Delete the run").click()
    expect(dialog).to_have_count(0)
    wait_until(lambda: run not in [other.id for other in dashboard.store.runs.all()], "for the run to be gone")
    expect(button(page, "Delete")).to_have_count(0)  # and no other run is ticked now


def test_a_question_stays_open_while_the_list_follows_runs_that_go_on(visit, dashboard):
    other, run = paused_run(dashboard), paused_run(dashboard)
    page = visit(f"{dashboard.url}/runs")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    tick_first(page)
    for question in ("Rename", "Delete"):
        button(page, question).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        dashboard.store.runs.rename(other, f"Renamed during {question}")
        cell = page.get_by_test_id("stDataFrame").locator("canvas td", has_text=f"Renamed during {question}")
        expect(cell).to_have_count(1)
        expect(dialog).to_be_visible()
        if question == "Rename":
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)
    expect(dialog).to_contain_text("ends the training")
    button(dialog, "Delete the run").click()
    dashboard.store.commands.add(other, "stop")
    wait_until(lambda: run not in [other.id for other in dashboard.store.runs.all()], "for the run to be gone")


def test_links_from_a_page_to_itself_change_the_address_too(visit, dashboard):
    """So that a reload, the back button and a copied address lead to what is seen."""
    run = paused_run(dashboard, seed=77)
    page = visit(f"{dashboard.url}/train")
    page.get_by_role("link", name="A paused run").first.click()
    expect(page.locator(".live canvas")).to_be_visible()
    expect(page).to_have_url(f"{dashboard.url}/train?run={run}")
    page.get_by_role("link", name="Rerun with changes").click()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("77")
    expect(page.get_by_role("textbox", name="Hidden layers")).to_have_value("60, 40")
    expect(page).to_have_url(f"{dashboard.url}/train?from={run}")
    page.go_back()
    expect(page.get_by_role("heading", name="A paused run")).to_be_visible()
    page.get_by_role("link", name="New run").click()
    expect(button(page, "Start training")).to_be_visible()
    expect(page).to_have_url(f"{dashboard.url}/train")
    dashboard.store.commands.add(run, "stop")


# Other eyes, other screens


def test_on_a_phone_nothing_scrolls_sideways_and_every_control_can_be_reached(visit, dashboard):
    run = paused_run(dashboard, hidden=(300, 200, 100, 50))
    page = watched(visit, dashboard, run, width=390, height=844, has_touch=True, is_mobile=True)
    expect(page.get_by_role("application", name="of 650 neurons")).to_be_visible()
    too_wide = """() => [document.documentElement, ...document.querySelectorAll('[data-testid=stMain], canvas, svg')]
      .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth
                      || part.getBoundingClientRect().right > innerWidth + 1)
      .map(part => part.outerHTML.slice(0, 200))"""
    assert page.evaluate(too_wide) == []
    for control in ("Resume", "Step", "Stop", "Prune now"):
        button(page, control).tap(trial=True)
        box = button(page, control).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    button(page, "Step").tap()
    expect(page.get_by_text("1 of 10000")).to_be_visible()
    for address in TITLES:
        page.goto(f"{dashboard.url}/{address}", wait_until="commit")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    dashboard.store.commands.add(run, "stop")


def test_the_dark_theme_is_dark_and_its_words_can_be_read(visit, dashboard):
    run = paused_run(dashboard)
    page = watched(visit, dashboard, run, color_scheme="dark")
    brightness = """selector => {
      const style = getComputedStyle(document.querySelector(selector));
      const of = colour => colour.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
      return [of(style.backgroundColor), of(style.color)];
    }"""
    background, words = page.evaluate(brightness, '[data-testid="stApp"]')
    assert background < 40 and words > 180
    dashboard.store.commands.add(run, "stop")


# Real data


def test_fashion_mnist_trains_is_pruned_and_stops(visit, dashboard, real_data):
    page = visit(f"{dashboard.url}/train")
    page.get_by_role("combobox", name="Data").click()
    page.get_by_role("option", name="Fashion-MNIST").click()
    button(page, "Start training").click()
    run = run_of(page)
    assert dashboard.store.runs.get(run).experiment == Experiment(dataset="fashion-mnist")
    expect(badge(page, "Running")).to_be_visible()
    expect(number_of(page, "rate")).to_have_text(re.compile("^[1-9][0-9,]*$"))
    expect(number_of(page, "epoch")).to_have_text(re.compile("^[1-9]"))
    page.get_by_role("spinbutton", name="Remove, %").fill("20")
    button(page, "Prune now").click()
    expect(badge(page, "Pruned by hand")).to_be_visible()
    expect(answer(page)).to_contain_text(re.compile(r"Removed 6[34],\d{3} weights.* sparsity 20\.0 %"))
    button(page, "Stop").click()
    expect(badge(page, "Stopped")).to_be_visible()
    # A fifth of all, but for the outgoing weights of the neurons that the last removal would have taken along.
    assert dashboard.store.histories.prunings(run)["weights_removed"].iloc[0] == pytest.approx(64_040, abs=784)


# The end


def test_killing_the_dashboard_leaves_no_process_behind(visit, tmp_path):
    with serving(tmp_path) as mortal:
        run = mortal.store.runs.add(ENDLESS, pace=1.0)
        page = visit(mortal.url)
        expect(button(page, "Start a demo run")).to_be_visible()
        wait_until(lambda: mortal.store.runs.get(run).status == "running", "for a worker")
        page.context.close()
        family = mortal.family()
        assert len(family) > 3  # the server, the engine, the workers
        mortal.process.kill()
        mortal.process.wait()
        left = wait_gone(family)
        assert left == []
        wait_until(
            lambda: mortal.store.leases.expire() or mortal.store.runs.get(run).status == "queued", "for the lease"
        )


def wait_gone(family: list[psutil.Process]) -> list[psutil.Process]:
    """Processes that have not ended within a long time; one that is ended and not yet buried does not count."""

    def alive() -> list[psutil.Process]:
        return [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    try:
        wait_until(lambda: not alive(), "for the processes to end")
    except AssertionError:
        return alive()
    return []
