"""PostgreSQL: a server, many writers at a time, on any host."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    and_,
    cast,
    create_engine,
    extract,
    func,
    select,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError

from abp.home import home
from abp.store.database.copying import refuse_unwritable, to_file, unused
from abp.store.database.errors import StoreBusy, StoreFull, StoreUnreachable, StoreUnusable

ALONE = 0x4142504C  # "ABPL": the number of the lock that `alone` and `share` take

_PATIENCE = {
    "lock_timeout": "30s",  # for what another transaction has locked
    "idle_in_transaction_session_timeout": "20s",  # whoever lost its host in one must not keep its locks
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
"""Of the server with us."""

_CONNECTING = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds until a cut line is taken for one
    "application_name": "abp",
    "prepare_threshold": None,  # so that a pooler such as PgBouncer may stand between
}
"""Of us with the server."""

_WAITS = ("40001", "40P01", "55P03")  # serialisation failure, deadlock, lock timeout
_GONE = ("08", "57P01", "57P02", "57P03", "57P05", "53300", "25P03")  # lost, shut down, starting, too many clients
_DENIED = {
    "28": "it does not let this user in",
    "3D000": "there is no database of this name",
    "42501": "this user has not the rights that ABP Lab needs",
    "25006": "it may only be read",
}


@dataclass(frozen=True)
class PostgresqlServer:
    """A database on a server."""

    url: URL

    @property
    def name(self) -> str:
        """Its address, without the password."""
        return self.url.set(password=None).render_as_string()

    @property
    def instead(self) -> str:
        """How to use another one."""
        return "Set ABP_DATABASE to another database, and start again."

    def engine(self) -> Engine:
        """Connections to the server; each is looked at before it is used, since servers restart."""
        try:
            import psycopg  # noqa: F401
        except ImportError:
            raise StoreUnusable(
                f"ABP_DATABASE names {self.name}, but psycopg, which talks to PostgreSQL, is not installed. "
                "Install it (pip install 'abp-lab[postgresql]') and start again."
            ) from None
        given = dict(self.url.query)
        patience = (f"-c {name}={value}" for name, value in _PATIENCE.items())
        options = " ".join([*patience, str(given.get("options", ""))])
        connecting = {name: value for name, value in _CONNECTING.items() if name not in given}
        url = self.url.difference_update_query(["options"])
        return create_engine(url, pool_pre_ping=True, max_overflow=20, connect_args={**connecting, "options": options})

    def begin(self, connection: Connection) -> None:
        """It has begun."""

    def alone(self, connection: Connection) -> None:
        """Wait for others that are alone or share, and let them wait until this transaction ends."""
        connection.execute(select(func.pg_advisory_xact_lock(ALONE)))

    def share(self, connection: Connection) -> None:
        """Wait for others that are alone only."""
        connection.execute(select(func.pg_advisory_xact_lock_shared(ALONE)))

    def settle_down(self, engine: Engine) -> None:
        """There is nothing to do."""

    def keep_copy(self, connection: Connection, version: int) -> Path:
        """Copy all that it holds to a file of SQLite in the home folder."""
        copy = unused(home() / f"{self.url.database}-schema-{version}.sqlite3")
        try:
            to_file(connection, copy)
        except (DatabaseError, OSError) as error:
            what = f"The database {self.name} is of an earlier version and must be copied before it is changed"
            raise refuse_unwritable(copy, error, what) from error
        return copy

    def snapshot(self, path: Path) -> None:
        """Copy all that it holds to a new file of SQLite, as of one moment."""
        engine = self.engine()
        try:
            with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                to_file(connection, path)
        finally:
            engine.dispose()

    def now(self) -> ColumnElement[float]:
        """The server's time of day: as it is now, not as it was when the transaction began."""
        return cast(extract("epoch", func.clock_timestamp()), Float)

    def ticks(self) -> ColumnElement[float]:
        """The same: it is the one clock that all hosts share."""
        return self.now()

    def over(self, lease: Column[float], lasting: float) -> ColumnElement[bool]:
        """Whether a lease is over, counted from the server's last start on if that is later."""
        up = cast(extract("epoch", func.clock_timestamp() - func.pg_postmaster_start_time()), Float)
        return and_(lease < self.ticks(), up > lasting)

    def explain(self, context: ExceptionContext) -> Exception | None:
        """Turn PostgreSQL's errors into ours, which say what to do."""
        if context.is_pre_ping or isinstance(context.sqlalchemy_exception, IntegrityError):
            return None
        error = context.original_exception
        state = str(getattr(error, "sqlstate", None) or "")
        if state in _WAITS:
            return StoreBusy(f"The database {self.name} is busy with what others do. Try again.")
        if state == "53100":
            return StoreFull(
                f"The disk of the database {self.name} is full. Free some space on it and go on: a run that could not "
                "save waits as of its last checkpoint and can be resumed."
            )
        for code, reason in _DENIED.items():
            if state.startswith(code):
                return StoreUnusable(f"The database {self.name} cannot be used: {reason}. {self.instead}")
        if context.is_disconnect or state.startswith(_GONE) or _no_answer(error):
            return self._unreachable(error)
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            return StoreUnusable(
                f"The database {self.name} cannot be used: {_first_line(error)}. Nothing was changed. {self.instead}"
            )
        return None

    def _unreachable(self, error: BaseException | None) -> StoreUnusable:
        text = str(error)
        if "password" in text or "no pg_hba.conf" in text or "authentication" in text:
            return StoreUnusable(f"The database {self.name} cannot be used: {_DENIED['28']}. {self.instead}")
        if "does not exist" in text and "database" in text:
            return StoreUnusable(f"The database {self.name} cannot be used: {_DENIED['3D000']}. {self.instead}")
        return StoreUnreachable(
            f"The database {self.name} cannot be reached: {_first_line(error)}. Runs wait for it for some minutes and "
            "go on when it is back. Start it, or look whether this machine has a connection to it."
        )


def _no_answer(error: BaseException | None) -> bool:
    """Whether this is libpq's failure to connect, which has no code of PostgreSQL."""
    import psycopg

    return isinstance(error, psycopg.OperationalError) and not error.sqlstate


def _first_line(error: BaseException | None) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
