"""What the two kinds of database have to say for themselves."""

from pathlib import Path
from typing import Protocol

from sqlalchemy import Column, ColumnElement, Connection, Engine
from sqlalchemy.engine import ExceptionContext


class Kind(Protocol):
    """One place where a database is, or will be.

    Attributes
    ----------
    name
        Tells it from all others, for people and as a key; it holds no password.
    instead
        How to use another one, as the end of a sentence.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def instead(self) -> str: ...  # noqa: D102

    def engine(self) -> Engine:
        """What connects to it."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begin a transaction that writes."""
        ...

    def alone(self, connection: Connection) -> None:
        """Let no other transaction go on, until this one ends, that asks to be alone or `shares`."""
        ...

    def share(self, connection: Connection) -> None:
        """Go on beside others that share, but beside none that asks to be alone."""
        ...

    def settle_down(self, engine: Engine) -> None:
        """Do what can be done only once the database is known to be ours."""
        ...

    def keep_copy(self, connection: Connection, version: int) -> Path:
        """Copy a database of an earlier version, which nobody else writes to now, to where its owner finds it."""
        ...

    def snapshot(self, path: Path) -> None:
        """Copy all that it holds at this moment to a new file of SQLite, while others read and write."""
        ...

    def now(self) -> ColumnElement[float]:
        """The time of day by the database's clock, in seconds since 1970."""
        ...

    def ticks(self) -> ColumnElement[float]:
        """What leases are counted by, in seconds: a clock that all who use the database share."""
        ...

    def over(self, lease: Column[float], lasting: float) -> ColumnElement[bool]:
        """Whether a lease is over, which would have lasted for so many seconds from its last renewal on.

        While the database was away nobody could renew one, so all of them count anew from when it is back.
        """
        ...

    def explain(self, context: ExceptionContext) -> Exception | None:
        """What an error of the driver is in our words; None to leave it as it is."""
        ...
