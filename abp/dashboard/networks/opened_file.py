"""A part of the spectra page: the weights in a file, against chance. No run, no data and no rights are needed."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from abp.analysis.chance import Chance, matrices_against_chance
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.dashboard.networks.chance import show_chance
from abp.dashboard.networks.spectra import choose_scale
from abp.data.uploads import check_size, most_megabytes
from abp.errors import AbpError

_KEPT = "opened-file"


def opened_file() -> bool:
    """Show the place to open a file, and what is in it; whether one is open.

    It stays open until it is removed, or another run is chosen. It and what was computed of it are in memory only, for
    as long as the session lasts.
    """
    with st.expander("Open a file", icon=":material/upload_file:"):
        file = st.file_uploader(
            f"Weights of a perceptron (.safetensors or .onnx, at most {most_megabytes()} MB)",
            type=["safetensors", "onnx"],
            max_upload_size=most_megabytes(),
            key=f"spectra-file-{st.query_params.get('run')}",
            help="Its layers are compared with chance, as by abp spectra FILE. The file is not stored.",
        )
    if file is None:
        st.session_state.pop(_KEPT, None)
        return False
    try:
        layers = _layers(file)
    except AbpError as error:
        st.error(literal(str(error)), icon=":material/error:")
        return True
    if layers is not None:
        st.markdown(f"**{literal(_name(file))}** is shown instead of a run until you remove it above.")
        show_chance(layers, "in the file", METHODS["none"], log=choose_scale())
    return True


def _layers(file: UploadedFile) -> dict[str, Chance] | None:
    """The layers in a file by name; None, after saying so, while they are compared with chance."""
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != file.file_id:
        contents, name = file.getvalue(), _name(file)
        found = in_background(
            (_KEPT, file.file_id), lambda: _compare(contents, name), "Comparing with chance", keep=False
        )
        if found is None:
            return None
        kept = st.session_state[_KEPT] = (file.file_id, found)
    return dict(kept[1])


def _name(file: UploadedFile) -> str:
    return file.name[-100:]


def _compare(contents: bytes, name: str) -> dict[str, Chance]:
    from abp.analysis.weight_files import matrices_in, require_small  # needs ONNX, whose import takes a while

    check_size(contents, "Use abp spectra FILE, or a smaller network.")
    matrices = matrices_in(contents, name)
    require_small(matrices, name)
    return dict(zip(matrices, matrices_against_chance(matrices.values()), strict=True))
