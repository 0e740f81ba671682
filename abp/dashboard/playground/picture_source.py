"""Where the playground's picture comes from: the drawing pad, the test pictures, or an uploaded file."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.components.drawing_pad import drawing_pad
from abp.dashboard.frame.links import number_or_warning
from abp.dashboard.frame.markdown import literal
from abp.dashboard.networks.cache import pictures_of
from abp.data.datasets import DATASETS, DataUnavailable
from abp.data.drawings import DRAWABLE, photographed, prepared
from abp.data.uploads import UploadUnusable, decoded, most_megabytes

DRAW, TEST, UPLOAD = "Draw", "Test picture", "Upload"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as a network sees it.

    Attributes
    ----------
    pixels
        Brightness 0 to 1, float32 of the data set's shape; None while there is none.
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
    sources = [DRAW, TEST, UPLOAD] if dataset in DRAWABLE else [TEST, UPLOAD]
    first = TEST if "picture" in st.query_params else sources[0]
    source = st.segmented_control("Picture", sources, default=first, required=True, key=f"source-{dataset}")
    if source == TEST:
        return _test_picture(dataset)
    return _drawing(dataset) if source == DRAW else _upload(dataset)


def _drawing(dataset: str) -> Picture:
    ink = drawing_pad(f"pad-{dataset}")
    return Picture(None if ink is None else prepared(ink, dataset), hint="Draw a digit from 0 to 9.")


def _test_picture(dataset: str) -> Picture:
    """One of the test pictures: that of the link's ``?picture=``, counted from 1, until another is chosen."""
    try:
        x, y = pictures_of(dataset)
    except DataUnavailable as error:
        st.info(
            f"The test pictures are not on this computer. {literal(str(error))}", icon=":material/image_not_supported:"
        )
        return Picture(None, hint="Choose another source.")
    key, linked = f"picture-{dataset}", st.query_params.get("picture")
    state = st.session_state
    if key not in state or linked != state.get("linked-picture"):
        state[key] = number_or_warning("picture", len(x), "test picture", "The first one is shown.") or 1
        state["linked-picture"] = linked
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = DATASETS[dataset].class_names
        kind = st.selectbox("Class", ["any", *names], key=f"class-{dataset}", width=140)
        wanted = np.arange(len(y)) if kind == "any" else np.flatnonzero(y.numpy() == names.index(kind))
        shown = state[key] - 1
        if shown not in wanted:
            shown = int(wanted[np.searchsorted(wanted, shown) % len(wanted)])
        if st.button("Previous", icon=":material/chevron_left:"):
            shown = int(wanted[np.searchsorted(wanted, shown) - 1])
        if st.button("Next", icon=":material/chevron_right:"):
            shown = int(wanted[np.searchsorted(wanted, shown, side="right") % len(wanted)])
        if st.button("Random", icon=":material/shuffle:"):
            shown = int(np.random.default_rng().choice(wanted))
        state[key] = shown + 1
        number = st.number_input(f"Number (of {len(x):,})", 1, len(x), key=key, width=160)
    if str(number) != state["linked-picture"] and (state["linked-picture"] is not None or number != 1):
        st.query_params["picture"] = state["linked-picture"] = str(number)
    label = int(y[number - 1])
    st.caption(f"Test picture {number:,} shows: {literal(names[label])}. Networks never learn from test pictures.")
    return Picture(x[number - 1].numpy().reshape(DATASETS[dataset].image_shape), label)


def _upload(dataset: str) -> Picture:
    what = "one digit" if dataset in DRAWABLE else "one piece of clothing"
    file = st.file_uploader(
        f"Picture of {what} (PNG or JPEG, at most {most_megabytes()} MB)",
        type=["png", "jpg", "jpeg"],
        max_upload_size=most_megabytes(),
        key=f"upload-{dataset}",
        help="Use plain paper or another even background. The picture is not stored.",
    )
    if file is None:
        return Picture(None, hint="Upload a picture.")
    try:
        pixels = prepared(photographed(_decoded(file.getvalue())), dataset)
    except UploadUnusable as error:
        st.error(literal(str(error)), icon=":material/broken_image:")
        return Picture(None, hint="Upload another picture.")
    if pixels is None:
        st.info("This picture is empty: nothing in it stands out from its background.", icon=":material/info:")
    return Picture(pixels, hint="Upload another picture.")


@st.cache_data(show_spinner=False, max_entries=16)
def _decoded(contents: bytes) -> NDArray[np.uint8]:
    return decoded(contents)
