"""The curves of a run, and what they are drawn from, alone on an empty page of a real browser."""

from __future__ import annotations

import re

import pytest

from abp.dashboard.components.scripts import script

pytest.importorskip("playwright.sync_api")

FIGURE = "<figure style='width: 400px'><p class='lines'></p><svg></svg><output></output></figure>"
NAMES = "train_accuracy", "valid_accuracy", "test_accuracy", "train_loss", "valid_loss", "test_loss", "sparsity"


@pytest.fixture
def page(visit):
    """A page with a record of a run, `record`, and a curve of its accuracy, `curve`."""
    page = visit("about:blank")
    page.set_content(FIGURE)
    page.add_script_tag(content=script("run_record", "curves") + "\nObject.assign(window, { RunRecord, Curve, AXES })")
    page.evaluate(
        """() => {
          window.record = new RunRecord([3, 2], null)
          window.curve = new Curve(document.querySelector("figure"), {
            title: "Accuracy", unit: "accuracy", axis: AXES.accuracy,
            lines: [{ label: "training", column: "train_accuracy" }],
            words: (data, index) => `Epoch ${data.x[index]}.`,
          })
          curve.colour({ training: "#D55E00" })
          curve.resize(400)
        }"""
    )
    return page


def begin(page, epochs: int, *, most: int = 10_000, prunings: tuple = (), start: float = 0.0) -> None:
    """Tell the record of a run in which accuracy rises and loss falls."""
    rising = [1 - 0.9 / epoch**0.5 for epoch in range(1, epochs + 1)]
    columns = {"epoch": list(range(1, epochs + 1)), "seconds": rising} | dict.fromkeys(NAMES, rising)
    history = {"hidden": [3, 2], "epochs": columns, "prunings": list(prunings), "epochs_at_most": most, "batches": 10}
    page.evaluate("history => record.begin(history)", history | {"start_sparsity": start})


def axis_of(page, kind: str, value: float) -> dict:
    return page.evaluate("([kind, value]) => ({ ...AXES[kind]([value]), words: null })", [kind, value])


def pruning(number: int, place: float, sparsity: float) -> dict:
    return {"number": number, "title": "weights by magnitude", "place": place, "sparsity": sparsity}


@pytest.mark.parametrize("lowest", [0.0, 0.05, 0.31, 0.9, 0.97, 1.0])
def test_the_accuracy_axis_shows_every_value_and_ends_at_100_percent(lowest, page):
    axis = page.evaluate(
        "lowest => (({ low, high, ticks }) => ({ low, high, ticks }))(AXES.accuracy([lowest, 1]))", lowest
    )
    assert axis["low"] <= lowest and axis["low"] <= 0.9 and axis["high"] == 1
    assert all(axis["low"] - 1e-9 <= tick <= 1 for tick in axis["ticks"]) and 2 <= len(axis["ticks"]) <= 6


@pytest.mark.parametrize("highest", [0.0, 0.01, 0.5, 2.3, 17.2])
def test_the_loss_axis_starts_at_zero_and_shows_every_value(highest, page):
    axis = axis_of(page, "loss", highest)
    assert axis["low"] == 0 and highest <= axis["high"] <= highest + 0.5
    assert 2 <= len(axis["ticks"]) <= 8


@pytest.mark.parametrize("epochs", [0, 1, 2, 60, 5000])
def test_a_curve_is_drawn_for_any_number_of_epochs(epochs, page):
    begin(page, epochs, prunings=(pruning(1, 0.5, 0.2),) if epochs else ())
    page.evaluate("curve.show(record.curves().epochs)")
    path = page.locator("svg path").get_attribute("d")
    assert "NaN" not in path
    assert path.count("L") == (max(0, epochs - 1) if epochs <= 600 else path.count("L"))
    assert path.count("L") <= 600
    label = page.locator("svg").get_attribute("aria-label")
    assert ("1 pruning" in label) if epochs else ("nothing to draw" in label)


def test_the_epoch_axis_holds_the_run_and_grows_in_rare_steps(page):
    ends = []
    for epochs in (1, 9, 10, 11, 60, 100, 101, 2600):
        begin(page, epochs)
        page.evaluate("curve.show(record.curves().epochs)")
        ends.append(page.evaluate("curve.until"))
    assert ends == [10, 10, 10, 25, 100, 100, 250, 5000]
    begin(page, 11, most=12)
    page.evaluate("curve.show(record.curves().epochs)")
    assert page.evaluate("curve.until") == 12  # no room for epochs that never come


def test_a_pruning_is_ruled_where_it_fell_counted_in_epochs(page):
    begin(page, 10, most=10, prunings=(pruning(1, -1.0, 0.1), pruning(2, 2.5, 0.3)))
    page.evaluate("curve.show(record.curves().epochs)")
    places = [float(line.get_attribute("x1")) for line in page.locator("svg .rule").all()]
    start, end = page.evaluate("[curve.x(0), curve.x(10)]")
    # One before the first epoch stands at the very start.
    assert places == pytest.approx([start, start + 0.25 * (end - start)], abs=0.1)


def test_sparsity_rises_at_each_pruning_from_where_the_run_began_and_holds_until_now(page):
    begin(page, 4, prunings=(pruning(1, 1.0, 0.5), pruning(2, 2.5, 0.7)), start=0.4)
    steps = page.evaluate("record.curves().steps")
    assert list(zip(steps["x"], steps["columns"]["sparsity"], strict=True)) == [
        (0, 0.4),
        (1, 0.5),
        (2.5, 0.7),
        (4, 0.7),
    ]


def test_epochs_that_are_told_twice_or_again_after_going_back_take_the_place_of_what_they_were(page):
    begin(page, 5)
    page.evaluate("record.addEpoch({ epoch: 4, train_accuracy: 0.25 })")
    assert page.evaluate("record.epochs.epoch") == [1, 2, 3, 4]
    assert page.evaluate("record.epochs.train_accuracy.at(-1)") == 0.25
    page.evaluate("record.addEpoch({ epoch: 5, train_accuracy: 0.5 })")
    assert page.evaluate("record.epochs.epoch") == [1, 2, 3, 4, 5]


def test_the_pointer_and_the_arrow_keys_say_the_values(page):
    begin(page, 10, most=10)
    page.evaluate("curve.show(record.curves().epochs)")
    page.locator("svg").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "Epoch 1."
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "Epoch 2."
    box = page.locator("svg").bounding_box()
    page.mouse.move(box["x"] + page.evaluate("curve.x(7.2)"), box["y"] + 100)
    assert page.locator("output").inner_text() == "Epoch 7."
    page.mouse.move(box["x"] + 50, box["y"] + 400)
    assert re.fullmatch(r"\s*", page.locator("output").inner_text())
