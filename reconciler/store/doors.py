"""The two ways by which an application's calls reach the database: connections of our own, each call being a
transaction by itself, or the application's own session and transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import psycopg

from reconciler.errors import StoreUnavailableError, UsageError
from reconciler.store.session import Connection, translated

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session


class Door(Protocol):
    """How calls reach the database."""

    def opened(self) -> AbstractContextManager[Connection]:
        """A connection for one call: in autocommit mode, or in the transaction that the caller has open."""

    def beside(self) -> AbstractContextManager[Connection]:
        """A connection in autocommit mode beside the caller's, for what must outlive a rollback of theirs."""


class EngineDoor:
    """Connections of an engine; each call is a transaction of its own, and threads do not meet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """A connection of the pool, in autocommit mode."""
        with _known(), self._engine.connect() as connection:
            own = connection.execution_options(isolation_level="AUTOCOMMIT")
            with translated():
                yield _driver(own.connection.driver_connection)

    beside = opened


class SessionDoor:
    """A caller's session: their transaction, with no commit of ours."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """The session's own connection, in its transaction; what it has pending is written first."""
        with _known():
            self._session.flush()
            found = _driver(self._session.connection().connection.driver_connection)
            with translated():
                if not found.autocommit:
                    # Whatever comes next is inside a transaction, and none of our savepoints begins one.
                    found.execute("SELECT")
                yield found
            # What the session read before may have changed by this call.
            self._session.expire_all()

    @contextmanager
    def beside(self) -> Iterator[Connection]:
        """A connection of the engine that the session is bound to."""
        with EngineDoor(self._session.get_bind().engine).opened() as connection:
            yield connection


def _driver(found: object) -> Connection:
    if not isinstance(found, psycopg.Connection):
        raise UsageError(
            "The session's engine does not use psycopg 3.",
            code="wrong-driver",
            hint="create it with postgresql+psycopg://…",
        )
    return cast("Connection", found)


@contextmanager
def _known() -> Iterator[None]:
    """Let no exception of SQLAlchemy leave either."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        # The driver's own error has its own door.
        with translated():
            raise (error.orig or error) from error
    except SQLAlchemyError as error:
        raise StoreUnavailableError(
            f"The session cannot be used: {' '.join(str(error).split())}",
            code="session-unusable",
            hint="roll it back, or begin another one",
        ) from error
