"""Connections, and the one door for driver errors: no exception of psycopg leaves the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import conninfo, errors

from reconciler.errors import ConflictError, LockHeldError, StoreUnavailableError, UsageError

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# A holder of the lock that was stopped or cut off lets go after this long, so that others can apply.
IDLE_LIMIT = "60s"

APPLICATION = "reconciler"

# What every connection of ours is opened with; none of it is a start-up option.
OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A host that vanished while an answer was due; keepalives notice it only while nothing is.
    "tcp_user_timeout": 25_000,
    "application_name": APPLICATION,
}

# What of ours is violated where a row came or went between the reading and the writing.
RACED = frozenset(
    {
        "providers_name_key",
        "llm_parameters_name_key",
        "prompt_templates_name_key",
        "provider_model_configs_provider_name_model_id_key",
        "provider_model_configs_parameters_id_fkey",
        "provider_model_configs_prompt_template_id_fkey",
    }
)


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


def checked_url(url: str) -> str:
    """The URL for libpq, if libpq reads it as it was meant: its own complaints would quote the password.

    A password with an `@` or a `/` that is not encoded moves a part of itself into the host, port or name.
    """
    url = libpq_url(url)
    if not _is_plain(url):
        raise UsageError(
            "The database URL cannot be read.",
            code="bad-database-url",
            hint="in its user and password write @ as %40, / as %2F, % as %25 and a space as %20",
        )
    return url


def _is_plain(url: str) -> bool:
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return False
    hosts, ports, name = (str(parts.get(part, "")) for part in ("host", "port", "dbname"))
    # Several hosts are separated by commas; one that begins with @ is an abstract socket.
    is_odd = "@" in name or any("@" in host[1:] for host in hosts.split(","))
    return not is_odd and all(port.isdigit() for port in ports.split(",") if port)


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
        # The registry's own lock is told apart in `lock`; here it is a row that somebody has changed by hand.
        raise LockHeldError(
            "Another session holds a row that must be written.",
            hint="it has a transaction open: SELECT * FROM pg_stat_activity shows it",
        ) from error
    except psycopg.Error as error:
        if _is_race(error):
            raise StaleReadError("A row changed between reading and writing.", hint="run it again") from error
        raise _unavailable(error) from error


def _is_race(error: psycopg.Error) -> bool:
    """Whether the next attempt may fare better; a constraint of somebody else's refuses for good."""
    if isinstance(error, (errors.UniqueViolation, errors.ForeignKeyViolation)):
        return error.diag.constraint_name in RACED
    return isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected))


def _unavailable(error: psycopg.Error) -> StoreUnavailableError:
    """What PostgreSQL said, in one line; a refusal by the server told apart from a connection that broke."""
    said = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    if error.sqlstate is None or error.sqlstate.startswith(("08", "57P", "25P03", "25P04")):
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
        connection = psycopg.connect(checked_url(url), **OPTIONS)
        with connection:
            yield connection
