"""The two ways by which an application's calls reach the database: connections of our own, each call being a
transaction by itself, or the application's own session and transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import psycopg
from psycopg.pq import TransactionStatus

from reconciler.errors import StoreUnavailableError, UsageError
from reconciler.store.session import Connection, translated
from reconciler.store.transactions import is_within

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

# What the rooms above, which know no SQLAlchemy, may call it.
CallersSession: TypeAlias = "Session"


class Door(Protocol):
    """How calls reach the database."""

    def opened(self, *, reading: bool = False) -> AbstractContextManager[Connection]:
        """A connection for one call: in autocommit mode, or in the transaction that the caller has open.

        A call that is `reading` leaves what the caller has loaded alone.
        """

    def beside(self) -> AbstractContextManager[Connection]:
        """A connection in autocommit mode beside the caller's, for what must outlive a rollback of theirs."""

    def apart(self) -> EngineDoor:
        """A door of its own to the same database, for what outlives the caller's session."""


class EngineDoor:
    """Connections of an engine; each call is a transaction of its own, and threads do not meet.

    Doors of one engine are equal.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EngineDoor) and other._engine is self._engine

    def __hash__(self) -> int:
        return id(self._engine)

    def apart(self) -> EngineDoor:
        """This one."""
        return self

    @contextmanager
    def opened(self, *, reading: bool = False) -> Iterator[Connection]:  # noqa: ARG002 nothing is loaded here
        """A connection of the pool, in autocommit mode."""
        with (
            known_errors("No connection could be had", "database-unavailable"),
            self._engine.connect() as pooled,
        ):
            found = _driver(pooled)
            pooled.execution_options(isolation_level="AUTOCOMMIT")
            with _given_up(pooled, found), translated():
                yield found

    def beside(self) -> AbstractContextManager[Connection]:
        """The same: there is nothing of a caller's to be beside of."""
        return self.opened()


# What is called of a session; a `scoped_session` is one too.
_OF_SESSIONS = ("connection", "expire_all", "flush", "get_bind")


class SessionDoor:
    """A caller's session: their transaction, with no commit of ours."""

    def __init__(self, session: Session) -> None:
        if not all(hasattr(session, name) for name in _OF_SESSIONS) or hasattr(session, "sync_session"):
            raise UsageError(
                f"A {type(session).__name__} is no Session of SQLAlchemy's.",
                code="wrong-session",
                hint="give sqlalchemy.orm.Session(engine); AsyncProviderConfigReader takes an AsyncSession",
            )
        self._session = session

    @contextmanager
    def opened(self, *, reading: bool = False) -> Iterator[Connection]:
        """The session's own connection, in its transaction; what it has pending is written first."""
        with known_errors("The session cannot be used", "session-unusable"):
            held = self._session.connection()
            found = _driver(held)
            with _given_up(held, found):
                require_usable(found)
                # Before the savepoint: what of theirs is written stays, whatever becomes of this call.
                self._session.flush()
                with translated(), _part(found):
                    yield found
            if not reading:
                # What the session read before may have changed by this call.
                self._session.expire_all()

    def beside(self) -> AbstractContextManager[Connection]:
        """A connection of the engine that the session is bound to."""
        return self.apart().opened()

    def apart(self) -> EngineDoor:
        """A door of the engine that the session is bound to."""
        with known_errors("The session cannot be used", "session-unusable"):
            return EngineDoor(self._session.get_bind().engine)


def require_usable(found: psycopg.BaseConnection[Any]) -> None:
    """Raise `StoreUnavailableError` where the caller's transaction has failed already."""
    if found.info.transaction_status is TransactionStatus.INERROR:
        raise StoreUnavailableError(
            "The session cannot be used: a statement in its transaction has failed.",
            code="session-unusable",
            hint="roll it back, or begin another one",
        )


@contextmanager
def _part(found: Connection) -> Iterator[None]:
    """A part of the caller's transaction that fails alone, so that they can go on after an error of ours."""
    if not is_within(found):
        yield
        return
    # Without a transaction that is open already, the savepoint would begin one, and commit it.
    found.execute("SELECT")
    with found.transaction():
        yield


@contextmanager
def _given_up(held: sqlalchemy.Connection, found: Connection) -> Iterator[None]:
    """Let a connection go that broke, and those beside it in the pool, which went with the server."""
    try:
        yield
    finally:
        if found.closed:
            held.invalidate()
            held.engine.dispose()


def _driver(connection: sqlalchemy.Connection) -> Connection:
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        raise UsageError(
            "The engine does not use psycopg 3.",
            code="wrong-driver",
            hint="create it with postgresql+psycopg://…",
        )
    return cast("Connection", found)


@contextmanager
def known_errors(what: str, code: str) -> Iterator[None]:
    """Let no exception of SQLAlchemy leave either."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        said = error.orig if isinstance(error, DBAPIError) else None
        if isinstance(said, psycopg.Error):
            # The driver's own error has its own door.
            with translated():
                raise said from error
        raise StoreUnavailableError(
            f"{what}: {' '.join(str(said or error).split())}",
            code=code,
            hint="roll it back, or begin another one" if code == "session-unusable" else None,
        ) from error
