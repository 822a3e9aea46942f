"""What was asked of models, as sums an hour: added up by any number of programs at once, and read again. No
call is stored by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg

from reconciler.core.collector import paused
from reconciler.store.session import Connection


class UsageRow(NamedTuple):
    """What was asked of one model in one hour, and ended in one way.

    Attributes:
        hour: When the hour began, in UTC.
        provider_name: The provider.
        model_id: The model, as its provider spells it.
        outcome: How the calls ended: `ok`, or what was wrong.
        calls: How many there were.
        input_tokens: What their requests cost, as far as the provider said so.
        output_tokens: What their answers cost, as far as the provider said so.
        latency_ms: How long they took together, in milliseconds.
        longest_ms: How long the longest took.
    """

    hour: datetime
    provider_name: str
    model_id: str
    outcome: str
    calls: int
    input_tokens: int
    output_tokens: int
    latency_ms: int
    longest_ms: int


_ADD = """
INSERT INTO model_usage AS u
    (hour, provider_name, model_id, outcome, calls, input_tokens, output_tokens, latency_ms, longest_ms)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[],
                     %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])
ON CONFLICT (hour, provider_name, model_id, outcome) DO UPDATE SET
    calls = u.calls + EXCLUDED.calls,
    input_tokens = u.input_tokens + EXCLUDED.input_tokens,
    output_tokens = u.output_tokens + EXCLUDED.output_tokens,
    latency_ms = u.latency_ms + EXCLUDED.latency_ms,
    longest_ms = GREATEST(u.longest_ms, EXCLUDED.longest_ms)
"""
_READ = """
SELECT hour, provider_name, model_id, outcome, calls, input_tokens, output_tokens, latency_ms, longest_ms
FROM model_usage
WHERE (%(provider)s::text IS NULL OR provider_name = %(provider)s)
  AND (%(model_id)s::text IS NULL OR model_id = %(model_id)s)
  AND (%(since)s::timestamptz IS NULL OR hour > %(since)s)
  AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
ORDER BY hour, provider_name COLLATE "C", model_id COLLATE "C", outcome COLLATE "C"
"""


# What PostgreSQL will not take at another time either.
_NEVER_TAKEN = (psycopg.DataError, psycopg.IntegrityError, UnicodeError)


def add(connection: Connection, rows: Sequence[UsageRow]) -> tuple[UsageRow, ...]:
    """Add to the sums that are stored; no two rows are of the same hour, model and outcome.

    Args:
        connection: A connection in autocommit mode.
        rows: What to add.

    Returns:
        The rows that PostgreSQL will never take; all others are stored.

    Raises:
        StoreUnavailableError: PostgreSQL did not answer, or this user may not write.
    """
    # In one order, so that two programs wait for each other and never in a circle.
    ordered = sorted(rows)
    try:
        _add(connection, ordered)
    except _NEVER_TAKEN:
        return tuple(row for row in ordered if not _takes(connection, row))
    return ()


def _takes(connection: Connection, row: UsageRow) -> bool:
    try:
        _add(connection, [row])
    except _NEVER_TAKEN:
        return False
    return True


def _add(connection: Connection, rows: Sequence[UsageRow]) -> None:
    connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def read(
    connection: Connection,
    *,
    provider: str | None = None,
    model_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[UsageRow, ...]:
    """What was asked, by hour, provider, model and outcome.

    Args:
        connection: A connection.
        provider: Only of this provider.
        model_id: Only of models of this id.
        since: Only hours that began later.
        until: Only hours that began earlier.
    """
    named = {"provider": provider, "model_id": model_id, "since": since, "until": until}
    with paused():
        return tuple(map(UsageRow._make, connection.execute(_READ, named).fetchall()))
