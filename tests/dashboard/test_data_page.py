"""The Data page, without a browser: what was sent is asked about, shown, kept and deleted."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from abp.analysis.confusion import predictions
from abp.dashboard.playground.own_samples import can_be_drawn, can_be_sent, drawing_like, picture_like
from abp.data.datasets import DATASETS, load_test_set
from abp.data.own.columns import inputs_of
from abp.data.own.reading import read_own
from abp.data.own.samples import Options
from abp.runs.worker import execute
from abp.store.snapshots import final_network
from abp.training.experiment import Experiment
from tests.dashboard.opening import again, open_page, settled, words
from tests.data.own.files import drawings, table, zipped

PLACE = "0" * 32


@pytest.fixture
def sent(home):
    """Put a file where the browser would have sent it, and open the page."""

    def send(name: str, contents: bytes):
        folder = home / "uploads" / PLACE
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents)
        page = open_page("data")
        page.session_state["upload-place"] = PLACE
        return settled(page)

    return send


def press(page, label: str):
    next(button for button in page.button if button.label == label).click()
    return settled(page)


def test_an_empty_page_says_what_can_be_brought_and_what_is_built_in(store):
    page = open_page("data")
    text = words(page)
    assert "Nothing leaves this computer" in text and "200 MB a file" in text and "no data of your own yet" in text
    assert "Wine" in text


def test_a_zip_of_drawings_is_seen_before_it_is_kept(store, sent, tmp_path):
    files = zipped(tmp_path / "a.zip", {**drawings(8), "cross/fake.png": b"x"})
    page = sent("My-shapes.zip", files.read_bytes())
    assert store.datasets.all() == []
    text = words(page)
    assert "24 pictures" in text and "3 classes" in text and "17 for training" in text
    assert page.text_input[0].value == "my-shapes"
    (chart,) = page.get("vega_lite_chart")
    assert "circle" in json.dumps(json.loads(chart.proto.spec)) or "class" in chart.proto.spec
    assert any("cross/fake.png" in markdown.value for markdown in page.markdown)

    page.text_input[0].set_value("digits")
    page = settled(page)
    assert "already" in words(page) and next(b for b in page.button if b.label == "Add data set").disabled
    page.text_input[0].set_value("shapes")
    page.selectbox[0].set_value(16)
    page = press(settled(page), "Add data set")
    (row,) = store.datasets.all()
    assert row.name == "shapes" and row.description["image_shape"] == [16, 16]
    assert page.query_params["data"] in (row.key, [row.key]) and "Its exact bytes are named" in words(page)
    expected = read_own("shapes", files, Options(size=16, invert=True))  # dark ink on light paper
    assert row.hash == expected.hash


def test_a_table_asks_for_its_label_and_says_what_is_wrong_with_it(store, sent):
    page = sent("flowers.csv", table().replace("species", "flower").encode())
    assert "Choose the column that holds the class" in words(page)
    page.selectbox[0].set_value("length")
    page = settled(page)
    assert any("Labels must be names or whole numbers" in error.value for error in page.error)
    page.selectbox[0].set_value("flower")
    page = press(settled(page), "Add data set")
    assert store.datasets.all()[0].description["class_names"] == ["iris", "lily", "rose"]


def test_a_bad_file_is_one_sentence_and_can_be_discarded(store, sent, home):
    page = sent("broken.zip", b"PK nothing")
    assert len(page.error) == 1 and "cannot be read as a zip" in page.error[0].value
    page = press(page, "Discard this file")
    assert not page.error and store.datasets.all() == [] and not (home / "uploads" / PLACE).exists()


@pytest.fixture
def flowers(store, tmp_path) -> str:
    (tmp_path / "flowers.csv").write_text(table())
    return store.datasets.add(read_own("flowers", tmp_path / "flowers.csv", Options(private=True)))


def test_private_samples_are_shown_to_the_operator_alone(store, flowers, monkeypatch):
    assert len(settled(open_page("data", data=flowers)).dataframe) == 3
    monkeypatch.setenv("ABP_OPERATE", "key")
    page = settled(open_page("data", data="flowers"))
    assert "These data are private" in words(page) and len(page.dataframe) == 1
    assert not page.toggle and not [button for button in page.button if button.label != "CSV"]


def test_a_data_set_is_deleted_with_what_depends_on_it(store, flowers):
    run = store.runs.add(Experiment(dataset=flowers, hidden=(5,)))
    page = settled(open_page("data", data=flowers))
    assert f"is used by 1 run ({run})" in words(page)
    page = press(page, "Delete it and all of these")
    assert store.datasets.all() == [] and store.runs.all() == []
    page = again(open_page("data", data=flowers))
    assert "no data of your own yet" in words(page)


def test_the_form_of_a_new_run_starts_from_the_link_of_a_data_set(store, flowers):
    page = open_page("train", data=flowers)
    choice = next(box for box in page.selectbox if box.label == "Data")
    assert choice.value == flowers and DATASETS["breast-cancer"].title in choice.options


def test_pages_of_a_run_on_a_table_name_its_columns_and_classes(store, tmp_path):
    lines = [line for line in table(90).splitlines() if not line.endswith("rose")]
    rows = [*lines, *(2 * [line for line in lines if line.endswith("iris")])]
    (tmp_path / "flowers.csv").write_text("\n".join(rows))
    key = store.datasets.add(read_own("flowers", tmp_path / "flowers.csv", Options()))
    run = store.runs.add(Experiment(dataset=key, hidden=(6, 4), criterion="none", epochs=2))
    assert execute(store, run, "me")

    weights = settled(open_page("weights", run=run))
    assert not weights.error and "Its incoming weights by column" in words(weights)
    drawn = " ".join(str(chart.proto) for chart in weights.get("vega_lite_chart"))
    assert "colour: red" in drawn and "lily" in drawn

    playground = settled(open_page("playground", run=run))
    assert "Test row 1 shows" in words(playground) and not playground.error
    playground.segmented_control(key=f"source-{key}").set_value("Values")
    playground = settled(playground)
    sliders = {slider.label: slider for slider in playground.slider if slider.label in ("length", "width")}
    sliders["length"].set_value(sliders["length"].max)
    playground = settled(playground)
    colour = next(box for box in playground.selectbox if box.label == "colour").value
    columns = DATASETS[key].describe()
    chosen = {"length": sliders["length"].max, "width": sliders["width"].value, "colour": colour}
    network = final_network(store, store.runs.get(run))
    answer = int(network(torch.from_numpy(inputs_of(columns, chosen))[None]).argmax())
    assert any(DATASETS[key].class_names[answer] in markdown.value for markdown in playground.markdown)

    watched = settled(open_page("train", run=run))
    x, y = load_test_set(key)
    predicted = predictions(final_network(store, store.runs.get(run)), x)
    expected = balanced_accuracy_score(y.numpy(), predicted)
    assert f"balanced {100 * expected:.1f} %" in words(watched)


def test_drawings_and_pictures_on_the_playground_are_prepared_like_the_samples(store, tmp_path):
    own = read_own("shapes", zipped(tmp_path / "a.zip", drawings(8)), Options(size=20))
    key = store.datasets.add(own)
    assert can_be_drawn(key) and can_be_sent(key) and not can_be_drawn("wine") and not can_be_sent("digits")
    sample = picture_like(drawings(1)["circle/0.png"], key)
    samples = own.x.reshape(-1, 20, 20).astype(np.float32) / 255
    assert sample.dtype == np.float32 and (abs(samples - sample).max(axis=(1, 2)) < 1e-6).any()
    ink = np.zeros((112, 112), dtype=np.uint8)
    ink[:56] = 255
    drawn = drawing_like(ink, key)  # of dark ink on light paper
    assert (drawn[:9] == 0).all() and (drawn[11:] == 1).all()
