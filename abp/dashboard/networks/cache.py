"""What pages show of a run's recorded networks, read and computed once for all browsers.

The keys contain the store's path and the run's version, which changes when more of it is recorded.
"""

import os
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from abp.analysis.neuron_responses import multiply_adds, responses
from abp.dashboard.frame.refresh import version
from abp.data.datasets import DATASETS, load_test_set
from abp.store.records import Run, unpack_counts
from abp.store.snapshots import Moment, Snapshot, moments, snapshot
from abp.store.store import Store

_BUDGET = 6 * 10**9  # multiply-adds of one forward pass: about a fifth of a second of one core


@dataclass(frozen=True)
class Responses:
    """How one hidden layer responds to test pictures, as shares of each class (`abp.analysis.neuron_responses`).

    Attributes
    ----------
    shares
        Share of each class's pictures for which a neuron fires, ``[classes, neurons]``.
    pictures, outputs
        The pictures that activate each neuron most, and its outputs, ``[neurons, top]``.
    seen
        How many test pictures were used, and how many there are.
    """

    shares: NDArray
    pictures: NDArray
    outputs: NDArray
    seen: tuple[int, int]


def moments_of(store: Store, run: Run) -> list[Moment]:
    """Moments of a run, in order.

    Raises
    ------
    abp.store.store.RunUnknown
        If it has been deleted.
    """
    return _moments(store, store.name, run.id, version(run))


def snapshot_of(store: Store, run: Run, moment: Moment) -> Snapshot:
    """The masks and the network of a run at one of its moments; must not be changed."""
    return _snapshot(store, store.name, run.id, version(run), moment)


def limits_of(store: Store, run: Run) -> list[float]:
    """Magnitude at which colours are full, per layer: one in two hundred initial or newest weights exceeds it."""
    return _limits(store, store.name, run.id, version(run))


def frequencies_of(store: Store, run: Run) -> list[NDArray]:
    """Share of training pictures for which each neuron fired, per hidden layer float32 ``[epochs, neurons]``."""
    return _frequencies(store, store.name, run.id, version(run), run.epoch)


def pictures_of(dataset: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Test pictures and labels, or a `abp.data.datasets.DataUnavailable` where they are not on this machine."""
    return _test_samples(dataset, os.environ.get("ABP_DATA_DIR", ""), os.environ.get("ABP_HOME", ""))


def responses_of(store: Store, run: Run, moment: Moment) -> list[Responses]:
    """How each hidden layer responds to the test pictures, or to the first of them where the network is wide.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the pictures are not on this machine.
    """
    return _responses(store, store.name, run.id, version(run), moment)


@st.cache_data(show_spinner=False, max_entries=64)
def _moments(_store: Store, database: str, run: int, version: tuple) -> list[Moment]:
    return moments(_store, _store.runs.get(run))


@st.cache_resource(show_spinner=False, max_entries=6)
def _snapshot(_store: Store, database: str, run: int, version: tuple, moment: Moment) -> Snapshot:
    return snapshot(_store, _store.runs.get(run), moment)


@st.cache_data(show_spinner=False, max_entries=64)
def _limits(_store: Store, database: str, run: int, version: tuple) -> list[float]:
    record = _store.runs.get(run)
    found = moments(_store, record)
    networks = [snapshot(_store, record, moment).network for moment in (found[0], found[-1])]
    return [
        max(_usual(network.weights[layer].numpy()) for network in networks if network is not None)
        for layer in range(len(record.experiment.hidden))
    ]


def _usual(weights: NDArray) -> float:
    magnitudes = np.abs(weights[weights != 0])
    if not len(magnitudes):
        return 1e-6
    return float(np.quantile(magnitudes[:: 1 + len(magnitudes) // 100_000], 0.995))


@st.cache_data(show_spinner=False, max_entries=32)
def _frequencies(_store: Store, database: str, run: int, version: tuple, epoch: int) -> list[NDArray]:
    hidden = _store.runs.get(run).experiment.hidden
    rows = [
        [layer.astype(np.float32) / max(samples, 1) for layer in unpack_counts(counts, hidden)]
        for _, samples, counts in _store.histories.epoch_counts(run)
    ]
    if not rows:
        return [np.zeros((0, width), dtype=np.float32) for width in hidden]
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


@st.cache_resource(show_spinner=False, max_entries=3)
def _test_samples(dataset: str, folder: str, home: str) -> tuple[torch.Tensor, torch.Tensor]:
    return load_test_set(dataset, download=False)


@st.cache_data(show_spinner=False, max_entries=32)
def _responses(_store: Store, database: str, run: int, version: tuple, moment: Moment) -> list[Responses]:
    record = _store.runs.get(run)
    x, y = pictures_of(record.experiment.dataset)
    classes = len(DATASETS[record.experiment.dataset].class_names)
    seen = max(1, min(len(x), _BUDGET // multiply_adds(record.experiment.sizes)))
    network = _snapshot(_store, database, run, version, moment).network
    if network is None:
        return []
    found = responses(network, x[:seen], y[:seen])
    members = np.maximum(np.bincount(y[:seen].numpy(), minlength=classes), 1)
    return [
        Responses(part.fires.numpy() / members[:, None], part.pictures.numpy(), part.outputs.numpy(), (seen, len(x)))
        for part in found
    ]
