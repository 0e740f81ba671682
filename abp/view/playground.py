"""The playground: one picture, two trained networks side by side, and what each makes of it."""

import functools
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.pruning.criteria import CRITERIA
from abp.pruning.data import DATASETS
from abp.runs.baselines import dense_twin
from abp.runs.records import Run
from abp.runs.store import Store
from abp.runs.trained import Trained, activations, trained
from abp.view import charts
from abp.view.colours import METHODS
from abp.view.demo import demo_button
from abp.view.follow import follow, version
from abp.view.matrices import picture_png
from abp.view.page import fragment
from abp.view.parts import download_csv, picture
from abp.view.pictures import Picture, choose_picture

_MANY = 100  # other runs offered


def playground_view(store: Store, run: Run) -> None:
    """Everything the page shows of one run."""
    network = trained_of(store, run)
    if network is None:
        _not_trained(store, run)
        return
    beside = _choose_beside(store, run)
    other = network if beside is None else trained_of(store, beside) or network
    dataset = run.experiment.dataset

    @fragment(run_every=None)
    def play() -> None:
        """Drawn anew, alone, whenever a stroke ends."""
        shown = choose_picture(dataset)
        _as_the_network_sees_it(dataset, shown)
        _sides(dataset, shown, network, other)

    play()


def trained_of(store: Store, run: Run) -> Trained | None:
    """A run's final network, loaded once for all visitors; not to be changed."""
    return _trained(store, str(store.path), run.id, version(run))


@st.cache_resource(show_spinner=False, max_entries=16)
def _trained(_store: Store, path: str, run: int, version: tuple) -> Trained | None:
    return trained(_store, _store.run(run))


def _not_trained(store: Store, run: Run) -> None:
    """A run without a final network: why, and what can be done."""
    follow(store, run)
    waits = "This run is still being trained. Its network comes here by itself when it has ended."
    never = "This run left no trained network: it ended before its training did. A rerun of it would leave one."
    st.info(waits if run.active else never, icon=":material/info:")
    st.page_link(
        "pages/train.py", label="See this run", icon=":material/play_circle:", query_params={"run": str(run.id)}
    )
    ready = next((other for other in store.runs() if other.has_weights), None)
    if ready is None:
        demo_button(store)
    else:
        label = f"Play with run {ready.id}, which is ready"
        st.page_link("pages/playground.py", label=label, icon=":material/draw:", query_params={"run": str(ready.id)})


def _choose_beside(store: Store, run: Run) -> Run | None:
    """The run of ``?beside=`` whose network stands on the right; None for the same run's."""
    twin = dense_twin(store, run)
    others = {
        other.id: other
        for other in store.runs()
        if other.id != run.id and other.has_weights and other.experiment.dataset == run.experiment.dataset
    }
    first = [twin.id] if twin is not None and twin.id in others else []
    offered = [0, *first, *(number for number in list(others)[:_MANY] if number not in first)]
    linked = st.query_params.get("beside")
    chosen = int(linked) if linked and linked.isascii() and linked.isdigit() and len(linked) < 16 else 0
    if chosen == run.id:
        chosen = 0
    elif linked is not None and chosen not in others:
        st.warning(
            f"“{linked[:40]}” in the link is not a finished run of the same data. This run stands on both sides.",
            icon=":material/link_off:",
        )
        chosen = 0
    if chosen not in offered:
        offered.append(chosen)

    def title(number: int) -> str:
        if not number:
            return "the same network"
        return f"{number}: {others[number].name}{' (its dense twin)' if number in first else ''}"

    def lead() -> None:
        if st.session_state["beside"]:
            st.query_params["beside"] = str(st.session_state["beside"])
        else:
            st.query_params.pop("beside", None)

    st.session_state["beside"] = chosen
    st.selectbox("On the right", offered, format_func=title, key="beside", on_change=lead)
    return others.get(chosen)


def _as_the_network_sees_it(dataset: str, shown: Picture) -> None:
    rows, columns = DATASETS[dataset].image_shape
    st.subheader(
        "As the network sees it",
        anchor=False,
        help="Your picture is made as the pictures that the network learned from were: cut out, made small, and put "
        "into the middle. Strokes that are much thinner or thicker than usual are evened out.",
    )
    st.caption(f"The picture in {rows} × {columns} pixels: all that the networks get.")
    pixels = np.zeros((rows, columns), dtype=np.float32) if shown.pixels is None else shown.pixels
    alt_text = "No picture yet." if shown.pixels is None else f"The picture, {rows} × {columns} pixels."
    picture(picture_png(pixels, width=168), alt=alt_text)
    download_csv("picture", lambda: pd.DataFrame(pixels, columns=[str(column + 1) for column in range(columns)]))


def _sides(dataset: str, shown: Picture, left: Trained, right: Trained) -> None:
    """Both networks' answers, side by side where there is room; outputs on one scale."""
    sides = [(left, "As trained", "as-trained"), (right, "Yours to break", "yours")]
    answers = [_answers(network, shown) for network, _, _ in sides]
    strongest = _strongest([answer[:-1] for answer in answers])
    for place, (network, title, name), answer in zip(st.columns(2, gap="large"), sides, answers, strict=True):
        with place:
            st.subheader(title, anchor=False)
            st.caption(f"Run {network.run}, {CRITERIA[network.criterion].title}.")
            _words(dataset, shown, answer[-1])
            _probabilities(dataset, network, answer[-1], title, name)
            _layers(network, answer[:-1], strongest, title, name)


