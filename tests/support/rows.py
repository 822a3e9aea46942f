"""Rows made by hand, as a person at psql would make them: whatever else writes the registry is not asked."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb


def insert(connection: psycopg.Connection, table: str, *, key: str = "id", **values: Any) -> int:
    """Insert one row and return its key; mappings and lists become JSON."""
    asked = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
        sql.Identifier(key),
    )
    row = connection.execute(asked, {name: _adapted(value) for name, value in values.items()}).fetchone()
    assert row is not None
    return row[0]


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, (dict, list)) else value


def insert_model(connection: psycopg.Connection, key: str, **values: Any) -> int:
    """Insert the model `provider/model_id`, by default with the built-in parameter set."""
    provider, _, model_id = key.partition("/")
    if "parameters_id" not in values:
        values["parameters_id"] = row_id(connection, "llm_parameters", "default")
    return insert(connection, "provider_model_configs", provider_name=provider, model_id=model_id, **values)


def row_id(connection: psycopg.Connection, table: str, name: str) -> int:
    """The key of a provider, parameter set or template."""
    asked = sql.SQL("SELECT id FROM {} WHERE name = %s").format(sql.Identifier(table))
    row = connection.execute(asked, [name]).fetchone()
    assert row is not None
    return row[0]


def insert_override(connection: psycopg.Connection, address: str, fields: Any, **values: Any) -> int:
    """Insert an override of the model `provider/model_id` for a long time, by default from now on."""
    given = {"kind": "model", "reason": "a fire", "ends_at": "2040-01-01", "generation": 0, **values}
    row = connection.execute(
        "INSERT INTO overrides (kind, key, fields, reason, actor, starts_at, ends_at, generation)"
        " VALUES (%s, %s, %s, %s, %s, COALESCE(%s::timestamptz, now()), %s, %s) RETURNING id",
        [
            given["kind"],
            address,
            Jsonb(fields),
            given["reason"],
            given.get("actor"),
            given.get("starts_at"),
            given["ends_at"],
            given["generation"],
        ],
    ).fetchone()
    assert row is not None
    return row[0]
