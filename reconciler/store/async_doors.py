"""The same two ways to the database for calls that do not wait: they read, and nothing else. A door fetches
the rows itself, so that what is done about a connection that broke is done in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import psycopg
from psycopg.pq import TransactionStatus

from reconciler.errors import UsageError
from reconciler.store.doors import known_errors, require_usable
from reconciler.store.engines import remember
from reconciler.store.fetching import Asked, AsyncConnection, Row, fetched_meanwhile
from reconciler.store.session import OPTIONS, checked_url, translated

if TYPE_CHECKING:
    from sqlalchemy.ext import asyncio as sqlalchemy
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

# What the rooms above, which know no SQLAlchemy, may call it.
CallersAsyncSession: TypeAlias = "AsyncSession"


class AsyncDoor(Protocol):
    """How reads reach the database without waiting for it."""

    async def fetched(self, asked: Asked) -> list[Row]:
        """All rows of a statement."""


class AsyncSessionDoor:
    """A caller's session: their transaction, with no commit of ours."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def fetched(self, asked: Asked) -> list[Row]:
        """All rows of a statement in the session's transaction; what it has pending is written first."""
        with known_errors("The session cannot be used", "session-unusable"):
            found = await _driver(await self._session.connection())
            require_usable(found)
            await self._session.flush()
            with translated():
                return await _fetched_apart(found, asked)


async def _fetched_apart(connection: AsyncConnection, asked: Asked) -> list[Row]:
    """A part of the caller's transaction that fails alone, so that they can go on after an error of ours."""
    if connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
        return await fetched_meanwhile(connection, asked)
    # Without a transaction that is open already, the savepoint would begin one, and commit it.
    await connection.execute("SELECT")
    async with connection.transaction():
        return await fetched_meanwhile(connection, asked)


class AsyncEngineDoor:
    """Connections of an engine, for any number of tasks at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fetched(self, asked: Asked) -> list[Row]:
        """All rows of a statement."""
        with known_errors("No connection could be had", "database-unavailable"), translated():
            try:
                return await self._once(asked)
            except _BrokenError:
                # It had waited in the pool while the server was started anew, and so have those beside it.
                await self._engine.dispose()
                return await self._once(asked)

    async def _once(self, asked: Asked) -> list[Row]:
        async with self._engine.connect() as pooled:
            found = await _driver(pooled)
            try:
                return await fetched_meanwhile(found, asked)
            except psycopg.OperationalError as error:
                if not found.closed:
                    raise
                await pooled.invalidate()
                raise _BrokenError(*error.args) from error


class _BrokenError(psycopg.OperationalError):
    """A connection that broke, and was let go."""


async def _driver(connection: sqlalchemy.AsyncConnection) -> AsyncConnection:
    found = (await connection.get_raw_connection()).driver_connection
    if not isinstance(found, psycopg.AsyncConnection):
        raise UsageError(
            "The engine does not use psycopg 3.",
            code="wrong-driver",
            hint="create it with create_async_engine('postgresql+psycopg://…')",
        )
    return cast("AsyncConnection", found)


@asynccontextmanager
async def async_engine(url: str, *, connections: int, patience: float) -> AsyncIterator[AsyncEngine]:
    """An engine of our own, with up to so many connections; they are closed at the end.

    Args:
        url: The database.
        connections: How many there are at most.
        patience: Seconds to wait for one of them.

    Raises:
        UsageError: The URL is none of PostgreSQL's, or cannot be read.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    plain = checked_url(url)

    async def connected() -> AsyncConnection:
        return await psycopg.AsyncConnection.connect(plain, **OPTIONS)

    engine = create_async_engine(
        "postgresql+psycopg_async://",
        async_creator=connected,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=patience,
        # Else every new connection asks what number this type has here.
        use_native_hstore=False,
    )
    remember(engine.sync_engine)
    try:
        yield engine
    finally:
        await engine.dispose()
