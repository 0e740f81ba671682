"""Opening a network that was trained elsewhere: a file is sent, and stands among the runs."""

from pathlib import Path

import streamlit as st

from abp.dashboard.channel.uploads import discard, new_place, uploaded
from abp.dashboard.components.file_upload import file_upload
from abp.dashboard.frame.access import operating, require_operator
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.data.datasets import DATASETS
from abp.errors import AbpError
from abp.store.store import Store

_PLACE = "network-place"
_WHAT = (
    "Drop a network here: a .safetensors file whose layers are named in order, or an .onnx file of Linear layers and "
    "ReLU. You can then look at it on Spectra, Weights, Low rank and the Playground."
)


def open_network(store: Store) -> None:
    """The place to drop a network, and the choice of the data that it knows."""
    if not operating():
        return
    place = st.session_state.setdefault(_PLACE, new_place())
    file = uploaded(place)
    with st.expander("Open a network trained elsewhere", icon=":material/upload_file:", expanded=file is not None):
        if file is None:
            file_upload(place, _WHAT, key=f"upload-{place}", accept=".safetensors,.onnx")
            return
        try:
            _add(store, place, file)
        except AbpError as error:
            st.error(literal(str(error)), icon=":material/error:")
        if st.button("Discard this file", icon=":material/close:"):
            _next_place(place)
            st.rerun()


def _add(store: Store, place: str, file: Path) -> None:
    from abp.runs.uploaded_network import add_network, fitting_datasets, read_network  # needs PyTorch

    work = (str(file), file.stat().st_mtime_ns)
    network = in_background((*work, "network"), lambda: read_network(file), "Reading the network")
    if network is None:
        return
    st.markdown(f"**{literal(file.name)}**: {' – '.join(map(str, network.sizes))}")
    fitting = fitting_datasets(network)
    if not fitting:
        st.info(
            f"No data set here has samples of {network.sizes[0]:,} numbers and {network.sizes[-1]:,} classes. Add the "
            "one that it was trained on, on the Data page. On Spectra the file can be opened without data.",
            icon=":material/database:",
        )
        return
    chosen = st.selectbox(
        "Data it was trained on", fitting, format_func=lambda key: DATASETS[key].title, key=f"data-{place}", width=320
    )
    adding = f"adding-{place}"
    if st.button("Open network", type="primary", icon=":material/add:"):
        require_operator()  # the store is written in the background, where nobody asks
        st.session_state[adding] = True
    if not st.session_state.get(adding):
        return
    run = in_background(
        (*work, "add", chosen), lambda: add_network(store, network, chosen, file.name), "Measuring the network"
    )
    if run is not None:
        _next_place(place)
        st.switch_page("pages/train.py", query_params={"run": str(run)})


def _next_place(place: str) -> None:
    discard(place)
    st.session_state[_PLACE] = new_place()
