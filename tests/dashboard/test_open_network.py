"""A network trained elsewhere: opened from a file on the list of runs, and looked at on the pages of a run."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save

from abp.cli.main import main
from abp.training.experiment import Experiment
from tests.dashboard.opening import open_page, settled, words

PLACE = "1" * 32


def sent(home, name: str, contents: bytes):
    (home / "uploads" / PLACE).mkdir(parents=True)
    (home / "uploads" / PLACE / name).write_bytes(contents)
    page = open_page("runs")
    page.session_state["network-place"] = PLACE
    return settled(page)


def test_a_network_from_a_file_can_be_looked_at_on_every_page_of_a_run(store, home):
    store.runs.add(Experiment(hidden=(12, 8)))
    torch.manual_seed(0)
    layers = [torch.nn.Linear(64, 12), torch.nn.Linear(12, 8), torch.nn.Linear(8, 10)]
    page = sent(home, "mine.safetensors", save(torch.nn.Sequential(*layers).state_dict()))
    assert any("64 – 12 – 8 – 10" in markdown.value for markdown in page.markdown)
    next(button for button in page.button if button.label == "Open network").click()
    settled(page)
    (run,) = [run for run in store.runs.all() if run.from_file]
    assert not (home / "uploads" / PLACE).exists()
    watched = open_page("train", run=run.id)
    assert "This network was trained elsewhere" in words(watched) and not watched.error
    for file in ("spectra", "weights", "low_rank", "playground", "runs"):
        page = settled(open_page(file, run=run.id))
        assert not page.error, file
    assert open_page("runs").dataframe[0].value.set_index("Run").loc[run.id, "Continues"] == run.origin


def test_what_is_zero_in_a_file_counts_as_removed_as_it_does_for_the_command_line(store, home, capsys):
    torch.manual_seed(0)
    tensors = {"a.weight": torch.randn(60, 64), "b.weight": torch.randn(10, 60)}
    tensors["a.weight"][10:] = 0
    page = sent(home, "sparse.safetensors", contents := save(tensors))
    next(button for button in page.button if button.label == "Open network").click()
    settled(page)
    (run,) = store.runs.all()
    page = settled(open_page("spectra", run=run.id))
    table = next(frame.value for frame in page.dataframe if "Rank, shuffled" in frame.value)
    assert (table["Rank"][0], table["Rank, shuffled"][0]) == (10, 10)
    (home / "sparse.safetensors").write_bytes(contents)
    assert main(["spectra", str(home / "sparse.safetensors"), "--json", "-"]) == 0
    said = capsys.readouterr()
    layer = json.loads(said.out)["layers"][0]
    assert (layer["rank"], layer["shuffled_rank"]) == (10, 10) and layer["edge"] == pytest.approx(table["Edge"][0])
    ((numbers, _),) = store.summaries.of([run.id]).values()
    assert numbers["shuffled_ranks"] == [10]


def test_a_file_that_is_no_network_is_one_sentence(store, home):
    page = sent(home, "mine.safetensors", b"nothing")
    assert len(page.error) == 1 and "cannot be read as safetensors" in page.error[0].value


def test_a_network_that_no_data_set_fits_says_so(store, home):
    page = sent(home, "mine.safetensors", save({"a.weight": torch.ones(3, 5), "b.weight": torch.ones(7, 3)}))
    assert "samples of 5 numbers and 7 classes" in words(page)
