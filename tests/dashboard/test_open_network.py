"""A network trained elsewhere: opened from a file on the list of runs, and looked at on the pages of a run."""

from __future__ import annotations

import torch
from safetensors.torch import save

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


def test_a_file_that_is_no_network_is_one_sentence(store, home):
    page = sent(home, "mine.safetensors", b"nothing")
    assert len(page.error) == 1 and "cannot be read as safetensors" in page.error[0].value


def test_a_network_that_no_data_set_fits_says_so(store, home):
    page = sent(home, "mine.safetensors", save({"a.weight": torch.ones(3, 5), "b.weight": torch.ones(7, 3)}))
    assert "samples of 5 numbers and 7 classes" in words(page)
