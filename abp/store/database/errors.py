"""What can be wrong with the database; every message names it and the way out."""

from abp.errors import AbpError


class StoreUnusable(AbpError):
    """The database cannot be used; the message names it and the way out."""


class StorePassing(StoreUnusable):
    """What may be over in a moment, so that the same is worth another try; nothing of the transaction happened.

    Attributes
    ----------
    uncertain
        The connection was lost while the transaction was being committed, so that it may have happened after all.
    """

    uncertain = False


class StoreFull(StorePassing):
    """The disk has no room for the database to grow."""


class StoreBusy(StorePassing):
    """Somebody else kept the database, or a row of it, locked for too long."""


class StoreUnreachable(StorePassing):
    """The server of the database does not answer."""
