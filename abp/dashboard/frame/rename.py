"""The dialog that gives something another name."""

from collections.abc import Callable

import streamlit as st

from abp.dashboard.frame.page import plain_errors


def rename_dialog(what: str, name: str, save: Callable[[str], None]) -> None:
    """Ask for another name of `what`; *Save* and the Enter key save it.

    Parameters
    ----------
    save
        Gets the new name; raises a sentence for people if it cannot be used.
    """

    @st.dialog(f"Rename {what}")
    def ask() -> None:
        with st.form("rename", border=False):
            given = st.text_input("Name", value=name, max_chars=200)
            if st.form_submit_button("Save", type="primary"):
                with plain_errors():
                    save(given)
                    st.rerun()

    ask()
