"""A file of weights opened on the Spectra page: without a run, data or rights, and with nothing kept."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save
from streamlit.testing.v1 import AppTest

from abp.analysis.weight_files import MOST_LAYERS
from abp.cli.main import main
from abp.dashboard.frame import background
from abp.dashboard.networks import opened_file
from abp.dashboard.networks.chance import chance_curves
from abp.network.mlp import Network
from abp.runs.export import to_onnx
from tests.dashboard.opening import PRUNED, open_page, settled, words
from tests.recordings import trained

SIZES = (30, 20, 12, 7)


def network() -> Network:
    return Network.glorot(SIZES, torch.Generator().manual_seed(0))


def opened(contents: bytes, name: str = "mine.safetensors", **link: object) -> AppTest:
    page = settled(open_page("spectra", **link))
    page.file_uploader[0].upload(name, contents, "application/octet-stream")
    return settled(page)


def table(page: AppTest):
    return next(frame.value for frame in page.dataframe if "Rank, shuffled" in frame.value)


@pytest.mark.parametrize("ending", ["safetensors", "onnx", "ONNX"])
def test_a_file_is_shown_as_the_command_line_reports_it(store, home, ending, capsys):
    contents = save(network().tensors()) if ending == "safetensors" else to_onnx(network())
    page = opened(contents, f"mine.{ending}")
    assert not page.error and f"mine.{ending}" in words(page)
    (home / f"mine.{ending}").write_bytes(contents)
    assert main(["spectra", str(home / f"mine.{ending}"), "--json", "-"]) == 0
    said = capsys.readouterr()
    rows = table(page).to_dict("records")
    for row, layer, weight in zip(rows, json.loads(said.out)["layers"], network().weights, strict=True):
        assert row["Layer"] == layer["name"] and row["Size"] == " × ".join(map(str, layer["shape"]))
        values = np.linalg.svd(weight.double().numpy(), compute_uv=False)
        assert row["Largest value"] == pytest.approx(values[0]) and row["Rank"] == np.linalg.matrix_rank(weight.numpy())
        assert row["Largest, shuffled"] == layer["shuffled_singular_values"][0]
        assert (row["Rank, shuffled"], row["Edge"]) == (layer["shuffled_rank"], layer["edge"])
    assert said.err.splitlines()[-1] in words(page)  # the sentence
    charts = [chart.proto for chart in page.get("vega_lite_chart")]
    assert [re.search(r" Layer \d\.$", chart.alt).group() for chart in charts] == [f" Layer {n}." for n in (1, 2, 3)]
    assert all(f"**{row['Layer']}**" in words(page) for row in rows)
    page.segmented_control(key="spectra-scale").set_value("log")
    page = settled(page)
    assert json.loads(page.get("vega_lite_chart")[0].proto.spec)["layer"][1]["encoding"]["y"]["scale"]["type"] == "log"


def test_the_csv_holds_every_value_of_every_layer_by_name(store):
    layers = opened_file._compare(save(network().tensors()), "mine.safetensors")
    found = chance_curves(layers)
    for name, weight in network().tensors().items():
        if weight.ndim == 2:
            values = np.linalg.svd(weight.double().numpy(), compute_uv=False)
            np.testing.assert_allclose(found[found["layer"] == name]["value"], values, atol=1e-9)
            assert len(found[found["layer"] == name]["shuffled"].unique()) == len(values)


def test_a_watcher_opens_a_file_without_any_run_and_nothing_of_it_is_kept(store, home, monkeypatch):
    monkeypatch.setenv("ABP_OPERATE", "key")
    before = len(background._results())
    page = opened(save(network().tensors()))
    assert "There are no runs yet" in words(page) and len(table(page)) == len(SIZES) - 1
    assert len(background._results()) == before
    assert store.runs.all() == [] and not (home / "uploads").exists()
    page.file_uploader[0].clear()
    page = settled(page)
    assert not page.dataframe and "opened-file" not in page.session_state


def test_it_stands_in_place_of_a_run_until_another_is_chosen(store):
    first, second = trained(store, PRUNED), trained(store, PRUNED)
    page = opened(save(network().tensors()))
    assert len(table(page)) == len(SIZES) - 1 and "Ranks and norms" not in words(page)
    page.selectbox(key="chosen-run").set_value(first)
    page = settled(page)
    assert len(table(page)) == 2 and "Ranks and norms" in words(page)
    assert "mine.safetensors" not in words(page) and second != first


def stored(**arrays: np.ndarray) -> bytes:
    return save({name: torch.from_numpy(array) for name, array in arrays.items()})


def pickled() -> bytes:
    file = io.BytesIO()
    torch.save(network().tensors(), file)
    return file.getvalue()


WRONG = {
    "no weights at all": (b"nothing", "mine.safetensors cannot be read as .safetensors"),
    "no ONNX at all": (b"nothing", "mine.onnx cannot be read as .onnx: it is damaged, or another kind of file"),
    "a pickle": (pickled(), "mine.safetensors cannot be read as .safetensors"),
    "no matrix": (stored(bias=np.zeros(3)), "mine.safetensors holds no weight matrix"),
    "no numbers": (stored(w=np.full((2, 2), np.nan)), "'w' that are no numbers"),
    "complex": (stored(w=np.ones((2, 2), np.complex64)), "'w' holds complex numbers .complex64."),
    "too many": (stored(**{f"w{n}": np.ones((2, 2)) for n in range(MOST_LAYERS + 1)}), "holds 10 matrices; at most 9"),
    "too wide": (stored(w=np.ones((1, 4097))), "'w' in mine.safetensors is 1 x 4097; at most 4,096"),
    "a long name": (stored(**{"w" * 201: np.ones((2, 2))}), "whose name has 201 characters; at most 200"),
    "too large": (bytes(5 * 2**20 + 1), "This file has 5 MB; this installation allows 5 .ABP_MAX_UPLOAD_MB."),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_opened_is_one_sentence(name, store):
    contents, complaint = WRONG[name]
    page = opened(contents, "mine.onnx" if "ONNX" in name else "mine.safetensors")
    assert [bool(re.search(complaint, error.value)) for error in page.error] == [True], page.error
    assert not page.get("vega_lite_chart") and not page.dataframe


def test_names_from_a_file_are_shown_as_text(store):
    page = opened(
        save({"**a** :red[b] $c$": torch.ones(3, 4), "![](http://x/y.png)": torch.ones(3, 4)}),
        "_my_ :x:.onnx.safetensors",
    )
    assert not page.error and len(table(page)) == 2
    assert not any(re.search(r"(?<!\\):red\[|!\[\]\(|\*\*\*\*", markdown.value) for markdown in page.markdown)


def test_many_layers_stand_in_rows_of_four(store):
    page = opened(save({f"w{n}": torch.eye(3) for n in range(MOST_LAYERS)}))
    assert [column.weight for column in page.columns] == [0.25] * 12
    assert [len(column.get("vega_lite_chart")) for column in page.columns] == [1] * MOST_LAYERS + [0] * 3


def test_layers_that_are_small_dead_or_tiny_are_drawn_on_both_scales(store):
    layers = {"a": torch.zeros(8, 8), "b": torch.ones(1, 5), "c": torch.eye(60), "d": 1e-30 * torch.ones(4, 3).triu()}
    page = opened(save(layers))
    for scale in ("linear", "log"):
        page.segmented_control(key="spectra-scale").set_value(scale)
        page = settled(page)
        assert len(page.get("vega_lite_chart")) == 4 and not page.error
        specs = [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart")]
        scales = [spec.get("layer", [spec])[-1]["encoding"]["y"]["scale"]["domain"] for spec in specs]
        assert all(low < high for low, high in scales)
