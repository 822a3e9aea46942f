"""The rows of overrides: set and ended under the registry's lock, never deleted, and read as they are in
force at the moment of reading.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from reconciler.core.address import Address
from reconciler.core.overrides import Live, LiveOverride, readable
from reconciler.store.claims import clock
from reconciler.store.fetching import EARLIEST, LATEST, fetched
from reconciler.store.record import RunContext, announce
from reconciler.store.session import Connection


class _Statement(NamedTuple):
    text: str
    values: Mapping[str, Any]


_IS_LIVE = "kind = 'model' AND starts_at <= statement_timestamp() AND ends_at > statement_timestamp()"
# Of several for one model the newest counts, alone. A hand may have written times that Python has no value
# for, so they are kept within its years.
IN_FORCE = f"""(
    SELECT DISTINCT ON (key) key, id, fields, reason, actor,
           GREATEST(starts_at, '0001-01-02 00:00+00') AS starts_at,
           LEAST(ends_at, '9999-12-30 00:00+00') AS ends_at
    FROM overrides WHERE {_IS_LIVE} ORDER BY key, id DESC)"""

# The SQL of a model's own activity while `o` of these is joined to it.
IS_ACTIVE = (
    "CASE WHEN jsonb_typeof(o.fields -> 'is_active') = 'boolean' THEN (o.fields -> 'is_active')::boolean"
    " ELSE {model}.is_active END"
)
COLUMNS = "o.id, o.key, o.fields, o.reason, o.actor, o.starts_at, o.ends_at"

_PARTS = "id, key, fields, reason, actor, starts_at, ends_at"
_LIVE = f'SELECT {_PARTS} FROM {IN_FORCE} o ORDER BY key COLLATE "C"'
_ALL = f"SELECT {_PARTS} FROM overrides WHERE kind = 'model' ORDER BY key COLLATE \"C\", id DESC"


def read_live(connection: Connection) -> Live:
    """What is in force now, by the database's clock."""
    return Live(clock(connection), read(connection, active_only=True))


def read(connection: Connection, *, active_only: bool) -> tuple[LiveOverride, ...]:
    """Overrides of models by address, the newest of a model first: those in force, one a model; or all that
    there ever were.
    """
    rows = fetched(connection, _Statement(_LIVE if active_only else _ALL, {}))
    return tuple(map(override_of, rows))


def override_of(row: Sequence[Any]) -> LiveOverride:
    """An override in a row: its id, key, fields, reason, actor, start and end."""
    row_id, key, fields, reason, actor, starts_at, ends_at = row
    times = (starts_at or EARLIEST, ends_at or LATEST)
    return LiveOverride(row_id, Address("model", key), readable(fields), reason, actor, *times)


# One that began in the same moment has held for no time, and its row must still have some.
_END = f"""
UPDATE overrides SET ends_at = GREATEST(statement_timestamp(), starts_at + interval '1 microsecond'),
       generation = %(generation)s
WHERE key = ANY(%(keys)s) AND {_IS_LIVE}
RETURNING key
"""
_SET = """
INSERT INTO overrides (kind, key, fields, reason, actor, starts_at, ends_at, generation)
SELECT 'model', x.key, x.fields, %(reason)s, %(actor)s,
       LEAST(statement_timestamp(), %(until)s::timestamptz - interval '1 microsecond'), %(until)s,
       %(generation)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS x (key TEXT, fields JSONB)
ORDER BY x.key COLLATE "C"
"""


def set_overrides(
    connection: Connection,
    fields: Mapping[Address, Mapping[str, Any]],
    *,
    until: datetime,
    reason: str,
    context: RunContext,
    generation: int,
) -> None:
    """Hold these fields of models from now on; what was in force for one of them ends.

    Args:
        connection: A connection inside `lock.writing`.
        fields: What is held of each model; see `LiveOverride.fields`.
        until: When they end.
        reason: Why.
        context: Who asks, for the trail.
        generation: The registry's new generation, which every written row carries.
    """
    _announce(connection, replace(context, reason=reason))
    _end(connection, fields, generation)
    rows = [{"key": address.key, "fields": held} for address, held in fields.items()]
    values = {"reason": reason, "actor": context.actor, "until": until, "generation": generation}
    connection.execute(_SET, {**values, "rows": json.dumps(rows)})


def end_overrides(
    connection: Connection,
    addresses: Collection[Address],
    *,
    reason: str | None,
    context: RunContext,
    generation: int,
) -> frozenset[Address]:
    """End what is in force for these models, inside `lock.writing`; return for which there was anything."""
    _announce(connection, replace(context, reason=reason))
    return _end(connection, addresses, generation)


def _end(connection: Connection, addresses: Collection[Address], generation: int) -> frozenset[Address]:
    keys = [address.key for address in addresses]
    ended = connection.execute(_END, {"keys": keys, "generation": generation})
    return frozenset(Address("model", key) for (key,) in ended)


def _announce(connection: Connection, context: RunContext) -> None:
    announce(connection, None, context)
    connection.execute("SELECT set_config('reconciler.cause', 'code', true)")
