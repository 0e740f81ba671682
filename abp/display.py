"""Display: what notebooks show of the package's objects.

The charts are the dashboard's, which stands far above the objects; so they are looked up by name when a notebook asks.
"""

from importlib import import_module
from typing import Any


class Displayed:
    """What has a chart of its own in a notebook."""

    def chart(self) -> Any:
        """The dashboard's own chart of it, made by Altair.

        Raises
        ------
        LookupError
            If nothing was recorded yet that it could show.
        """
        return import_module("abp.notebook").chart(self)

    def _repr_html_(self) -> str:
        return import_module("abp.notebook").html(self)
