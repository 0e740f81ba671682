"""A new data set: a file is sent, looked at, prepared as its owner wishes, and only then kept."""

import dataclasses
import re
from pathlib import Path

import streamlit as st

from abp.dashboard.channel.uploads import discard, new_place, uploaded
from abp.dashboard.charts.images import picture_png
from abp.dashboard.charts.widgets import picture
from abp.dashboard.components.file_upload import file_upload
from abp.dashboard.data.overview import overview
from abp.dashboard.frame.access import offers_controls, require_operator
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.data.datasets import DATASETS
from abp.data.own.content import OwnData
from abp.data.own.limits import RULES, BadData
from abp.data.own.pictures import SIZES
from abp.data.own.preparation import checked_name
from abp.data.own.reading import Glance, glance, is_dark_ink, read_own
from abp.data.own.samples import Options
from abp.store.store import Store

_PLACE = "upload-place"
_ENDINGS = ".zip,.csv,.tsv,.txt,.npz,.parquet,.pq"
_WHAT = (
    "Drop a file here: a zip of pictures with one folder a class, a table (CSV or Parquet) with one labelled row a "
    "sample, arrays (.npz) or a zip of IDX files."
)
_COLUMNS = {"what they look like": None, "numbers and words": False, "pixels of a square picture": True}


def new_data(store: Store) -> None:
    """The place to drop a file, and what is to become of the one that was dropped."""
    st.caption(f"Nothing leaves this computer: files are read and kept where the dashboard runs. Limits: {RULES}.")
    if not offers_controls():
        return
    place = st.session_state.setdefault(_PLACE, new_place())
    file = uploaded(place)
    if file is None:
        file_upload(place, _WHAT, key=f"upload-{place}", accept=_ENDINGS)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(file.name), anchor=False)
        if st.button("Discard this file", icon=":material/close:"):
            _next_place(place)
            st.rerun()
    try:
        _prepare(store, place, file)
    except BadData as error:
        st.error(literal(str(error)), icon=":material/error:")


def _prepare(store: Store, place: str, file: Path) -> None:
    """Ask how the file is meant, show what comes of it, and keep it if that is wanted."""
    work = (str(file), file.stat().st_mtime_ns)
    seen = in_background((*work, "first"), lambda: glance(file, Options()), "Looking into the file")
    if seen is None:
        return
    name, options = _options(file, seen)
    if seen.kind == "pictures":
        wanted = (options.size, options.colour, options.invert)
        shown = in_background((*work, "glance", wanted), lambda: glance(file, options), "Reading the first pictures")
        if shown is not None:
            _preview(shown)
    elif seen.rows is not None:
        st.caption("The first rows of the table, as they are in the file.")
        st.dataframe(seen.rows.head(5), hide_index=True, alt="The first rows of the table.")
        if not options.label:
            st.info("Choose the column that holds the class.", icon=":material/label:")
            return
    own = in_background((*work, options), lambda: read_own("data", file, options), "Reading and checking all samples")
    if own is None:
        return
    overview(own, key="new")
    _add(store, place, name, own)


def _options(file: Path, seen: Glance) -> tuple[str, Options]:
    """The name and how the file is meant."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.text_input("Name", _suggested(file), max_chars=40, width=220, help="Small letters, digits, hyphens.")
        chosen = {"pictures": _picture_options, "table": _table_options}.get(seen.kind, lambda _: {})(seen)
        seed = st.number_input(
            "Seed of the parts",
            0,
            value=0,
            width=150,
            help="Where the file does not say which samples are for testing (20 %) and validation (10 % of the rest), "
            "they are drawn once, evenly by class.",
        )
        private = st.toggle(
            "Private", help="Its samples are shown to the operator alone, and no export or report holds them."
        )
    return name.strip(), Options(**chosen, seed=int(seed), private=private)


def _picture_options(seen: Glance) -> dict:
    size = st.selectbox("Rows and columns", SIZES, index=SIZES.index(28), width=150)
    colour = st.toggle("Keep colours", help="A picture with colours has three numbers a pixel.")
    dark = is_dark_ink(seen) and not colour
    help_ = "Dark becomes bright: for dark ink on light paper, which networks learn better as bright ink."
    invert = st.toggle("Invert", value=dark, help=help_)
    return {"size": size, "colour": colour, "invert": invert}


def _table_options(seen: Glance) -> dict:
    assert seen.rows is not None
    columns = list(seen.rows.columns)
    place = columns.index(seen.label) if seen.label else None
    label = st.selectbox("Column with the class", columns, index=place, placeholder="Choose one", width=220)
    left_out = st.multiselect("Leave out", [name for name in columns if name != label], width=300)
    meant = st.selectbox("The other columns are", list(_COLUMNS), width=220)
    return {"label": label or "", "leave_out": tuple(left_out), "pixels": _COLUMNS[meant]}


def _suggested(file: Path) -> str:
    """A name made from a file's.

    >>> _suggested(Path("My shapes (1).zip"))
    'my-shapes-1'
    """
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower())[:40].strip("-") or "my-data"


def _preview(seen: Glance) -> None:
    """The first pictures as a network would see them."""
    st.caption(f"The first pictures of {len(seen.counts):,} classes, as the network will see them.")
    if seen.examples:
        picture(
            [picture_png(pixels / 255) for _, pixels in seen.examples],
            caption=[label for label, _ in seen.examples],
            width=84,
            alt=[f"A picture of the class {label}" for label, _ in seen.examples],
        )


def _add(store: Store, place: str, name: str, own: OwnData) -> None:
    """The button that keeps a data set, and what keeps it."""
    problem = _problem_with(store, name)
    if problem:
        st.error(literal(problem), icon=":material/error:")
    adding = f"adding-{place}"
    if st.button("Add data set", type="primary", icon=":material/add:", disabled=bool(problem)):
        require_operator()  # the store is written in the background, where nobody asks
        st.session_state[adding] = True
    if not st.session_state.get(adding) or problem:
        return
    named = dataclasses.replace(own, name=name)
    key = in_background((place, "add", name, own.hash), lambda: store.datasets.add(named), "Adding the data set")
    if key is not None:
        _next_place(place)
        st.query_params["data"] = key
        st.rerun()


def _problem_with(store: Store, name: str) -> str:
    try:
        checked_name(name)
    except BadData as error:
        return str(error)
    if name in DATASETS.built_in or any(row.name == name for row in store.datasets.all()):
        return f"There is a data set named {name!r} already. Choose another name."
    return ""


def _next_place(place: str) -> None:
    discard(place)
    st.session_state[_PLACE] = new_place()
