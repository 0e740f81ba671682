"""Data sets: their registry, where their files come from, and drawings and photographs made like them."""

from collections.abc import Callable

from abp.errors import AbpError

Progress = Callable[[str, int, int], None] | bool | None
"""Who is told of a download: ``progress(file name, bytes so far, bytes in all)``, a bar on a terminal, or nobody."""


class DataUnavailable(AbpError):
    """A data set cannot be had; the message says why and what to do."""
