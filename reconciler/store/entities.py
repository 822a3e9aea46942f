"""Providers, sets and templates by themselves, as rows for programs: each kind in one statement."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.core.address import EntityKind
from reconciler.store.columns import TABLES
from reconciler.store.effective import OWN_FIELDS, Statement, entity_columns, owned
from reconciler.store.fetching import Row, fetched
from reconciler.store.session import Connection

PROVIDER_FIELDS = (*(column.field for column in TABLES["provider"].columns), *OWN_FIELDS)


def _users(column: str) -> str:
    """Who uses an entity, by address; read only where it is asked for, for one may be used by thousands."""
    address = "('model:' || m.provider_name || '/' || m.model_id) COLLATE \"C\""
    return (
        f"CASE WHEN %(with_users)s THEN (SELECT array_agg({address} ORDER BY {address})"
        f" FROM provider_model_configs m WHERE m.{column} = r.id) END"
    )


def _listed(kind: EntityKind, table: str, columns: str) -> str:
    return (
        f"SELECT {columns} FROM {table} r {owned(kind, 'e', 'r.name')} "
        f'WHERE {{only}} ORDER BY r.name COLLATE "C"'
    )


_PROVIDERS = _listed("provider", "providers", entity_columns("provider", "r", "e.source"))
_SETS = _listed(
    "parameters",
    "llm_parameters",
    f"{_users('parameters_id')}, {entity_columns('parameters', 'r', 'e.source')}",
)
_TEMPLATES = _listed(
    "template",
    "prompt_templates",
    f"{_users('prompt_template_id')}, {entity_columns('template', 'r', 'e.source')}",
)


def _statement(text: str, names: Collection[str] | None, *, with_users: bool = False) -> Statement:
    only = "TRUE" if names is None else "r.name = ANY(%(names)s)"
    return Statement(text.replace("{only}", only), {"names": list(names or ()), "with_users": with_users})


def providers(connection: Connection, names: Collection[str] | None) -> list[Row]:
    """Providers by name, all or those of these names."""
    return fetched(connection, _statement(_PROVIDERS, names))


def sets(connection: Connection, names: Collection[str] | None, *, with_users: bool) -> list[Row]:
    """Parameter sets by name, each after its users."""
    return fetched(connection, _statement(_SETS, names, with_users=with_users))


def templates(connection: Connection, names: Collection[str] | None, *, with_users: bool) -> list[Row]:
    """Templates by name, each after its users."""
    return fetched(connection, _statement(_TEMPLATES, names, with_users=with_users))
