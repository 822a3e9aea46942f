"""Rows of a statement, for those who wait and for those who do not. What a hand has spoilt costs its own
field, never the answer; a database that is not ours says what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import psycopg
from psycopg import errors
from psycopg.types.datetime import TimestamptzLoader

from reconciler.errors import SchemaError
from reconciler.store.session import Connection

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext

Row: TypeAlias = tuple[Any, ...]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class Asked(Protocol):
    """A statement with its values."""

    @property
    def text(self) -> str:
        """The statement."""

    @property
    def values(self) -> Any:
        """Its values by name."""


class _Forgiving(TimestamptzLoader):
    """Reads a time that Python has no value for, such as `infinity`, as none."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return None


def fetched(connection: Connection, asked: Asked) -> list[Row]:
    """All rows of a statement.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    with known_tables():
        try:
            return connection.execute(asked.text, asked.values).fetchall()
        except psycopg.DataError as error:
            _require_spoilt(error)
        # Once more, for a hand has written a time that Python cannot hold; slower, so not from the start.
        with connection.cursor() as cursor:
            _forgive(cursor)
            return cursor.execute(asked.text, asked.values).fetchall()


async def fetched_meanwhile(connection: AsyncConnection, asked: Asked) -> list[Row]:
    """The same without waiting for the server."""
    with known_tables():
        try:
            cursor = await connection.execute(asked.text, asked.values)
            return await cursor.fetchall()
        except psycopg.DataError as error:
            _require_spoilt(error)
        async with connection.cursor() as again:
            _forgive(again)
            await again.execute(asked.text, asked.values)
            return await again.fetchall()


def _require_spoilt(error: psycopg.DataError) -> None:
    """Raise what the server itself complained of; what only Python cannot read can be read otherwise."""
    if error.sqlstate is not None:
        raise error


def _forgive(cursor: AdaptContext) -> None:
    cursor.adapters.register_loader("timestamptz", _Forgiving)


@contextmanager
def known_tables() -> Iterator[None]:
    """Say what to do where the database lacks what every statement of ours reads."""
    try:
        yield
    except errors.UndefinedTable as error:
        raise SchemaError(
            "This database holds no registry yet.",
            hint="`reconciler apply` or `reconciler db upgrade` sets it up",
        ) from error
    except errors.UndefinedColumn as error:
        raise SchemaError(
            "The database's tables are older than this program.", hint="run: reconciler db upgrade"
        ) from error


def moment(text: Any) -> datetime | None:
    """A time in JSON as PostgreSQL writes it; what lies beyond Python's years is the first or last of them.

    >>> moment("2026-01-02T03:04:05.5+00:00"), moment("infinity") == LATEST, moment(5)
    (datetime.datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=datetime.timezone.utc), True, None)
    """
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return EARLIEST if text.startswith("-") or text.endswith("BC") else LATEST
