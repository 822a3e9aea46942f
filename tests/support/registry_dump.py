"""What the tables hold, as values that can be compared. It reads them with SQL of its own, so that it cannot
share a mistake with the product's reading.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import sql

from reconciler.core.address import Address, EntityKind
from reconciler.core.state import DesiredState
from reconciler.store.session import Connection

TABLES: dict[EntityKind, str] = {
    "provider": "providers",
    "parameters": "llm_parameters",
    "template": "prompt_templates",
    "model": "provider_model_configs",
}
# Everything that an apply may write to, the trail and its own records included.
ALL_TABLES = (
    *TABLES.values(),
    *("managed_entities", "sources", "source_files", "registry", "reconcile_runs", "audit_events"),
)
# What tells when and where a row was written, not what it says.
_CIRCUMSTANCES = "ARRAY['id', 'created_at', 'updated_at', 'generation', 'last_verified']"
_EMPTY = {"labels": {}, "protected": False}
BUILT_IN = Address("parameters", "default")


class Row(NamedTuple):
    """An entity's row: what its columns say, and whether it is active."""

    spec: dict[str, Any]
    active: bool
    hold: str | None = None


class Dump(NamedTuple):
    """What the registry says, without ids, times and numbers of runs."""

    entities: dict[Address, Row]
    managed: dict[Address, tuple[Any, ...]]
    sources: list[tuple[Any, ...]]
    files: list[tuple[Any, ...]]


class Trail(NamedTuple):
    """What the trail and the list of runs hold: each run's number and outcome, each event's number."""

    runs: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]


def dump(connection: Connection) -> Dump:
    """Everything that an apply brings about, but for the trail."""
    return Dump(
        entities(connection),
        {
            Address(kind, key): tuple(rest)
            for kind, key, *rest in connection.execute(
                "SELECT kind, key, source, spec, active, file, line, forgotten FROM managed_entities"
            )
        },
        connection.execute(
            "SELECT name, origin, overlays, deferred, warnings FROM sources ORDER BY name"
        ).fetchall(),
        connection.execute(
            "SELECT source, path, sha256, defines, gone FROM source_files ORDER BY source, path"
        ).fetchall(),
    )


def entities(connection: Connection) -> dict[Address, Row]:
    """Every row of the four tables but the built-in set; fields that are unset are absent."""
    found = {}
    for kind in TABLES:
        for columns in connection.execute(_query(kind)):
            key, row = columns
            found[Address(kind, key)] = _row(kind, row)
    found.pop(BUILT_IN, None)
    return found


def _query(kind: EntityKind) -> sql.Composed:
    if kind == "model":
        return sql.SQL(
            "SELECT r.provider_name || '/' || r.model_id, to_jsonb(r) - " + _CIRCUMSTANCES + " ||"
            " jsonb_build_object('parameters', s.name, 'prompt_template', t.name)"
            " FROM provider_model_configs r LEFT JOIN llm_parameters s ON s.id = r.parameters_id"
            " LEFT JOIN prompt_templates t ON t.id = r.prompt_template_id"
        ).format()
    return sql.SQL("SELECT r.name, to_jsonb(r) - " + _CIRCUMSTANCES + " FROM {} r").format(
        sql.Identifier(TABLES[kind])
    )


def _row(kind: EntityKind, columns: dict[str, Any]) -> Row:
    names = (
        {"name"} if kind != "model" else {"provider_name", "model_id", "parameters_id", "prompt_template_id"}
    )
    active, hold = columns.pop("is_active"), columns.pop("hold", None)
    spec = {
        name: value
        for name, value in columns.items()
        if name not in names and value is not None and _EMPTY.get(name) != value
    }
    return Row(spec, active, hold)


def active_part(connection: Connection) -> dict[Address, dict[str, Any]]:
    """What is active or on hold, with what it says."""
    return {
        address: row.spec
        for address, row in entities(connection).items()
        if row.active or row.hold is not None
    }


def asked_for(state: DesiredState) -> dict[Address, dict[str, Any]]:
    """The same of a desired state."""
    return {address: dict(one.spec) for address, one in state.entities.items() if one.active}


def ids(connection: Connection) -> dict[Address, int]:
    """The key of every row."""
    found = {}
    for kind, table in TABLES.items():
        key = "provider_name || '/' || model_id" if kind == "model" else "name"
        query = sql.SQL("SELECT " + key + ", id FROM {}").format(sql.Identifier(table))
        found.update({Address(kind, name): number for name, number in connection.execute(query)})
    return found


def versions(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table with its place and version: equal only where nothing was written at all."""
    return {
        table: connection.execute(
            sql.SQL("SELECT ctid::text, xmin::text, to_jsonb(r) FROM {} r ORDER BY ctid").format(
                sql.Identifier("audit_events_default" if table == "audit_events" else table)
            )
        ).fetchall()
        for table in ALL_TABLES
    }


def trail(connection: Connection) -> Trail:
    """The runs and the events so far."""
    return Trail(
        connection.execute(
            "SELECT id, source, succeeded, error IS NOT NULL, summary FROM reconcile_runs ORDER BY id"
        ).fetchall(),
        connection.execute("SELECT id, run, action, address FROM audit_events ORDER BY id").fetchall(),
    )
