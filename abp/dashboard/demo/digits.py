"""The test pictures that the guided demo shows being read."""

import base64

import numpy as np
import streamlit as st

from abp.dashboard.components.demo_stage import Digits
from abp.data.datasets import DATASETS, DataUnavailable, load_test_set
from abp.runs.session.recording import PREDICTED


@st.cache_resource(show_spinner=False, max_entries=8)
def digits_to_read(dataset: str) -> Digits | None:
    """The first pictures of a test set, of which predictions are recorded; None where there are none here."""
    record = DATASETS.get(dataset)
    shape = record.image_shape if record else None
    if record is None or shape is None or len(shape) != 2:  # a table, or pictures in colour
        return None
    try:
        x, y = load_test_set(dataset, download=False)
    except DataUnavailable:
        return None
    pixels = np.rint(255 * x[:PREDICTED].numpy()).astype(np.uint8)
    return Digits(
        name=dataset,
        shape=shape,
        pixels=base64.b64encode(pixels.tobytes()).decode(),
        labels=tuple(y[:PREDICTED].tolist()),
        classes=record.class_names,
    )
