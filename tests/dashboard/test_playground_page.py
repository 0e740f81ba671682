"""The Playground page, without a browser: every source of a picture, and every file that is none."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import sqlite3
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from abp.analysis.neuron_responses import activations
from abp.dashboard.components.drawing_pad import ink_of
from abp.dashboard.playground.damage import Copy
from abp.dashboard.playground.flow import outputs_table
from abp.dashboard.playground.predictions import TITLES, percent
from abp.data.datasets import load_test_set
from abp.data.drawings import prepared
from abp.data.uploads import UploadUnusable, decoded
from abp.runs.damage import switched_off, trained_network
from abp.store.snapshots import final_network
from tests.dashboard.opening import PRUNED, again, open_page, words
from tests.databases import only_sqlite
from tests.recordings import trained

DENSE = dataclasses.replace(PRUNED, criterion="none")
SIDE = 112  # pixels of the picture that the pad sends


def open_playground(**link: object) -> AppTest:
    return open_page("playground", **link)


def figures(page: AppTest) -> list[list[str]]:
    """The probabilities of all classes that stand on each side."""
    bars = [element.proto.body for element in page.get("html") if "class probabilities" in element.proto.body]
    return [re.findall(r"\d+ %", body) for body in bars]


def lights(page: AppTest) -> list[list[dict]]:
    """What the browser is given to draw of each side: its hidden layers."""
    sent = [json.loads(element.proto.json) for element in page.get("bidi_component") if "layers" in element.proto.json]
    return [side["layers"] for side in sent]


def predicted(page: AppTest) -> list[str]:
    """What each side says: its answer and its second guess."""
    return [text.value for text in page.markdown if text.value.startswith("#### ")]


def said(probabilities: np.ndarray, label: int | None = None) -> str:
    """How an answer is worded, from the probabilities of digits alone."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    answer = f"{first}, {percent(probabilities[first])} sure."
    if label is not None:
        answer = f"{first}: {'correct' if first == label else 'wrong'}."
    return f"#### {answer} :small[(Second guess: {second}, {percent(probabilities[second])})]"


def drawn(stroke: np.ndarray) -> str:
    return base64.b64encode(stroke.astype(np.uint8).tobytes()).decode()


# The picture and how both networks classify it


def test_a_test_picture_is_judged_by_both_networks_as_a_forward_pass_judges_it(store):
    number, dense = trained(store, PRUNED), trained(store, DENSE)
    page = open_playground(run=number, beside=dense, picture=5)
    assert not page.error and not page.warning
    x, y = load_test_set("digits")
    for heading, bars, side, run in zip(predicted(page), figures(page), TITLES, (number, dense), strict=True):
        expected = trained_network(store, store.runs.get(run))
        *outputs, probabilities = activations(expected.network, x[4].numpy())
        assert bars == [f"{100 * share:.0f} %" for share in probabilities]
        assert heading == said(probabilities, int(y[4]))
        page.segmented_control(key="flow-of").set_value(side)
        again(page)
        (layers,) = lights(page)
        for layer, output, mask in zip(layers, outputs, expected.masks, strict=True):
            np.testing.assert_allclose(layer["outputs"], output, atol=1e-4)
            assert layer["live"] == mask.sum(dim=1).tolist() and layer["strongest"] >= max(layer["outputs"]) - 1e-4
    assert f"Test picture 5 shows: {int(y[4])}." in words(page)


def test_the_flow_names_the_neurons_that_spoke_most_and_its_last_links_are_output_times_weight(store):
    number = trained(store, DENSE)
    page = open_playground(run=number, picture=5)
    (sent,) = [json.loads(part.proto.json) for part in page.get("bidi_component") if "layers" in part.proto.json]
    network = final_network(store, store.runs.get(number))
    x = load_test_set("digits")[0][4:5]
    *hidden, logits = network.forward(x)
    answer = int(logits.argmax())
    spoke = (hidden[-1][0] * network.weights[-1][answer]).numpy()
    assert sent["answer"] == answer
    assert [neuron for neuron, _ in sent["layers"][-1]["parts"]] == np.argsort(-np.abs(spoke), kind="stable")[
        :5
    ].tolist()
    for start, end, weight, contribution in sent["links"][-1]:
        assert end == answer and weight == pytest.approx(float(network.weights[-1][answer, start]))
        assert contribution == pytest.approx(spoke[start], rel=1e-5)


