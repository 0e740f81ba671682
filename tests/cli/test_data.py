"""``abp data`` as a person types it."""

from __future__ import annotations

import json

import pytest

from abp.cli.main import main
from abp.store.store import Store
from tests.data.own.files import drawings, table, zipped


@pytest.fixture
def run_abp(home, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_data_of_ones_own_are_added_listed_trained_with_and_removed(run_abp, tmp_path):
    drawn = zipped(tmp_path / "shapes.zip", {**drawings(10), "cross/broken.png": b"x"})
    status, out, err = run_abp("data", "add", "shapes", drawn, "--size", 12)
    assert status == 0 and "30 pictures of 12 × 12, 3 classes" in out and "Left out: cross/broken.png" in err
    (tmp_path / "flowers.csv").write_text(table())
    assert run_abp("data", "add", "flowers", tmp_path / "flowers.csv", "--leave-out", "colour", "--private")[0] == 0
    status, out, _ = run_abp("data", "list")
    assert status == 0 and "flowers: 60 rows of 2 inputs, 3 classes" in out and "private" in out and "shapes" in out
    found = json.loads(run_abp("data", "list", "--json", "-")[1])["datasets"]
    assert found[1]["description"]["notes"]["ink"] == "bright"  # the drawings were dark: they are inverted
    assert [row["name"] for row in found] == ["flowers", "shapes"]

    arguments = ("--hidden", "10", "--criterion", "none", "--epochs", 3, "--json", "-")
    status, out, _ = run_abp("train", "--dataset", "flowers", *arguments)
    assert status == 0 and json.loads(out)["dataset"] == found[0]["key"]
    status, _, err = run_abp("data", "remove", "flowers")
    assert status == 2 and "flowers is used by 1 run (1)" in err
    assert run_abp("data", "remove", "flowers", "--with-runs")[0] == 0 and Store().runs.all() == []
    assert run_abp("data", "remove", "shapes")[0] == 0
    status, _, err = run_abp("data", "remove", "shapes")
    assert status == 2 and "There is no data set 'shapes'" in err


def test_what_cannot_be_added_is_one_sentence_and_leaves_nothing(run_abp, tmp_path):
    (tmp_path / "t.csv").write_text(table())
    for arguments, words in (
        (("digits", tmp_path / "t.csv"), "built-in"),
        (("My Data", tmp_path / "t.csv"), "small letters"),
        (("t", tmp_path / "missing.csv"), "There is no file"),
        (("t", tmp_path / "t.csv", "--label", "size"), "There is no column 'size'"),
        (("t", tmp_path / "t.csv", "--size", 100), "not 100"),
    ):
        status, out, err = run_abp("data", "add", *arguments)
        assert (status, out) == (2, "") and words in err and len(err.splitlines()) == 1
    assert Store().datasets.all() == []
    status, _, err = run_abp("train", "--dataset", "nonsense")
    assert status == 2 and "dataset must be one of digits, mnist" in err
    assert run_abp("data", "add", "t", tmp_path / "t.csv")[0] == 0
    (tmp_path / "t.csv").write_text(table(seed=1))
    status, _, err = run_abp("data", "add", "t", tmp_path / "t.csv")
    assert status == 2 and "named 't' already" in err
