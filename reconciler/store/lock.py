"""The registry's one row is the lock: every bulk writer of any source takes it first, for one transaction.

A row lock and not an advisory one: it works through transaction-pooling proxies, honours `lock_timeout`, and
is free as soon as its holder's connection is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from psycopg import errors

from reconciler.errors import LockHeldError, SchemaError
from reconciler.store.session import IDLE_LIMIT, Connection
from reconciler.store.transactions import transaction

Done = TypeVar("Done")

# A holder that was stopped in the middle of sending rows is not idle; no honest statement takes this long.
STATEMENT_LIMIT = "10min"

# As long as PostgreSQL can wait, in seconds: it counts milliseconds in 32 bits.
LONGEST_WAIT = 2_000_000.0

# Seconds that a row is waited for which somebody has changed by hand and not committed yet, all told.
ROW_WAIT = 10.0
# And with the registry in our hands: their commit waits for it, so we are the ones to give way, well before
# the server looks for deadlocks and takes one of us.
ROW_LIMIT = "100ms"
# Seconds between two attempts: the first, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class RowHeldError(LockHeldError):
    """Another session holds a row that must be written, with a transaction open."""


@contextmanager
def writing(connection: Connection, *, lock_timeout: float) -> Iterator[int]:
    """One READ COMMITTED transaction that holds the registry; yields its generation.

    Args:
        connection: A connection in autocommit mode, or in a caller's transaction, which then holds the
            registry until it ends.
        lock_timeout: Seconds to wait for another holder; 0 does not wait.

    Raises:
        LockHeldError: Another run held it all that time.
        RowHeldError: Something that was to be written inside is held by another session; see `patiently`.
    """
    with _giving_way(), transaction(connection, "READ COMMITTED, READ WRITE"):
        connection.execute(
            "SELECT set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true)",
            [f"{max(int(min(lock_timeout, LONGEST_WAIT) * 1000), 1)}ms", IDLE_LIMIT],
        )
        yield _take(connection, wait=lock_timeout > 0)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Tell a row of somebody's from the registry itself."""
    try:
        yield
    except errors.LockNotAvailable as error:
        raise RowHeldError(
            "Another session holds a row that must be written.",
            hint="it has a transaction open: SELECT * FROM pg_stat_activity shows it",
        ) from error


def patiently(attempt: Callable[[], Done], *, lock_timeout: float) -> Done:
    """What an attempt returns, which opens `writing` itself: made again while somebody's row is in the way.

    Between attempts the registry is free, so whoever holds the row can commit.

    Args:
        attempt: One whole attempt.
        lock_timeout: Seconds to keep trying, `ROW_WAIT` at most; 0 tries once.

    Raises:
        RowHeldError: The row was held all that time.
    """
    left, pause = min(lock_timeout, ROW_WAIT), _FIRST_PAUSE
    while left > 0:
        try:
            return attempt()
        except RowHeldError:
            time.sleep(min(pause, left))
            left, pause = left - pause, min(pause * 2, _LONGEST_PAUSE)
    return attempt()


def raise_generation(connection: Connection, generation: int) -> None:
    """Give the registry the generation that the rows carry which were written; inside `writing`."""
    connection.execute("UPDATE registry SET generation = %s WHERE id = 1", [generation])


def _take(connection: Connection, *, wait: bool) -> int:
    statement = "SELECT generation FROM registry WHERE id = 1 FOR UPDATE"
    try:
        row = connection.execute(statement if wait else f"{statement} NOWAIT").fetchone()
    except errors.LockNotAvailable as error:
        raise LockHeldError(
            "Another run holds the registry.", hint="wait for it to end, or raise --lock-timeout"
        ) from error
    if row is None:
        raise SchemaError("The registry's one row is missing.", hint="INSERT INTO registry (id) VALUES (1)")
    # Only the registry's lock may be waited for that long; a row that somebody holds by hand is no reason
    # to keep everybody else out.
    connection.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
        [ROW_LIMIT, STATEMENT_LIMIT],
    )
    return int(row[0])
