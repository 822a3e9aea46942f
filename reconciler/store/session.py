"""Connections, and the one door for driver errors: no exception of psycopg leaves the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import errors

from reconciler.errors import ConflictError, LockHeldError, StoreUnavailableError, UsageError

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# A holder of the lock that was stopped or cut off lets go after this long, so that others can apply.
IDLE_LIMIT = "60s"

APPLICATION = "reconciler"


class StaleReadError(ConflictError):
    """A row changed between the reading and the writing of an apply; plan again."""


def libpq_url(url: str) -> str:
    """A URL as libpq reads it, whatever dialect suffix it carries.

    >>> libpq_url("postgresql+psycopg://localhost/x")
    'postgresql://localhost/x'
    """
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise UsageError(
            "The database URL is not a PostgreSQL URL.",
            code="bad-database-url",
            hint="write postgresql://USER@HOST/DATABASE, or embedded",
        )
    return f"postgresql://{rest}"


def sqlalchemy_url(url: str) -> str:
    """The same URL for SQLAlchemy.

    >>> sqlalchemy_url("postgresql://localhost/x")
    'postgresql+psycopg://localhost/x'
    """
    return libpq_url(url).replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def translated() -> Iterator[None]:
    """Let no driver exception leave the store.

    Raises:
        LockHeldError: `lock_timeout` ran out.
        StaleReadError: A unique or foreign key shows that a row came or went in between.
        StoreUnavailableError: Anything else that PostgreSQL or the network said.
    """
    try:
        yield
    except errors.LockNotAvailable as error:
        raise LockHeldError(
            "Another run holds the registry's lock.", hint="wait for it, or raise --lock-timeout"
        ) from error
    except (
        errors.UniqueViolation,
        errors.ForeignKeyViolation,
        errors.SerializationFailure,
        errors.DeadlockDetected,
    ) as error:
        raise StaleReadError("A row changed between reading and writing.", hint="run it again") from error
    except psycopg.Error as error:
        raise _unavailable(error) from error


def _unavailable(error: psycopg.Error) -> StoreUnavailableError:
    """What PostgreSQL said, in one line; a refusal by the server told apart from a connection that broke."""
    said = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
        return StoreUnavailableError(
            f"PostgreSQL is out of reach: {said}",
            hint="check RECONCILER_DATABASE_URL and that the server runs",
        )
    return StoreUnavailableError(f"PostgreSQL refused: {said}", code="database-refused")


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """One connection in autocommit mode, fit for a transaction-pooling proxy.

    No start-up options, no prepared statements; everything that is set is set for one transaction.
    """
    with translated():
        connection = psycopg.connect(
            libpq_url(url),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            application_name=APPLICATION,
        )
        with connection:
            yield connection
