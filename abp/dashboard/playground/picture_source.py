"""Where the playground's sample comes from: the drawing pad, the test samples, an uploaded picture, or a form."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from abp.dashboard.charts.widgets import picture
from abp.dashboard.components.drawing_pad import drawing_pad
from abp.dashboard.frame.links import number_or_warning
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.privacy import may_show_samples
from abp.dashboard.networks.cache import pictures_of
from abp.dashboard.networks.samples import sample_png, sample_table
from abp.dashboard.playground.own_samples import (
    can_be_drawn,
    can_be_sent,
    drawing_like,
    picture_like,
    values_form,
)
from abp.data.datasets import DATASETS, DataUnavailable
from abp.data.drawings import DRAWABLE, photographed, prepared
from abp.data.own.limits import BadData
from abp.data.uploads import UploadUnusable, decoded, most_megabytes

DRAW, TEST, UPLOAD, VALUES = "Draw", "Test picture", "Upload", "Values"

PREPARED = (*DRAWABLE, "fashion-mnist")
"""Data sets for which pictures of one's own are prepared."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A sample, most often a picture, as a network sees it.

    Attributes
    ----------
    pixels
        Brightness 0 to 1, float32 of the data set's shape, or a table's values; None while there is none.
    label
        Its class, where that is known.
    hint
        How to get one, in words, while there is none.
    """

    pixels: NDArray[np.float32] | None
    label: int | None = None
    hint: str = ""


def choose_picture(dataset: str) -> Picture:
    """Show the chosen source, and return its picture."""
    sources = _sources(dataset)
    names = {TEST: f"Test {DATASETS[dataset].sample_word}"}
    first = TEST if "picture" in st.query_params else sources[0]
    source = st.segmented_control(
        "Source",
        sources,
        default=first,
        required=True,
        key=f"source-{dataset}",
        format_func=lambda name: names.get(name, name),
        label_visibility="collapsed",
    )
    if source == TEST:
        return _test_sample(dataset)
    if source == VALUES:
        return _values(dataset)
    return _drawing(dataset) if source == DRAW else _upload(dataset)


def _sources(dataset: str) -> list[str]:
    if dataset in DRAWABLE:
        return [DRAW, TEST, UPLOAD]
    if DATASETS[dataset].is_table:
        return [TEST, VALUES]
    sent = dataset in PREPARED or can_be_sent(dataset)
    return [*([DRAW] if can_be_drawn(dataset) else []), TEST, *([UPLOAD] if sent else [])]


def _drawing(dataset: str) -> Picture:
    ink = drawing_pad(f"pad-{dataset}")
    if dataset not in DRAWABLE:
        return Picture(None if ink is None else drawing_like(ink, dataset), hint="Draw one like the test pictures")
    return Picture(None if ink is None else prepared(ink, dataset), hint="Draw a digit from 0 to 9")


def _test_sample(dataset: str) -> Picture:
    """One of the test samples: that of the link's ``?picture=``, counted from 1, until another is chosen."""
    record, word = DATASETS[dataset], DATASETS[dataset].sample_word
    try:
        x, y = pictures_of(dataset)
    except DataUnavailable as error:
        st.info(
            f"The test samples are not on this computer. {literal(str(error))}", icon=":material/image_not_supported:"
        )
        return Picture(None, hint="Choose another source")
    if not may_show_samples(dataset):
        return Picture(None, hint="Nothing can be shown")
    key, linked = f"picture-{dataset}", st.query_params.get("picture")
    state = st.session_state
    if key not in state or linked != state.get("linked-picture"):
        state[key] = number_or_warning("picture", len(x), f"test {word}", "The first one is shown.") or 1
        state["linked-picture"] = linked
    show = st.container()
    with st.container(horizontal=True, gap="xsmall"):
        _step(dataset, y, key)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox("Class", ["any", *record.class_names], key=f"class-{dataset}", width=105)
        number = st.number_input(f"Number (of {len(x):,})", 1, len(x), key=key, width=118)
    if str(number) != state["linked-picture"] and (state["linked-picture"] is not None or number != 1):
        st.query_params["picture"] = state["linked-picture"] = str(number)
    label = int(y[number - 1])
    with show:
        if record.is_table:
            st.dataframe(
                sample_table(dataset, x[number - 1].numpy()), hide_index=True, height=212, alt=f"Row {number:,}."
            )
        else:
            words = f"Test picture {number:,}."
            picture(sample_png(dataset, x[number - 1].numpy(), width=212), alt=words, width=160)
        st.caption(f"Test {word} {number:,} shows: {literal(record.class_names[label])}.")
    return Picture(x[number - 1].numpy().reshape(record.image_shape or -1), label)


def _step(dataset: str, y: Tensor, key: str) -> None:
    """Buttons that lead to another sample of the chosen class, or to the next where the shown one is not of it."""
    state, names = st.session_state, DATASETS[dataset].class_names
    kind = state.get(f"class-{dataset}", "any")
    wanted = np.arange(len(y)) if kind == "any" else np.flatnonzero(y.numpy() == names.index(kind))
    if not len(wanted):
        return
    shown = state[key] - 1
    if shown not in wanted:
        shown = int(wanted[np.searchsorted(wanted, shown) % len(wanted)])
    if st.button("", icon=":material/chevron_left:", help="Previous", key=f"previous-{dataset}"):
        shown = int(wanted[np.searchsorted(wanted, shown) - 1])
    if st.button("", icon=":material/chevron_right:", help="Next", key=f"next-{dataset}"):
        shown = int(wanted[np.searchsorted(wanted, shown, side="right") % len(wanted)])
    if st.button("Random", icon=":material/shuffle:"):
        shown = int(np.random.default_rng().choice(wanted))
    state[key] = shown + 1


def _values(dataset: str) -> Picture:
    """Values that the visitor chooses, at first those of the test sample that was looked at last."""
    number = int(st.session_state.get(f"picture-{dataset}", 1))
    start = np.zeros(DATASETS[dataset].inputs, dtype=np.float32)  # the mean of each column
    if not DATASETS[dataset].private:
        with suppress(DataUnavailable):
            start = pictures_of(dataset)[0][number - 1].numpy()
    return Picture(values_form(dataset, start, key=f"{dataset}-{number}"))


def _upload(dataset: str) -> Picture:
    own = dataset not in PREPARED
    what = "one sample" if own else "one digit" if dataset in DRAWABLE else "one piece of clothing"
    file = st.file_uploader(
        f"Picture of {what} (PNG or JPEG, at most {most_megabytes()} MB)",
        type=["png", "jpg", "jpeg"],
        max_upload_size=most_megabytes(),
        key=f"upload-{dataset}",
        help="Use plain paper or another even background. The picture is not stored.",
    )
    if file is None:
        return Picture(None, hint="Upload a picture")
    try:
        if own:
            return Picture(picture_like(file.getvalue(), dataset))
        pixels = prepared(photographed(_decoded(file.getvalue())), dataset)
    except BadData as error:
        st.error(literal(f"This file {error}"), icon=":material/broken_image:")
        return Picture(None, hint="Upload another picture")
    except UploadUnusable as error:
        st.error(literal(str(error)), icon=":material/broken_image:")
        return Picture(None, hint="Upload another picture")
    if pixels is None:
        st.info("This picture is empty: nothing in it stands out from its background.", icon=":material/info:")
    return Picture(pixels, hint="Upload another picture")


@st.cache_data(show_spinner=False, max_entries=16)
def _decoded(contents: bytes) -> NDArray[np.uint8]:
    return decoded(contents)
