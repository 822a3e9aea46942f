"""Transactions of our own, and parts of one that a caller has open: theirs is neither committed nor broken,
and what we set for it is set back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from psycopg.pq import TransactionStatus

from reconciler.store.session import Connection

Isolation = Literal["READ COMMITTED, READ WRITE", "REPEATABLE READ, READ ONLY"]

# What our statements set for a transaction; inside a caller's it would stay until their commit.
_SETTINGS = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "enable_nestloop",
    "work_mem",
    "reconciler.run",
    "reconciler.source",
    "reconciler.actor",
    "reconciler.reason",
    "reconciler.cause",
)
# Temporary tables of ours that go with a transaction of our own.
_TEMPORARY = ("reconciler_planned", "reconciler_files", "reconciler_found")


def is_within(connection: Connection) -> bool:
    """Whether a caller's transaction is open, which is theirs to end."""
    return not connection.autocommit or connection.info.transaction_status is not TransactionStatus.IDLE


@contextmanager
def transaction(connection: Connection, isolation: Isolation) -> Iterator[None]:
    """A transaction of our own; where the caller has one open, a part of it that fails alone.

    A caller's transaction keeps its own isolation, and what was set for ours is set back.
    """
    if not is_within(connection):
        with connection.transaction():
            connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
            yield
        return
    # Without one that is open already, a savepoint would begin and commit a transaction by itself.
    before = connection.execute(
        "SELECT " + ", ".join(f"COALESCE(current_setting('{name}', true), '')" for name in _SETTINGS)
    ).fetchone()
    with connection.transaction():
        yield
        if isolation == "READ COMMITTED, READ WRITE":
            _leave_no_trace(connection, before or ())


def _leave_no_trace(connection: Connection, before: tuple[str, ...]) -> None:
    made = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relname = ANY(%s)",
        [list(_TEMPORARY)],
    ).fetchall()
    for (name,) in made:
        connection.execute(f"DROP TABLE pg_temp.{name}")
    values = dict(zip(_SETTINGS, before, strict=True))
    connection.execute(
        "SELECT " + ", ".join("set_config(%s, %s, true)" for _ in values),
        [part for pair in values.items() for part in pair],
    )
