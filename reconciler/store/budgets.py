"""How many probes of a day may still generate, counted over all processes: reserved before anything is asked,
and given back where nothing was. What a process had reserved when it was killed stays counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from reconciler.store.session import Connection
from reconciler.store.transactions import transaction

# Yesterday's numbers may still be looked at; older ones are of no use.
_KEPT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was granted of a day's budget.

    Attributes:
        source: Whose budget it is.
        day: The day, in UTC, by the database's clock.
        granted: How many probes may generate.
        used: How many are used on that day, these included.
    """

    source: str
    day: date
    granted: int
    used: int


_TODAY = "(now() AT TIME ZONE 'UTC')::date"
# The row is locked from here to the end of the transaction, whether it was there or not.
_LOCKED = f"""
INSERT INTO verification_budgets AS b (source, day) VALUES (%s, {_TODAY})
ON CONFLICT (source, day) DO UPDATE SET used = b.used RETURNING day, used
"""
_OLD = f"""
DELETE FROM verification_budgets b USING (
    SELECT source, day FROM verification_budgets WHERE day < {_TODAY} - %s::int FOR UPDATE SKIP LOCKED
) old WHERE b.source = old.source AND b.day = old.day
"""


def reserve(connection: Connection, source: str, wanted: int, *, limit: int) -> Reservation:
    """Take up to `wanted` probes out of a source's budget of today, of which `limit` are allowed in all."""
    with transaction(connection, "READ COMMITTED, READ WRITE"):
        row = connection.execute(_LOCKED, [source]).fetchone()
        assert row is not None
        day, used = row
        granted = max(0, min(wanted, limit - used))
        if granted:
            connection.execute(
                "UPDATE verification_budgets SET used = used + %s WHERE source = %s AND day = %s",
                [granted, source, day],
            )
        connection.execute(_OLD, [_KEPT_DAYS])
    return Reservation(source, day, granted, used + granted)


def give_back(connection: Connection, reservation: Reservation, unused: int) -> None:
    """Put back what was reserved and not asked."""
    if unused > 0:
        connection.execute(
            "UPDATE verification_budgets SET used = GREATEST(used - %s, 0) WHERE source = %s AND day = %s",
            [unused, reservation.source, reservation.day],
        )


def used_today(connection: Connection) -> dict[str, int]:
    """How many probes of today's budget each source has used."""
    return dict(
        connection.execute(f"SELECT source, used FROM verification_budgets WHERE day = {_TODAY}").fetchall()
    )


def may_count(connection: Connection) -> bool:
    """Whether this connection may write the count; a user for plans alone may not."""
    row = connection.execute(
        "SELECT current_setting('transaction_read_only') = 'off'"
        " AND bool_and(has_table_privilege('verification_budgets', needed))"
        " FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) needed"
    ).fetchone()
    return bool(row and row[0])
