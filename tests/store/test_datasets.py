"""People's own data in the store: exact bytes under a key, taken along by runs, asked about before they go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sqlalchemy import func, select, update

import abp
from abp.data.datasets import DATASETS, DataUnavailable, load_dataset
from abp.data.own.reading import read_own
from abp.data.own.samples import Options
from abp.runs.worker import execute
from abp.store import schema
from abp.store.repositories import datasets
from abp.store.repositories.datasets import DatasetInUse, DatasetUnknown
from abp.store.store import Store
from abp.studies.specification import Study
from abp.training.experiment import Experiment
from tests.data.own.files import drawings, table, zipped

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "abp.sqlite3")


@pytest.fixture
def shapes(tmp_path):
    return read_own("shapes", zipped(tmp_path / "shapes.zip", drawings(8)), Options(size=12))


def test_what_is_kept_comes_back_bit_for_bit_in_parts(store, shapes, monkeypatch):
    monkeypatch.setattr(datasets, "PART", 1000)
    key = store.datasets.add(shapes)
    assert store.datasets.add(shapes) == key and [row.key for row in store.datasets.all()] == [key]
    with store.database.reading() as connection:
        parts = connection.execute(select(func.count()).select_from(schema.dataset_parts)).scalar()
    assert parts == -(-len(shapes.packed) // 1000)
    data = load_dataset(key)
    joined = torch.cat([data.valid_x, data.train_x, data.test_x]).numpy()
    np.testing.assert_array_equal(joined, shapes.x.astype(np.float32) / np.float32(255))
    assert data.class_names == shapes.class_names and DATASETS["shapes@" + shapes.hash[:12]].image_shape == (12, 12)
    assert key in list(DATASETS) and Experiment(dataset="shapes").dataset == key


def test_runs_of_registered_data_take_them_along(store):
    rng = np.random.default_rng(0)
    data = abp.register_dataset("blobs", rng.normal(size=(60, 4)), np.arange(60) % 3)
    run = store.runs.add(Experiment(dataset="blobs", hidden=(5,), criterion="none", epochs=2))
    DATASETS.forget()  # as in a worker's process
    assert store.runs.get(run).experiment.dataset == data.name
    assert execute(store, run, "me") and store.runs.get(run).status == "finished"
    assert torch.equal(load_dataset(data.name).train_x, data.train_x)


def test_a_run_knows_its_data_when_its_store_is_gone(tmp_path, shapes):
    path = tmp_path / "abp.sqlite3"
    store = Store(path)
    number = store.runs.add(Experiment(dataset=store.datasets.add(shapes), hidden=(5,)))
    del store
    run = Store(path).runs.get(number)
    assert run.experiment.sizes == [144, 5, 3] and load_dataset(run.experiment.dataset).image_shape == (12, 12)


def test_another_process_finds_the_data_by_name(store, shapes):
    key = store.datasets.add(shapes)
    program = (
        "import sys; from pathlib import Path; from abp.store.store import Store; store = Store(Path(sys.argv[1]));"
        "from abp import Experiment, load_dataset; print(Experiment(dataset='shapes').dataset);"
        "print(load_dataset('shapes').train_x.sum().item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, store.path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == [key, str(load_dataset(key).train_x.sum().item())]


def test_deleting_asks_what_depends_on_it(store, shapes):
    key = store.datasets.add(shapes)
    runs = [store.runs.add(Experiment(dataset=key, hidden=(5,), seed=seed)) for seed in range(2)]
    other = store.runs.add(Experiment(hidden=(5,)))
    study = Study(datasets=("shapes",), criteria=("none",), amounts=(), seeds=(0,))
    number = store.studies.add("A study", study.to_json())
    assert study.datasets == (key,)
    with pytest.raises(DatasetInUse, match=f"2 runs \\({runs[0]}, {runs[1]}\\) and 1 study \\({number}\\)"):
        store.datasets.remove("shapes")
    assert load_dataset(key).train_x.shape[1] == 144
    store.datasets.remove("shapes", with_users=True)
    assert [run.id for run in store.runs.all()] == [other] and store.datasets.all() == [] and key not in DATASETS
    with pytest.raises(DatasetUnknown, match="no data set 'shapes'"):
        store.datasets.remove("shapes")


def test_samples_that_were_changed_or_lost_are_not_trained_on(store, shapes):
    key = store.datasets.add(shapes)
    assert key in DATASETS
    parts = schema.dataset_parts
    with store.database.writing() as connection:
        content = bytearray(connection.execute(select(parts.c.content)).scalar_one())
        content[-1] ^= 1
        connection.execute(update(parts).values(content=bytes(content)))
    with pytest.raises(DataUnavailable, match="damaged"):
        load_dataset(key)
    with store.database.writing() as connection:
        connection.execute(parts.delete())
    with pytest.raises(DataUnavailable, match="was deleted"):
        load_dataset(key)


def test_private_can_be_said_later(store, tmp_path):
    (tmp_path / "t.csv").write_text(table())
    key = store.datasets.add(read_own("flowers", tmp_path / "t.csv", Options()))
    assert not DATASETS[key].private
    store.datasets.set_private(key, True)
    assert DATASETS[key].private and store.datasets.get("flowers").private
