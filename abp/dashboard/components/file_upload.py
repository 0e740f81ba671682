"""A place to drop a file, which the browser sends straight to disk (`abp.dashboard.channel.uploads`)."""

import streamlit as st

from abp.dashboard.components.scripts import script, style
from abp.data.own.limits import FILE_BYTES

_HTML = """
<div class="drop">
  <p class="what"></p>
  <label class="choose"><input type="file"><span>Choose a file</span></label>
  <progress max="1" value="0" hidden></progress>
  <p class="state" role="status"></p>
</div>
"""
_JS, _CSS = script("file_upload"), style("file_upload")


def file_upload(place: str, what: str, *, key: str, accept: str) -> bool:
    """Show the place to drop a file; True when one has just arrived whole.

    Parameters
    ----------
    place
        Where the file goes: see `abp.dashboard.channel.uploads.new_place`.
    what
        What can be sent, in words.
    accept
        Endings of the files that the browser offers, separated by commas.
    """
    data = {
        "place": place,
        "what": what,
        "accept": accept,
        "most": FILE_BYTES,
        "base": st.get_option("server.baseUrlPath"),
    }
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("file_upload", html=_HTML, css=_CSS, js=_JS)
    return bool(mount(key=key, data=data, on_arrived_change=lambda: None).arrived)