def test_the_page_opens_with_the_most_accurate_of_the_runs_finished_last(store):
    poor = trained(store, PRUNED)
    good = trained(store, dataclasses.replace(DENSE, epochs=12, learning_rate=0.1, stop_accuracy=1.0))
    trained(store, dataclasses.replace(PRUNED, seed=1))
    store.runs.add(DENSE)  # waits: nothing to play with yet
    accuracies = {run.id: run.test_accuracy or 0.0 for run in store.runs.all()}
    assert max(accuracies, key=accuracies.__getitem__) == good != poor
    assert f"Run {good}, " in words(open_playground())


def test_the_outputs_as_a_file_have_a_row_for_each_neuron(store):
    expected = trained_network(store, store.runs.get(trained(store, PRUNED)))
    off = next((0, neuron) for neuron, row in enumerate(expected.masks[0]) if row.any())
    copy = Copy(switched_off(expected, [off]), (off,), "of this test")
    outputs = activations(copy.trained.network, load_test_set("digits")[0][0].numpy())
    table = outputs_table(copy, outputs, None)
    assert table["layer"].value_counts().to_dict() == {"hidden 1": 20, "hidden 2": 10}
    assert table["output"].tolist() == np.concatenate(outputs[:-1]).tolist()
    dead = [not row.any() for mask in expected.masks for row in mask]
    assert any(dead) and (table["state"] == "removed").tolist() == dead
    assert (table["state"] == "switched off").tolist() == [place == off[1] for place in range(30)]


def test_the_same_network_stands_on_both_sides_until_its_dense_twin_is_chosen(store):
    number, dense = trained(store, PRUNED), trained(store, DENSE)
    page = open_playground(run=number, picture=1)
    assert len(set(predicted(page))) == 1 and len(predicted(page)) == 2
    beside = page.selectbox(key="beside")
    assert [option.split(":")[0] for option in beside.options] == ["the same network", str(dense)]
    beside.set_value(dense)
    again(page)
    assert f"Run {dense}, " in words(page) and "".join(page.query_params["beside"]) == str(dense)


def test_the_next_previous_and_random_picture_of_a_class_and_the_link_follows(store):
    page = open_playground(run=trained(store, PRUNED), picture=1)
    sevens = np.flatnonzero(load_test_set("digits")[1].numpy() == 7) + 1
    page.selectbox(key="class-digits").set_value("7")
    again(page)
    assert page.number_input[0].value == next(number for number in sevens if number >= 1)
    page.button(key="next-digits").click()
    again(page)
    assert page.number_input[0].value == sevens[1] and "".join(page.query_params["picture"]) == str(sevens[1])
    page.button(key="previous-digits").click()
    again(page)
    assert page.number_input[0].value == sevens[0]
    next(button for button in page.button if button.label == "Random").click()
    again(page)
    assert page.number_input[0].value in sevens


@pytest.mark.parametrize("link", [{"picture": 0}, {"picture": "x"}, {"picture": 361}, {"beside": 99}, {"beside": "x"}])
def test_a_wrong_number_in_the_link_is_named_and_the_page_works(store, link):
    page = open_playground(run=trained(store, PRUNED), **link)
    assert f"“{next(iter(link.values()))}” in the link" in words(page) and len(predicted(page)) == 2


def test_an_empty_pad_waits_and_what_is_drawn_is_judged(store, monkeypatch):
    number = trained(store, PRUNED)
    page = open_playground(run=number)
    assert predicted(page) == ["#### Draw a digit from 0 to 9"] * 2
    stroke = np.zeros((SIDE, SIDE))
    stroke[20:90, 50:58] = 255
    monkeypatch.setattr("abp.dashboard.playground.picture_source.drawing_pad", lambda key: ink_of(drawn(stroke)))
    again(page)
    probabilities = activations(final_network(store, store.runs.get(number)), prepared(stroke / 255, "digits"))[-1]
    assert predicted(page) == [said(probabilities)] * 2


# Without a network


def test_without_runs_the_demo_is_offered(store):
    page = open_playground()
    assert "There are no runs yet" in words(page)
    next(button for button in page.button if button.label == "Start a demo run").click()
    again(page)
    assert store.runs.all()[0].status == "queued"


def test_a_run_that_is_not_trained_yet_says_so_and_another_is_offered(store):
    ready, waiting = trained(store, PRUNED), store.runs.add(PRUNED)
    page = open_playground(run=waiting)
    assert "still in training" in words(page)
    assert any(link.proto.label == f"Open run {ready} in the playground" for link in page.get("page_link"))


