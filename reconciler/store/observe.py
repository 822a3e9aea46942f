"""Reading the registry: the whole state in one statement, and what is remembered of a source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reconciler.core.address import LEVELS, Address, parse_address
from reconciler.core.state import Applied, Identity, Observed, RegistryState, SourceFile, SourceRecord
from reconciler.store.columns import entities_sql
from reconciler.store.session import Connection
from reconciler.store.transactions import transaction

# A spec that equals the applied one is sent once: the comparison is the server's, on the real columns.
_JOINED = """
WITH entities AS ({entities})
SELECT kind, key, e.id, e.seen, e.is_active OR e.hold IS NOT NULL, e.hold, NULLIF(e.spec, m.spec),
       m.source, m.spec, m.active, m.file, m.line, m.retired
FROM entities e
FULL JOIN (SELECT * FROM managed_entities WHERE NOT forgotten{only}) m USING (kind, key)
"""
_STATE = _JOINED.format(entities=entities_sql(), only="")
# Some of it: the names of each kind, as one JSON text each.
_PART = _JOINED.format(
    entities=entities_sql(some=True),
    only=" AND (kind, key) IN (SELECT kind, jsonb_array_elements_text(keys)"
    " FROM jsonb_each(%(names)s::jsonb) AS n(kind, keys))",
)

EMPTY = RegistryState(observed={}, applied={}, record=SourceRecord(), generation=0)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """One view of the database for several statements, without a lock and without writing."""
    with transaction(connection, "REPEATABLE READ, READ ONLY"):
        yield


def read_state(connection: Connection, source: str) -> RegistryState:
    """What the database holds: all rows of all owners, and what `source` applied last."""
    return _state(connection, source, _STATE, {}, _record(connection, source))


def read_part(connection: Connection, source: str, addresses: Iterable[Address]) -> RegistryState:
    """The same of some entities alone; of the source's record only where it comes from."""
    names: dict[str, list[str]] = {kind: [] for kind in LEVELS}
    for kind, key in addresses:
        names[kind].append(key)
    identity = SourceRecord(_identity(connection, source))
    return _state(connection, source, _PART, {"names": json.dumps(names)}, identity)


def _state(
    connection: Connection, source: str, statement: str, values: Mapping[str, Any], record: SourceRecord
) -> RegistryState:
    observed: dict[Address, Observed] = {}
    applied: dict[Address, Applied] = {}
    elsewhere: dict[Address, str] = {}
    # A cursor of one statement: its rows are one moment, whatever else happens.
    for row in connection.execute(statement, values):
        kind, key, row_id, seen, active, hold, spec, owner, last, *applied_parts = row
        address = Address(kind, key)
        if row_id is not None:
            observed[address] = Observed(last if spec is None else spec, active, hold, row_id, seen, owner)
        if owner == source:
            applied[address] = Applied(last, *applied_parts)
        elif row_id is None:
            elsewhere[address] = owner
    return RegistryState(observed, applied, record, read_generation(connection), elsewhere)


def read_generation(connection: Connection) -> int:
    """The registry's generation, raised by every apply that writes."""
    row = connection.execute("SELECT generation FROM registry").fetchone()
    return row[0] if row else 0


def _identity(connection: Connection, source: str) -> Identity | None:
    found = connection.execute("SELECT origin, overlays FROM sources WHERE name = %s", [source]).fetchone()
    return None if found is None else Identity(found[0], tuple(found[1]))


def _record(connection: Connection, source: str) -> SourceRecord:
    identity = _identity(connection, source)
    if identity is None:
        return SourceRecord()
    files = connection.execute(
        "SELECT path, sha256, defines, refers_to FROM source_files WHERE source = %s AND NOT gone", [source]
    )
    return SourceRecord(
        identity,
        {
            path: SourceFile(sha256, _addresses(defines), tuple(refers_to))
            for path, sha256, defines, refers_to in files
        },
    )


def _addresses(defines: list[Any]) -> tuple[Address, ...]:
    return tuple(parse_address(text) for text in defines)
