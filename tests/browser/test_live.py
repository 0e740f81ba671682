"""The live view in a real browser: a real run behind the real channel."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from abp.training.experiment import Experiment
from tests.browser.conftest import Dashboard
from tests.browser.live import PIXELS, button, number_of, paused_run, run_settled, watched
from tests.waiting import PATIENCE, wait_until

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)

PRUNED = Experiment(
    hidden=(30, 20),
    criterion="activation-neuron",
    amount=0.5,
    prunings=2,
    start_accuracy=0.2,
    stop_accuracy=0.99,
    epochs=9,
    learning_rate=0.05,
    patience=0,
)


@pytest.fixture(scope="module")
def finished(dashboard) -> int:
    """A run that was pruned twice and has ended."""
    return run_settled(dashboard, dashboard.store.runs.add(PRUNED, name="A <b>pruned</b> run"))


@pytest.fixture
def live(dashboard):
    """A run that learns, four epochs a second; stopped in the end."""
    run = paused_run(dashboard)
    yield run
    dashboard.store.commands.add(run, "stop")


def resume(dashboard: Dashboard, run: int) -> None:
    dashboard.store.commands.add(run, "resume")


# The channel


def test_frames_arrive_and_cells_change_with_each_on_one_canvas(visit, dashboard, live):
    page = watched(visit, dashboard, live)
    page.locator(".live").evaluate("root => (window.canvas = root.querySelector('canvas'))")
    resume(dashboard, live)
    expect(number_of(page, "epoch")).to_have_text(re.compile("^[1-9]"))
    page.locator(".live").evaluate(
        """async root => {
          for (let turn = 0; turn < 20; turn++) {
            const [before, pixels] = [root.view.record.frame.number, canvas.toDataURL()]
            await new Promise(done => {
              const look = () => {
                const came = root.view.record.frame.number > before
                came && canvas.toDataURL() !== pixels ? done() : requestAnimationFrame(look)
              }
              look()
            })
          }
        }"""
    )
    assert page.locator(".live").evaluate("root => canvas.isConnected && root.querySelector('canvas') === canvas")


def test_a_run_joined_in_the_middle_shows_what_was_before(visit, dashboard, live):
    resume(dashboard, live)
    wait_until(lambda: dashboard.store.runs.get(live).epoch >= 3)
    dashboard.store.commands.add(live, "pause")
    wait_until(lambda: dashboard.store.runs.get(live).status == "paused")
    page = watched(visit, dashboard, live)
    epochs = dashboard.store.histories.epochs(live)
    known = "root => root.view.record.epochs.epoch"
    wait_until(lambda: page.locator(".live").evaluate(known) == epochs["epoch"].tolist(), "for the history")
    expect(number_of(page, "validation")).to_have_text(f"{100 * epochs['valid_accuracy'].iloc[-1]:.1f} %")


def test_a_broken_connection_is_opened_anew(visit, dashboard, live):
    page = watched(visit, dashboard, live)
    page.locator(".live").evaluate("root => root.view.channel.socket.close()")
    resume(dashboard, live)
    expect(number_of(page, "epoch")).to_have_text(re.compile("^[1-9]"))
    expect(page.get_by_text("Live connection blocked")).to_be_hidden()


def test_where_websockets_are_blocked_the_page_says_so_and_is_fed_by_streamlit(visit, dashboard, live):
    page = visit("about:blank")
    page.route_web_socket(re.compile("/live/"), lambda socket: socket.close())
    page.goto(f"{dashboard.url}/train?run={live}", wait_until="commit")
    expect(page.get_by_text("Live connection blocked: updating once a second")).to_be_visible()
    resume(dashboard, live)
    expect(number_of(page, "epoch")).to_have_text(re.compile("^[1-9]"))
    for _ in range(3):
        pixels = page.locator(".live").evaluate(PIXELS)
        wait_until(lambda pixels=pixels: page.locator(".live").evaluate(PIXELS) != pixels, "for cells to change")
    dashboard.store.commands.add(live, "pause")
    expect(button(page, "Resume")).to_be_visible()


def test_a_run_that_is_deleted_is_said_to_be_gone(visit, dashboard):
    run = paused_run(dashboard)
    page = watched(visit, dashboard, run)
    dashboard.store.runs.delete(run)
    expect(page.get_by_text(f"run {run}")).to_be_visible()
    expect(page.locator(".live")).to_have_count(0)


# What it shows


def test_a_pruning_is_seen_said_and_ruled(visit, dashboard):
    run = paused_run(dashboard, criterion="activation-neuron", start_accuracy=0.0, stop_accuracy=0.9, prunings=2)
    page = watched(visit, dashboard, run)
    live = page.locator(".live")
    live.evaluate(
        """root => {
          const { grid } = root.view
          const [going, went] = [grid.drawGoing.bind(grid), grid.went.bind(grid)]
          window.flashes = 0
          window.went = []
          grid.drawGoing = (...neuron) => (window.flashes++, going(...neuron))
          grid.went = (neurons, now) => (window.went.push(...neurons), went(neurons, now))
        }"""
    )
    dashboard.store.commands.add(run, "step")
    expect(page.locator(".sentence")).to_have_text(re.compile(r"Pruning 1: \d+ neurons removed"))
    page.wait_for_function("window.flashes > 0")
    removed = int(dashboard.store.histories.prunings(run)["neurons_removed"].iloc[0])
    assert len(page.evaluate("window.went")) == removed
    expect(number_of(page, "alive")).to_have_text(f"{100 - removed} of 100")
    expect(page.locator("svg .rule")).to_have_count(3)  # one in each curve
    expect(
        page.get_by_role("application", name=re.compile(r"of 100 neurons; hidden 1: \d+ of 60 alive"))
    ).to_be_visible()
    dashboard.store.commands.add(run, "stop")


def test_with_reduced_motion_nothing_moves_between_frames_and_nothing_flashes(visit, dashboard, live):
    page = watched(visit, dashboard, live, reduced_motion="reduce")
    view = page.locator(".live")
    view.evaluate(
        """root => {
          const { grid } = root.view
          window.lasts = []
          window.flashes = 0
          const show = grid.show.bind(grid)
          grid.show = (...picture) => (show(...picture), window.lasts.push(grid.lasts))
          grid.drawGoing = () => window.flashes++
        }"""
    )
    resume(dashboard, live)
    page.wait_for_function("window.lasts.length >= 10")
    dashboard.store.commands.add(live, "prune", criterion="random", amount=0.9)
    expect(page.locator(".sentence")).to_contain_text("Removed ")
    assert set(page.evaluate("window.lasts")) == {0} and page.evaluate("window.flashes") == 0


def test_keys_hover_and_tap_tell_a_neurons_numbers(visit, dashboard, finished):
    page = watched(visit, dashboard, finished, has_touch=True)
    expect(button(page, "Play")).to_be_visible()
    canvas = page.get_by_role("application", name=re.compile("^Activation frequency of 50 neurons"))
    tip = page.locator(".tip")
    canvas.focus()
    page.keyboard.press("Home")
    numbers = r"fires for [\d.]+ % this epoch, [\d.]+ % since the start; (\d+ incoming weights? left|removed)\."
    expect(tip).to_have_text(re.compile(rf"^Hidden 1, neuron 1 {numbers}$"))
    page.keyboard.press("ArrowRight")
    expect(tip).to_have_text(re.compile("^Hidden 1, neuron 2 "))
    page.keyboard.press("End")
    expect(tip).to_have_text(re.compile("^Hidden 2, neuron 20 "))
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    box = page.locator(".live").evaluate("root => root.view.grid.boxOf(32)")
    place = {axis: box[axis] + box["side"] / 2 for axis in ("x", "y")}
    canvas.hover(position=place)
    expect(tip).to_have_text(re.compile("^Hidden 2, neuron 3 "))
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    canvas.tap(position=place)
    expect(tip).to_have_text(re.compile("^Hidden 2, neuron 3 "))


def test_a_neurons_share_is_what_the_store_has_counted(visit, dashboard, finished):
    page = watched(visit, dashboard, finished)
    expect(button(page, "Play")).to_be_visible()
    counted = dashboard.store.histories.epoch_counts(finished)
    _, samples, packed = list(counted)[-1]
    counts = [int.from_bytes(packed[4 * neuron : 4 * neuron + 4], "little") for neuron in range(50)]
    page.get_by_role("radio", name="This epoch").check(force=True)
    shares = page.locator(".live").evaluate(
        "root => Array.from({ length: 50 }, (_, neuron) => root.view.picture.share(neuron))"
    )
    assert shares == pytest.approx([count / samples for count in counts], abs=1e-4)


def test_colours_are_absolute_or_stretched_and_the_legend_says_which(visit, dashboard, finished):
    page = watched(visit, dashboard, finished)
    expect(button(page, "Play")).to_be_visible()
    legend = page.locator(".legend")
    expect(legend).to_contain_text("rarest in its layer")
    stretched = page.locator(".live").evaluate(PIXELS)
    page.get_by_role("radio", name="0 to 100 %").check(force=True)
    expect(legend).to_contain_text("fires for 0 %")
    wait_until(lambda: page.locator(".live").evaluate(PIXELS) != stretched)


def test_everything_that_matters_fits_on_a_projector_and_nothing_overflows_on_a_phone(visit, dashboard):
    run = paused_run(dashboard, hidden=(300, 200, 100, 50))
    page = watched(visit, dashboard, run, width=1280, height=720)
    for part in (
        page.locator(".live canvas"),
        page.locator(".numbers"),
        page.locator(".legend"),
        button(page, "Prune now"),
    ):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 720 and box["x"] + box["width"] <= 1280
    controls = page.get_by_test_id("stMain").get_by_role("button", name=re.compile("Resume|Step|Stop|Prune now"))
    tops = controls.evaluate_all("all => all.map(each => Math.round(each.getBoundingClientRect().y))")  # at one moment
    assert len(tops) == 4 and len(set(tops)) == 1  # the controls take one row
    phone = watched(visit, dashboard, run, width=390, height=844, has_touch=True, is_mobile=True)
    wide = """root => [...root.querySelectorAll("*")]
      .filter(part => part.getClientRects().length && !part.closest(".spoken, details"))
      .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
      .map(part => part.outerHTML)"""
    assert phone.locator(".live").evaluate(wide) == []
    small = """root => [...root.querySelectorAll("button, select, summary, .choice label, input[type=range]")]
      .filter(part => part.getClientRects().length)
      .filter(part => Math.min(part.getBoundingClientRect().height, part.getBoundingClientRect().width) < 24)
      .map(part => part.outerHTML)"""
    assert phone.locator(".live").evaluate(small) == []
    dashboard.store.commands.add(run, "stop")


# The film, and what people save


def test_the_film_of_a_finished_run_plays_pauses_and_can_be_scrubbed(visit, dashboard, finished):
    page = watched(visit, dashboard, finished)
    scrubber = page.get_by_role("slider", name="Moment of the run")
    moments = PRUNED.epochs + 2
    expect(scrubber).to_have_value(str(moments - 1))
    expect(page.get_by_role("radio", name="Now")).to_be_disabled()
    page.locator(".player select").select_option("4")
    button(page, "Play").click()
    expect(button(page, "Pause")).to_be_visible()
    expect(scrubber).not_to_have_value("0")
    button(page, "Pause").click()
    expect(button(page, "Play")).to_be_visible()
    scrubber.fill("0")
    expect(number_of(page, "epoch")).to_have_text(f"1 of {PRUNED.epochs}")
    expect(number_of(page, "removed")).to_have_text("0.0 %")
    expect(number_of(page, "alive")).to_have_text("50 of 50")
    scrubber.press("End")
    final = dashboard.store.runs.get(finished)
    expect(number_of(page, "removed")).to_have_text(f"{100 * final.sparsity:.1f} %")


def test_a_saved_video_is_a_playable_file_of_the_right_size_with_the_whole_film(visit, dashboard, finished, tmp_path):
    av = pytest.importorskip("av", reason="needs the package av (requirements-dev.txt)")
    page = watched(visit, dashboard, finished)
    page.locator(".player select").select_option("2")
    with page.expect_download() as download:
        button(page, "Save as video").click()
    assert download.value.suggested_filename == f"run-{finished}-film.webm"
    download.value.save_as(tmp_path / "film.webm")
    with av.open(str(tmp_path / "film.webm")) as film:
        frames = list(film.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 720)}
    assert frames[-1].time - frames[0].time > 2
    first, last = (frame.to_ndarray(format="gray") for frame in (frames[0], frames[-1]))
    assert first.std() > 5 and abs(first.astype(int) - last).max() > 60  # a picture, and another one in the end


def test_a_saved_picture_holds_the_network_with_its_title_and_legend(visit, dashboard, finished, tmp_path):
    page = watched(visit, dashboard, finished)
    expect(button(page, "Play")).to_be_visible()
    with page.expect_download() as download:
        button(page, "Save as PNG").click()
    with Image.open(download.value.path()) as picture:
        assert (picture.format, picture.size) == ("PNG", (2560, 1440))
        grey = picture.convert("L")
        bands = {"title": (0, 160), "network": (400, 1000), "legend": (1330, 1440)}
        for band, (top, bottom) in bands.items():
            low, high = grey.crop((0, top, 2560, bottom)).getextrema()
            assert high - low > 100, band


def test_every_table_can_be_downloaded(visit, dashboard, finished):
    page = watched(visit, dashboard, finished)
    expect(button(page, "Play")).to_be_visible()

    def rows(name: str) -> list[dict]:
        with page.expect_download() as download:
            button(page, name).click()
        return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))

    epochs = dashboard.store.histories.epochs(finished)
    for name in ("Accuracy as CSV", "Loss as CSV"):
        assert [float(row["valid_loss"]) for row in rows(name)] == pytest.approx(epochs["valid_loss"].tolist())
    prunings = dashboard.store.histories.prunings(finished)
    removed = [int(row["weights_removed"]) for row in rows("Weights removed as CSV")]
    assert removed == prunings["weights_removed"].tolist()
    neurons = rows("CSV")
    assert [row["layer"] for row in neurons] == ["hidden 1"] * 30 + ["hidden 2"] * 20
    alive = sum(int(row["incoming_weights_left"]) > 0 for row in neurons)
    assert alive == 50 - prunings["neurons_removed"].sum()


def test_curves_say_their_values_under_the_pointer_and_to_those_who_cannot_see_them(visit, dashboard, finished):
    page = watched(visit, dashboard, finished)
    epochs = dashboard.store.histories.epochs(finished)
    curve = page.get_by_role("img", name=re.compile("^Accuracy over 9 epochs with 2 prunings"))
    curve.focus()
    page.keyboard.press("ArrowRight")
    train, valid = (f"{100 * epochs[f'{split}_accuracy'].iloc[0]:.1f} %" for split in ("train", "valid"))
    expect(page.locator("figure output").first).to_have_text(f"Epoch 1: training {train}, validation {valid}.")
    assert page.locator("figure svg").count() == 3
    assert all(
        box["height"] >= 220
        for box in page.locator("figure svg").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().toJSON())"
        )
    )


# Around it


def test_a_pace_set_elsewhere_is_shown_and_never_sent_back(visit, dashboard, live):
    """A control sends something only when a person changed it."""
    page = watched(visit, dashboard, live)
    pace = page.get_by_role("combobox", name="Pace")
    expect(pace).to_have_value("4 epochs a second")
    for asked, words in ((1.0, "1 epoch a second"), (0.0, "As fast as possible"), (2.0, "2 epochs a second")):
        dashboard.store.commands.add(live, "pace", epochs_per_second=asked)
        button(page, "Step").click()  # at once: the page may not have heard of the new pace yet
        expect(pace).to_have_value(words)
    paces = [
        command.arguments["epochs_per_second"]
        for command in dashboard.store.commands.of(live)
        if command.kind == "pace"
    ]
    assert paces == [2.0, 0.0, 1.0]


def test_the_view_is_as_it_was_after_the_page_is_drawn_anew(visit, dashboard, live):
    page = watched(visit, dashboard, live)
    page.locator(".live").evaluate("root => (window.view = root.view)")
    page.get_by_role("radio", name="Since the start").check(force=True)
    dashboard.store.runs.rename(live, "Another name")
    expect(page.get_by_role("heading", name="Another name")).to_be_visible()
    assert page.locator(".live").evaluate("root => root.view === view && !view.channel.closed")
    expect(page.get_by_role("radio", name="Since the start")).to_be_checked()
