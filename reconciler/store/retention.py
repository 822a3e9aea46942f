"""Keeping the table of results from growing for ever: what is older than the operator wants is removed, and
nothing else; what is known of a model now stands in a table of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from reconciler.store.session import Connection, translated

# Small enough that each transaction is over in a moment, and all of them in a few seconds: the rest is left
# for the next time.
ROWS_AT_ONCE = 10_000
MOST_ROWS = 200_000

# Results are removed about once a day: not before the oldest has been too old for that long.
SLACK = timedelta(days=1)

# Any number that nobody else uses: of two that remove at once, one leaves it to the other.
_TURN = 7_203_541_210


def trim(
    connection: Connection,
    keep: timedelta,
    *,
    now: datetime,
    rows_at_once: int = ROWS_AT_ONCE,
    most_rows: int = MOST_ROWS,
) -> int:
    """Remove results older than `keep`, oldest first, and say how many.

    Nothing is removed before the oldest is a day too old, so a call is nearly free on most days. Rows go in
    short transactions of their own, through the key that begins with their time; a partition is emptied
    but not dropped, for only its owner may do that and everybody would have to wait for it.

    Args:
        connection: A connection in autocommit mode.
        keep: How long a result is kept.
        now: The present.
        rows_at_once: The most that one transaction removes.
        most_rows: The most that one call removes.

    Raises:
        StoreUnavailableError: PostgreSQL did not answer, or refused.
        LockHeldError: Somebody holds the table.
    """
    removed = 0
    with translated():
        before = _older_than(now, keep)
        if before is None or not _is_overdue(connection, before):
            return 0
        after = _BEGINNING
        while removed < most_rows:
            wanted = min(rows_at_once, most_rows - removed)
            count, after = _remove(connection, before, after, wanted)
            removed += count
            if count < wanted:
                break
    return removed


def _older_than(now: datetime, keep: timedelta) -> datetime | None:
    """The moment before which results are removed; `None` where it lies before all dates."""
    try:
        return now - keep
    except OverflowError:
        return None


def _is_overdue(connection: Connection, before: datetime) -> bool:
    row = connection.execute("SELECT min(at) + %s < %s FROM verification_results", [SLACK, before]).fetchone()
    return row is not None and row[0] is True


def _remove(connection: Connection, before: datetime, after: _Place, count: int) -> tuple[int, _Place]:
    """Remove the next `count` rows in one transaction; how many there were, and where they ended."""
    with connection.transaction():
        # Nobody is made to wait for long, and nobody is waited for.
        connection.execute(
            "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '30s', true)"
        )
        turn = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_TURN]).fetchone()
        if turn is None or not turn[0]:
            return 0, after
        values = {"before": before, "at": after[0], "id": after[1], "offset": count - 1}
        last = connection.execute(_LAST, values).fetchone()
        if last is None:
            return connection.execute(_REST, values).rowcount, after
        until = {"until_at": last[0], "until_id": last[1]}
        return connection.execute(_UNTIL, {**values, **until}).rowcount, (last[0], last[1])


_Place: TypeAlias = tuple[datetime | str, int]
_BEGINNING: _Place = ("-infinity", -1)

# From where the rows before them ended: what was removed a moment ago is not walked over again.
_NEXT = "at < %(before)s AND (at, id) > (%(at)s::timestamptz, %(id)s::bigint)"
_LAST = f"SELECT at, id FROM verification_results WHERE {_NEXT} ORDER BY at, id OFFSET %(offset)s LIMIT 1"
_REST = f"DELETE FROM verification_results WHERE {_NEXT}"
_UNTIL = f"{_REST} AND (at, id) <= (%(until_at)s::timestamptz, %(until_id)s::bigint)"
