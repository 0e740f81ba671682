"""Event files as TensorBoard itself reads them, against the store and NumPy."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from abp.runs.tensorboard import TensorBoardMissing, write_events
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.recordings import trained

SETTINGS = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.6, prunings=2, start_accuracy=0.1, epochs=5
)


@pytest.fixture
def store(home) -> Store:
    home.mkdir()
    return Store(home / "abp.sqlite3")


@pytest.fixture
def run(store):
    return store.runs.get(trained(store, SETTINGS))


@pytest.fixture
def events(store, run, tmp_path) -> EventAccumulator:
    write_events(store, run, tmp_path / "events")
    return EventAccumulator(str(tmp_path / "events"), size_guidance={"images": 0, "histograms": 0}).Reload()


def test_curves_are_those_of_the_store(store, run, events):
    table = store.histories.epochs(run.id)
    for tag, column in [("loss/train", "train_loss"), ("accuracy/test", "test_accuracy"), ("sparsity", "sparsity")]:
        assert [event.step for event in events.Scalars(tag)] == list(table["epoch"])
        np.testing.assert_allclose([event.value for event in events.Scalars(tag)], table[column], rtol=1e-6)


def test_ranks_are_those_of_the_recorded_weights(store, run, events):
    ranks = events.Scalars("rank/hidden.0")
    assert len(ranks) == 2 + 2 * run.prunings  # start, before and after each pruning, end
    for moment, event in (("initial", ranks[0]), ("final", ranks[-1])):
        assert event.value == np.linalg.matrix_rank(load(store.weights.get(run.id, moment))["hidden.0.weight"])
    histogram = events.Histograms("singular values/hidden.1")[0].histogram_value
    assert histogram.num == 10
    assert histogram.max == pytest.approx(
        np.linalg.norm(load(store.weights.get(run.id, "initial"))["hidden.1.weight"], 2), rel=1e-5
    )


def test_heatmaps_show_how_often_each_neuron_fired(store, run, events):
    images = events.Images("activation frequency/hidden.0")
    assert [image.step for image in images] == list(store.histories.epochs(run.id)["epoch"])
    for image, (_, samples, packed) in zip(images, store.histories.epoch_counts(run.id), strict=True):
        cells = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)).convert("L"))[4::8, 4::8]
        assert cells.shape == (4, 5)
        counts = np.frombuffer(packed, np.uint32)[:20]
        np.testing.assert_allclose(cells.ravel() / 255, counts / samples, atol=0.5 / 255)


def test_without_tensorboard_it_says_what_to_install(store, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it could not be imported
    with pytest.raises(TensorBoardMissing, match=r"pip install .*abp-lab\[tensorboard\]"):
        write_events(store, run, tmp_path / "events")