# What the browser sends


@given(st.one_of(st.none(), st.text(), st.integers(), st.binary(), st.lists(st.text()), st.just("=" * 16_728)))
def test_nonsense_from_a_browser_is_no_drawing(sent):
    assert ink_of(sent) is None


def test_what_the_pad_sends_is_the_drawing():
    stroke = np.random.default_rng(0).integers(256, size=(SIDE, SIDE))
    np.testing.assert_array_equal(ink_of(drawn(stroke)), stroke)
    assert ink_of(drawn(stroke[:-1])) is None and ink_of(drawn(stroke)[:-4] + "====") is None


# Uploaded files


def png(image: Image.Image, kind: str = "PNG", **details) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **details)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


NOISE = Image.fromarray(np.random.default_rng(0).integers(256, size=(60, 80), dtype=np.uint8))
UNUSABLE = {
    "empty": (b"", "not a PNG or JPEG"),
    "text": (b"this is no picture at all", "not a PNG or JPEG"),
    "a GIF named PNG": (png(NOISE, "GIF"), "not a PNG or JPEG"),
    "too large": (b"\x89PNG\r\n\x1a\n" + bytes(5 * 2**20), "installation allows 5 .ABP_MAX_UPLOAD_MB"),
    "16 million pixels and one row": (bomb(4000, 4001), "4,000 × 4,001 pixels"),
    "a bomb": (bomb(100_000, 100_000), "far too many pixels"),
    "a cut PNG": (png(NOISE)[:-1000], "damaged"),
    "a cut JPEG": (png(NOISE, "JPEG")[:-1000], "damaged"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_refused_in_one_sentence_by_the_function_and_the_page(name, store):
    contents, complaint = UNUSABLE[name]
    with pytest.raises(UploadUnusable, match=complaint):
        decoded(contents)
    page = open_playground(run=trained(store, PRUNED))
    page.segmented_control(key="source-digits").set_value("Upload")
    again(page)
    page.file_uploader[0].upload("picture.png", contents, "image/png")
    again(page)
    assert [bool(re.search(complaint, error.value)) for error in page.error] == [True]
    assert predicted(page) == ["#### Upload another picture"] * 2


def test_a_photograph_of_dark_ink_on_light_paper_is_judged(store):
    number = trained(store, PRUNED)
    paper = np.full((90, 60), 230, dtype=np.uint8)
    paper[20:70, 25:33] = 30
    page = open_playground(run=number)
    page.segmented_control(key="source-digits").set_value("Upload")
    again(page)
    page.file_uploader[0].upload("one.png", png(Image.fromarray(paper)), "image/png")
    again(page)
    network = final_network(store, store.runs.get(number))
    expected = activations(network, prepared(np.where(paper < 99, 1.0, 0.0), "digits"))[-1]
    assert predicted(page) == [said(expected)] * 2


def test_a_telephones_picture_stands_upright():
    details = Image.Exif()
    details[274] = 6  # the camera was turned by a quarter
    turned = decoded(png(NOISE, "JPEG", exif=details))
    assert turned.shape == (80, 60)
    assert np.abs(turned.astype(int) - np.rot90(decoded(png(NOISE, "JPEG")), -1)).max() == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_pictures_of_every_kind_are_read_as_brightness(mode):
    light = np.zeros((30, 20), dtype=np.uint8)
    light[:15] = 255
    image = Image.fromarray(light.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(light).convert(mode)
    np.testing.assert_array_equal(decoded(png(image)), light)


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    clear.putpixel((4, 4), (0, 0, 0, 255))
    pixels = decoded(png(clear))
    assert pixels[4, 4] == 0 and pixels.sum() == 80 * 255


# Nothing is changed


def contents(store) -> list[tuple]:
    with sqlite3.connect(store.path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, row) for table in sorted(tables) for row in database.execute(f'SELECT * FROM "{table}"')]


@only_sqlite
def test_playing_changes_no_stored_run(store):
    number, dense = trained(store, PRUNED), trained(store, DENSE)
    before = contents(store)
    page = open_playground(run=number, picture=3)
    page.selectbox(key="beside").set_value(dense)
    again(page)
    page.segmented_control(key="source-digits").set_value("Upload")
    again(page)
    page.file_uploader[0].upload("noise.png", png(NOISE), "image/png")
    again(page)
    assert contents(store) == before
