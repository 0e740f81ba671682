"""The data sets that are kept: a table of them, and one of them in detail."""

import dataclasses

import pandas as pd
import streamlit as st

from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.data.overview import overview
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.data.datasets import DATASETS
from abp.store.repositories.datasets import DatasetRow
from abp.store.store import Store


def kept_data(store: Store) -> None:
    """Everything that is kept."""
    rows = store.datasets.all()
    st.subheader("Data sets", anchor=False)
    built_in = ", ".join(record.title for record in DATASETS.built_in.values())
    if not rows:
        st.info(
            f"There are no data of your own yet. Drop a file above, or train with what is built in: {built_in}.",
            icon=":material/database:",
        )
        return
    st.caption(f"Kept in the dashboard's database. Built in as well: {built_in}.")
    table = data_table(rows)
    st.dataframe(
        table,
        hide_index=True,
        alt="Your own data sets: name, samples, classes, size and when they were added.",
        column_config={
            "Added": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
            "MB": st.column_config.NumberColumn(format="%.1f"),
            "Samples": st.column_config.NumberColumn(format="localized"),
        },
    )
    download_csv("data-sets", lambda: table)
    row = _chosen(rows)
    if row is not None:
        _details(store, row)


def data_table(rows: list[DatasetRow]) -> pd.DataFrame:
    """A row a data set."""
    found = []
    for row in rows:
        shape, columns = row.description["image_shape"], row.description["columns"]
        found.append(
            {
                "Name": row.name,
                "Samples": sum(row.description["samples"].values()),
                "Classes": len(row.description["class_names"]),
                "Each": " × ".join(map(str, shape)) + " pixels" if shape else f"{len(columns)} columns",
                "MB": row.size / 2**20,
                "Private": row.private,
                "Added": pd.Timestamp(row.created, unit="s", tz="UTC"),
                "From": row.description["notes"]["source"],
            }
        )
    return pd.DataFrame(found)


def _chosen(rows: list[DatasetRow]) -> DatasetRow | None:
    """The data set of ``?data=``, by key or name; the newest one until another is chosen."""
    keys = [row.key for row in rows]
    linked = st.query_params.get("data")
    known = next((row.key for row in rows if linked in (row.key, row.name)), None)
    if linked is not None and known is None:
        st.warning(
            f"There is no data set {literal(repr(linked[:60]))} here, or it was deleted. The newest one is shown.",
            icon=":material/search_off:",
        )
    names = {row.key: row.name for row in rows}

    def update_link() -> None:
        st.query_params["data"] = st.session_state["data-shown"]

    st.session_state["data-shown"] = known or keys[0]
    shown = st.selectbox(
        "Look at", keys, format_func=lambda key: names[key], key="data-shown", on_change=update_link, width=280
    )
    return next((row for row in rows if row.key == shown), None)


def _details(store: Store, row: DatasetRow) -> None:
    st.subheader(literal(row.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.page_link(
            "pages/train.py", label="Train with it", icon=":material/play_circle:", query_params={"data": row.key}
        )
        if operating():
            _privacy(store, row)
            _deletion(store, row)
    work = (store.name, "data", row.key)
    own = in_background(work, lambda: store.datasets.content(row.key), "Reading the data set")
    if own is not None:
        overview(dataclasses.replace(own, private=row.private), key="kept")
    st.caption(f"Its exact bytes are named `{row.key}` in the settings of a run.")


def _privacy(store: Store, row: DatasetRow) -> None:
    def change() -> None:
        store.datasets.set_private(row.key, st.session_state[key])

    key = f"private-{row.key}"
    st.session_state[key] = row.private
    st.toggle(
        "Private",
        key=key,
        on_change=change,
        help="Its samples are shown to the operator alone, and no export or report holds them.",
    )


def _deletion(store: Store, row: DatasetRow) -> None:
    with st.popover("Delete", icon=":material/delete:"):
        users = store.datasets.users(row.key)
        if users:
            st.markdown(f"**{literal(row.name)}** is used by {users}. Deleting it deletes these too.")
        else:
            st.markdown(f"No run uses **{literal(row.name)}**. Deleting it cannot be undone.")
        label = "Delete it and all of these" if users else "Delete it"
        if st.button(label, type="primary", key=f"delete-{row.key}"):
            store.datasets.remove(row.key, with_users=True)
            st.query_params.pop("data", None)
            st.rerun()
