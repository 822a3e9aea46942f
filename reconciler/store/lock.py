"""The registry's one row is the lock: every bulk writer of any source takes it first, for one transaction.

A row lock and not an advisory one: it works through transaction-pooling proxies, honours `lock_timeout`, and
is free as soon as its holder's connection is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import errors

from reconciler.errors import LockHeldError, SchemaError
from reconciler.store.session import IDLE_LIMIT, Connection
from reconciler.store.transactions import transaction

# A holder that was stopped in the middle of sending rows is not idle; no honest statement takes this long.
STATEMENT_LIMIT = "10min"

# As long as PostgreSQL can wait, in seconds: it counts milliseconds in 32 bits.
LONGEST_WAIT = 2_000_000.0


@contextmanager
def writing(connection: Connection, *, lock_timeout: float) -> Iterator[int]:
    """One READ COMMITTED transaction that holds the registry; yields its generation.

    Args:
        connection: A connection in autocommit mode, or in a caller's transaction, which then holds the
            registry until it ends.
        lock_timeout: Seconds to wait for another holder; 0 does not wait.

    Raises:
        LockHeldError: Another run held it all that time.
    """
    with transaction(connection, "READ COMMITTED, READ WRITE"):
        connection.execute(
            "SELECT set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true)",
            [f"{max(int(min(lock_timeout, LONGEST_WAIT) * 1000), 1)}ms", IDLE_LIMIT],
        )
        yield _take(connection, wait=lock_timeout > 0)


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
        "SELECT set_config('lock_timeout', '10s', true), set_config('statement_timeout', %s, true)",
        [STATEMENT_LIMIT],
    )
    return int(row[0])
