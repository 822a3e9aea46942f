"""Reading the registry: the whole state in one statement, and what is remembered of a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.core.address import Address, parse_address
from reconciler.core.state import Applied, Identity, Observed, RegistryState, SourceFile, SourceRecord
from reconciler.store.columns import entities_sql
from reconciler.store.session import Connection
from reconciler.store.transactions import transaction

# A spec that equals the applied one is sent once: the comparison is the server's, on the real columns.
_STATE = f"""
WITH entities AS ({entities_sql()})
SELECT kind, key, e.id, e.seen, e.is_active OR e.hold IS NOT NULL, e.hold, NULLIF(e.spec, m.spec),
       m.source, m.spec, m.active, m.file, m.line, m.retired
FROM entities e
FULL JOIN (SELECT * FROM managed_entities WHERE NOT forgotten) m USING (kind, key)
"""

EMPTY = RegistryState(observed={}, applied={}, record=SourceRecord(), generation=0)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """One view of the database for several statements, without a lock and without writing."""
    with transaction(connection, "REPEATABLE READ, READ ONLY"):
        yield


def read_state(connection: Connection, source: str) -> RegistryState:
    """What the database holds: all rows of all owners, and what `source` applied last."""
    observed: dict[Address, Observed] = {}
    applied: dict[Address, Applied] = {}
    elsewhere: dict[Address, str] = {}
    # A cursor of one statement: its rows are one moment, whatever else happens.
    for row in connection.execute(_STATE):
        kind, key, row_id, seen, active, hold, spec, owner, last, *applied_parts = row
        address = Address(kind, key)
        if row_id is not None:
            observed[address] = Observed(last if spec is None else spec, active, hold, row_id, seen, owner)
        if owner == source:
            applied[address] = Applied(last, *applied_parts)
        elif row_id is None:
            elsewhere[address] = owner
    record = _record(connection, source)
    return RegistryState(observed, applied, record, read_generation(connection), elsewhere)


def read_generation(connection: Connection) -> int:
    """The registry's generation, raised by every apply that writes."""
    row = connection.execute("SELECT generation FROM registry").fetchone()
    return row[0] if row else 0


def _record(connection: Connection, source: str) -> SourceRecord:
    found = connection.execute("SELECT origin, overlays FROM sources WHERE name = %s", [source]).fetchone()
    if found is None:
        return SourceRecord()
    files = connection.execute(
        "SELECT path, sha256, defines FROM source_files WHERE source = %s AND NOT gone", [source]
    )
    return SourceRecord(
        Identity(found[0], tuple(found[1])),
        {path: SourceFile(sha256, _addresses(defines)) for path, sha256, defines in files},
    )


def _addresses(defines: list[Any]) -> tuple[Address, ...]:
    return tuple(parse_address(text) for text in defines)