def _answers(network: Trained, shown: Picture) -> list[NDArray]:
    """Outputs of each hidden layer and the classes' probabilities; zeros while there is no picture."""
    if shown.pixels is None:
        return [np.zeros(width, dtype=np.float32) for width in network.sizes[1:]]
    return activations(network, shown.pixels)


def _strongest(answers: Sequence[Sequence[NDArray]]) -> list[float]:
    """The largest output of each hidden layer, on either side."""
    depth = max(len(layers) for layers in answers)
    return [
        max((float(layers[index].max(initial=0)) for layers in answers if index < len(layers)), default=0) or 1.0
        for index in range(depth)
    ]


def _words(dataset: str, shown: Picture, probabilities: NDArray) -> None:
    if shown.pixels is None:
        st.markdown("#### It waits for a picture.")
        st.caption(shown.waiting)
        return
    names = DATASETS[dataset].class_names
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    st.markdown(f"#### It says {names[first]}, {percent(probabilities[first])} sure.")
    judged = ""
    if shown.label is not None:
        judged = " That is right." if first == shown.label else f" That is wrong: it is {names[shown.label]}."
    st.caption(f"Its second guess: {names[second]}, {percent(probabilities[second])}.{judged}")


def percent(share: float) -> str:
    """A probability in words that never claims certainty.

    >>> percent(0.876), percent(0.9999), percent(0.0001)
    ('88 %', 'over 99 %', 'under 1 %')
    """
    if share > 0.99:
        return "over 99 %"
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _probabilities(dataset: str, network: Trained, probabilities: NDArray, title: str, name: str) -> None:
    names = list(DATASETS[dataset].class_names)
    table = pd.DataFrame({"class": names, "probability": np.round(probabilities, 4)})
    table["share"] = [f"{100 * value:.0f} %" for value in probabilities]
    st.markdown("**What it takes it for**", help="Softmax of the ten outputs; together they make 100 %.")
    st.caption("How probable it finds each class.")
    st.vega_lite_chart(
        table,
        _probabilities_spec(tuple(names), METHODS[network.criterion]),
        width="stretch",
        key=f"probabilities-{name}",
        alt=f"{title}: how probable it finds each class. "
        + ", ".join(f"{row} {share}" for row, share in zip(names, table["share"], strict=True)),
    )
    download_csv(f"probabilities-{name}", lambda: table.drop(columns="share"))


@functools.lru_cache(maxsize=32)
def _probabilities_spec(names: tuple[str, ...], colour: str) -> dict[str, Any]:
    """Bars of ten probabilities, as Vega-Lite without its data: Altair would take 30 ms for it at each stroke."""
    base = alt.Chart(pd.DataFrame({"class": [], "probability": [], "share": []})).encode(
        x=alt.X(
            "probability:Q", title=None, scale=alt.Scale(domain=[0, 1.1], nice=False),
            axis=alt.Axis(format="%", values=[0, 0.5, 1]),
        ),
        y=alt.Y("class:N", sort=None, title=None, scale=alt.Scale(domain=names), axis=alt.Axis(labelOverlap=False)),
        tooltip=["class:N", alt.Tooltip("probability:Q", format=".2%")],
    )  # fmt: skip
    words = base.mark_text(align="left", dx=4, fontSize=12).encode(text="share:N")
    return charts.without_data(alt.layer(base.mark_bar(color=colour), words).properties(height=240))


def _layers(network: Trained, outputs: Sequence[NDArray], strongest: Sequence[float], title: str, name: str) -> None:
    hidden = network.sizes[1:-1]
    live = [mask.sum(dim=1).numpy() for mask in network.masks]
    cell = charts.cell_size(hidden)
    st.markdown(
        "**How its neurons answer**",
        help="The picture goes through the layers from first to last. A neuron's output is zero or more; colours "
        "compare it with the largest of its layer, on both sides.",
    )
    st.caption("Each cell is a neuron: the stronger its colour, the larger its output; a cross was removed.")
    shown = []
    for index, width in enumerate(hidden):
        table = _answering(index, outputs[index], strongest[index], live[index], cell)
        shown.append(table)
        fired = int((outputs[index] > 0).sum())
        st.markdown(f"**Hidden {index + 1}** · {fired} of {width} fire")
        st.vega_lite_chart(
            table,
            charts.activity_spec(width, cell, "strength"),
            width="content",
            key=f"answers-{name}-{index}",
            alt=f"{title}: outputs of the {width} neurons of hidden layer {index + 1}; {fired} fire.",
        )
    download_csv(f"outputs-{name}", lambda: pd.concat(shown)[["layer", "neuron", "output", "live_weights", "state"]])


def _answering(layer: int, outputs: NDArray, strongest: float, live: NDArray, cell: int) -> pd.DataFrame:
    """A row for each neuron of a hidden layer, placed for the heatmap; made in one go, at each stroke."""
    neuron = np.arange(len(outputs))
    columns = charts.layer_columns(len(outputs), cell)
    return pd.DataFrame(
        {
            "layer": f"hidden {layer + 1}",
            "neuron": neuron + 1,
            "column": neuron % columns + 0.5,
            "row": neuron // columns + 0.5,
            "output": np.round(outputs, 4),
            "strength": np.round(outputs / strongest, 4),
            "live_weights": live,
            "state": np.where(live > 0, "live", "removed"),
        }
    )
