"""The way of a sample through one of the two networks, neuron by neuron, and what is shown of a neuron there."""

import base64
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from abp.analysis.contributions import Contributions, contributions
from abp.analysis.paired_statistics import signed
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.charts.images import pixels_png, weight_cells
from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.components.network_flow import Inputs, Neuron, Portrait, network_flow
from abp.dashboard.networks.neuron import portrait_of
from abp.dashboard.networks.samples import sample_png
from abp.dashboard.playground.damage import Copy
from abp.dashboard.playground.disabled_neurons import switch
from abp.dashboard.playground.picture_source import Picture
from abp.dashboard.playground.predictions import TITLES, outputs_of
from abp.data.datasets import DATASETS
from abp.store.records import Run
from abp.store.store import Store

_POINTED = "pointed-at"  # the neuron that the visitor pointed at last: run, hidden layer, neuron


def show_flow(store: Store, shown: Picture, left: Copy, right: Copy) -> None:
    """The network that is chosen, with its inputs, its neurons, its classes, and what spoke for the answer."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        side = st.segmented_control(
            "Network", TITLES, default=TITLES[1], required=True, key="flow-of", label_visibility="collapsed"
        )
        taps = " Tap one to switch it off." if side == TITLES[1] else ""
        st.caption(
            f"Framed neurons spoke most for (orange) or against (blue) the answer.{taps} Crosses are removed ones."
        )
    copy = right if side == TITLES[1] else left
    found = [outputs_of(shown, each.trained.network) for each in (left, right)]
    outputs = found[TITLES.index(side or TITLES[1])]
    strongest = _strongest([layers[:-1] for layers in found])
    answer = None if shown.pixels is None else int(np.argmax(outputs[-1]))
    spoke = (
        None if shown.pixels is None or answer is None else contributions(copy.trained.network, shown.pixels, answer)
    )
    run = copy.trained.run

    def point(neuron: Neuron) -> None:
        st.session_state[_POINTED] = (run.id, *neuron)

    def click_on(neuron: Neuron) -> None:
        point(neuron)
        switch(copy.trained, neuron)

    network_flow(
        copy.trained.masks,
        copy.off,
        outputs,
        strongest,
        inputs=_inputs(run.experiment.dataset, shown, spoke),
        found=spoke,
        classes=DATASETS[run.experiment.dataset].class_names,
        answer=answer,
        portrait=_portrait(store, run),
        title=side or TITLES[1],
        colour=METHODS[run.experiment.criterion],
        key=f"flow-{'yours' if copy is right else 'as-trained'}-{run.id}",
        pointed=point,
        clicked=click_on if copy is right else None,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        download_csv("flow", lambda: outputs_table(copy, outputs, spoke))
        _more_about_neuron(run)


def _strongest(outputs: Sequence[Sequence[NDArray]]) -> list[float]:
    """The largest output of each hidden layer, in either network."""
    depth = max(len(layers) for layers in outputs)
    return [
        max((float(layers[index].max(initial=0)) for layers in outputs if index < len(layers)), default=0) or 1.0
        for index in range(depth)
    ]


def _inputs(dataset: str, shown: Picture, spoke: Contributions | None) -> Inputs:
    """What enters the network: a picture with what each place contributed, or the values that contributed most."""
    record = DATASETS[dataset]
    if record.is_table:
        names = [column.name for column in record.describe()]
        if shown.pixels is None or spoke is None:
            return Inputs("Input", f"{len(names)} values")
        parts = spoke.layers[0]
        most = np.argsort(-np.abs(parts), kind="stable")[:8]
        lines = tuple(f"{names[index]}: {signed(parts[index])}" for index in most)
        return Inputs("Input", f"{len(names)} values", lines=lines)
    words = " × ".join(map(str, record.pixels)) + " pixels"
    if shown.pixels is None or spoke is None:
        return Inputs("Input", words)
    parts = spoke.layers[0].reshape(record.shape)
    while parts.ndim > 2:
        parts = parts.sum(axis=-1)  # of a pixel's colours together
    limit = float(np.abs(parts).max()) or 1.0
    speaking = weight_cells(parts, np.ones(parts.shape, dtype=bool), limit)
    return Inputs("Input", words, _address(sample_png(dataset, shown.pixels, width=96)), _address(_png(speaking)))


def _png(cells: NDArray) -> bytes:
    factor = max(1, 96 // cells.shape[1])
    return pixels_png(np.repeat(np.repeat(cells, factor, axis=0), factor, axis=1))


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _portrait(store: Store, run: Run) -> Portrait | None:
    """What is shown beside the neuron that was pointed at last, if it is one of this run."""
    pointed = st.session_state.get(_POINTED)
    if not pointed or pointed[0] != run.id:
        return None
    found = portrait_of(store, run, *pointed[1:])
    if found is None:
        return None
    words, pictures = found
    return Portrait(pointed[1:], words, tuple((_address(png), alt) for png, alt in pictures))


def _more_about_neuron(run: Run) -> None:
    """A link to the page that says all about the neuron that was pointed at last."""
    pointed = st.session_state.get(_POINTED)
    if pointed and pointed[0] == run.id:
        query = {"run": str(run.id), "layer": str(pointed[1] + 1), "neuron": str(pointed[2] + 1)}
        label = f"More about neuron {pointed[2] + 1} of hidden {pointed[1] + 1}"
        st.page_link("pages/weights.py", label=label, icon=":material/grid_on:", query_params=query)


def outputs_table(copy: Copy, outputs: Sequence[NDArray], spoke: Contributions | None) -> pd.DataFrame:
    """A row per hidden neuron: ``layer``, ``neuron``, ``output``, ``contribution``, ``live_weights``, ``state``."""
    masks: Sequence[Tensor] = copy.trained.masks
    parts = []
    for index, mask in enumerate(masks):
        live = mask.sum(dim=1).numpy()
        state = np.where(live > 0, "live", "removed").astype(object)
        state[[neuron for layer, neuron in copy.off if layer == index]] = "switched off"
        contribution = np.zeros(len(live)) if spoke is None else spoke.layers[index + 1]
        parts.append(
            pd.DataFrame(
                {
                    "layer": f"hidden {index + 1}",
                    "neuron": np.arange(len(live)) + 1,
                    "output": outputs[index],
                    "contribution": contribution,
                    "live_weights": live,
                    "state": state,
                }
            )
        )
    return pd.concat(parts)
