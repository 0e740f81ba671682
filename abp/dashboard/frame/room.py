"""The room's link: where everybody in the room can watch and play, as text and as a QR code."""

import segno
import streamlit as st

from abp.dashboard.frame.access import needs_key, room_address


def room_link() -> None:
    """Show the link where other devices reach this server; on a machine of its own there is nothing to share."""
    if not needs_key():
        return
    address = room_address()
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.html(f'<div style="background: white; line-height: 0">{qr_code(address)}</div>', width="content")
        with st.container(width="content"):
            st.markdown(f"**Join in:** {address}")
            st.caption("Open this link, or scan the code with a phone, to watch and play.")


def qr_code(address: str) -> str:
    """A QR code as SVG, with the quiet zone that readers need around it.

    >>> qr_code("http://192.0.2.7:8501")[:4]
    '<svg'
    """
    return segno.make(address, micro=False).svg_inline(scale=4, border=4, dark="black", title=f"QR code of {address}")
