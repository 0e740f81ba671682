from __future__ import annotations

import re
from pathlib import Path

import pytest

from abp.cli.main import main
from abp.data.uploads import UploadUnusable, decoded
from abp.limits import LIMITS, LimitReached, LimitUnreadable, limit
from abp.runs.continuation import continue_run
from abp.store.store import Store
from abp.studies.registry import start_study
from abp.studies.specification import preset
from abp.training.experiment import Experiment
from tests.dashboard.opening import open_page
from tests.recordings import trained

SMALL = Experiment(hidden=(5,), criterion="none", epochs=1)
TABLE = re.compile(r"^\| `(ABP_MAX_\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def test_the_table_says_what_the_program_does():
    table = TABLE.findall((Path(__file__).parents[1] / "SECURITY.md").read_text())
    defaults = {name: "no limit" if each.default is None else f"{each.default:,}" for name, each in LIMITS.items()}
    assert {name: (what, default) for name, what, default in table} == {
        name: (each.what, defaults[name]) for name, each in LIMITS.items()
    }


def test_no_limit_is_below_what_settings_allow(home):
    widest = Experiment(dataset="mnist", hidden=(4096,) * 8, epochs=10_000)
    assert Store().runs.add(widest) == 1


@pytest.mark.parametrize(
    ("name", "value", "experiment", "said"),
    [
        ("ABP_MAX_EPOCHS", "5", Experiment(epochs=6), ("up to 6 epochs", "allows 5 (ABP_MAX_EPOCHS)")),
        # 64 pixels, 5 neurons, 10 classes: 65 x 5 + 6 x 10
        ("ABP_MAX_PARAMETERS", "384", SMALL, ("385 weights and biases", "allows 384 (ABP_MAX_PARAMETERS)")),
        ("ABP_MAX_STORAGE_GB", "0.000001", SMALL, ("The database holds", "allows 1e-06 (ABP_MAX_STORAGE_GB)")),
    ],
)
def test_a_run_beyond_a_limit_is_refused_and_nothing_is_written(name, value, experiment, said, home, monkeypatch):
    store = Store()
    monkeypatch.setenv(name, value)
    with pytest.raises(LimitReached) as error:
        store.runs.add(experiment)
    assert all(part in str(error.value) for part in said)
    assert store.runs.all() == []
    monkeypatch.setenv(name, "1e9")
    store.runs.add(experiment)


def test_runs_that_wait_are_counted_also_those_of_studies_and_continuations(home, monkeypatch):
    store = Store()
    parent = store.runs.get(trained(store, SMALL))
    monkeypatch.setenv("ABP_MAX_QUEUED", "2")
    store.runs.add(SMALL)
    continue_run(store, parent, "fine-tune", epochs=1)
    for write in (
        lambda: store.runs.add(SMALL),
        lambda: continue_run(store, parent, "fine-tune", epochs=1),
        lambda: start_study(store, preset("demo", seeds=2)),
    ):
        with pytest.raises(LimitReached, match=r"With this run 3 would be waiting; this installation allows 2"):
            write()
    assert len(store.runs.all()) == 3 and store.studies.all() == []


def test_the_command_line_and_the_page_say_so_in_a_sentence(home, monkeypatch, capsys):
    monkeypatch.setenv("ABP_ENGINE", "off")
    monkeypatch.setenv("ABP_MAX_EPOCHS", "100")
    assert main(["train", "--epochs", "101"]) == 2
    assert "up to 101 epochs; this installation allows 100 (ABP_MAX_EPOCHS)" in capsys.readouterr().err
    page = open_page("train")
    next(button for button in page.button if button.label == "Start training").click()
    page.run()
    assert ["allows 100" in error.value for error in page.error] == [True]
    assert Store().runs.all() == []


@pytest.mark.parametrize("text", ["many", "0", "-3", "nan", "inf", "1e99"])
def test_a_limit_that_is_no_number_allows_nothing_and_is_named(text, home, monkeypatch):
    monkeypatch.setenv("ABP_MAX_QUEUED", text)
    with pytest.raises(LimitUnreadable, match=f"ABP_MAX_QUEUED must be a number above 0 .*{text}"):
        Store().runs.add(SMALL)
    assert main(["doctor"]) == 1


def test_an_upload_beyond_its_limit_is_refused(monkeypatch):
    monkeypatch.setenv("ABP_MAX_UPLOAD_MB", "0.5")
    with pytest.raises(UploadUnusable, match=r"This file has 0\.6 MB; this installation allows 0\.5"):
        decoded(bytes(int(0.6 * 2**20)))
    assert limit("ABP_MAX_UPLOAD_MB") == 0.5
