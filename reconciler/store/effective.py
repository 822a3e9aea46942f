"""Models as applications use them, each with its provider, its set, its template and what overrides hold, in
one statement, so that an answer is always of one commit. Statements are values here, for calls that wait for
the server and calls that do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from reconciler.core.address import EntityKind
from reconciler.store.columns import TABLES


class Statement(NamedTuple):
    """A statement and its values, for whatever cursor executes it."""

    text: str
    values: Mapping[str, Any]


# What is read of a set or a template: its fields, then what every entity has. JSON comes as text: few texts
# are many rows', and what a hand wrote is looked at before it is believed.
OWN_FIELDS = ("id", "name", "is_active", "managed_by", "created_at", "updated_at")
SET_FIELDS = (*(column.field for column in TABLES["parameters"].columns), *OWN_FIELDS)
TEMPLATE_FIELDS = (*(column.field for column in TABLES["template"].columns), *OWN_FIELDS)

# What a model's row begins with, by the name of its place; a set's columns and a template's follow. What is
# empty here is read in two ways.
_MODEL = {
    "id": "m.id",
    "provider_name": "m.provider_name",
    "model_id": "m.model_id",
    "is_active": "m.is_active",
    "hold": "m.hold",
    "mode": "m.mode",
    "version": "m.version",
    "limits": "m.limits::text",
    "capabilities": "m.capabilities::text",
    "labels": "NULLIF(m.labels, '{}')::text",
    "last_verified": "m.last_verified",
    "parameters_id": "m.parameters_id",
    "prompt_template_id": "m.prompt_template_id",
    "created_at": "m.created_at",
    "updated_at": "m.updated_at",
    "status": "k.status",
    "outcome": "k.outcome",
    "detail": "k.detail",
    "managed_by": "",
    "held": "",
    "provider_is_active": "p.is_active",
    "kind": "p.kind",
    "kind_spec": "p.kind_spec::text",
    "base_url": "p.base_url",
    "credentials": "p.credentials::text",
}
MODEL_FIELDS = tuple(_MODEL)
SET_FROM = len(MODEL_FIELDS)
TEMPLATE_FROM = SET_FROM + len(SET_FIELDS)
PROVIDER_FROM = MODEL_FIELDS.index("provider_is_active")


def entity_columns(kind: EntityKind, row: str, owner: str) -> str:
    """The columns of a provider, a set or a template, in the order of its fields; `owner` is SQL."""
    spec = [
        column.observed.replace("r.", f"{row}.") + "::text" * (column.type == "JSONB")
        for column in TABLES[kind].columns
    ]
    own = [owner if name == "managed_by" else f"{row}.{name}" for name in OWN_FIELDS]
    return ", ".join([*spec, *own])


def owned(kind: EntityKind, alias: str, key: str) -> str:
    """The join that says which source's files own an entity."""
    return (
        f"LEFT JOIN managed_entities {alias} ON {alias}.kind = '{kind}' AND {alias}.key = {key} "
        f"AND NOT {alias}.forgotten"
    )


def owner_of(kind: EntityKind, key: str) -> str:
    """The same as a value, for few rows: the planner takes long over many joins."""
    return (
        f"(SELECT w.source FROM managed_entities w WHERE w.kind = '{kind}' AND w.key = {key} "
        "AND NOT w.forgotten)"
    )


_KEY = "m.provider_name || '/' || m.model_id"

# All overrides that have not ended, the newest first: which of them counts is a matter of the moment.
_HELD_TEXT = f"""json_agg(json_build_array(
    o.id, o.fields::text, o.reason, o.actor, o.starts_at, o.ends_at, o.starts_at <= statement_timestamp(),
    CASE WHEN x.id IS NOT NULL
         THEN json_build_array({entity_columns("template", "x", owner_of("template", "x.name"))}) END
) ORDER BY o.id DESC)::text"""
_HELD_FROM = """
FROM overrides o
LEFT JOIN prompt_templates x ON x.name = CASE WHEN jsonb_typeof(o.fields -> 'prompt_template') = 'string'
                                              THEN o.fields ->> 'prompt_template' END
WHERE o.kind = 'model' AND o.ends_at > statement_timestamp()"""
# `live` is what the one holds that counts now, by the server's clock.
_OVERRIDES = f"""(
    SELECT o.key, {_HELD_TEXT} AS held,
           (array_agg(o.fields ORDER BY o.id DESC)
               FILTER (WHERE o.starts_at <= statement_timestamp()))[1] AS live
    {_HELD_FROM} GROUP BY o.key)"""


def _select(models: str, joins: str, owner: Callable[[EntityKind, str], str], held: str) -> str:
    places = {**_MODEL, "managed_by": owner("model", _KEY), "held": held}
    parameters = entity_columns("parameters", "s", owner("parameters", "s.name"))
    template = entity_columns("template", "t", owner("template", "t.name"))
    return f"""
SELECT {", ".join(places.values())}, {parameters}, {template}
FROM {models}
LEFT JOIN providers p ON p.name = m.provider_name
JOIN llm_parameters s ON s.id = m.parameters_id
LEFT JOIN prompt_templates t ON t.id = m.prompt_template_id
LEFT JOIN model_verification k ON k.model_id = m.id
{joins}
"""


_ALIASES: Mapping[EntityKind, str] = {"model": "e", "parameters": "es", "template": "et"}
_ALL = _select(
    "provider_model_configs m",
    f"{owned('model', 'e', _KEY)} {owned('parameters', 'es', 's.name')} {owned('template', 'et', 't.name')} "
    f"LEFT JOIN {_OVERRIDES} o ON o.key = {_KEY}",
    lambda kind, _: f"{_ALIASES[kind]}.source",
    "o.held",
)
# One model is looked up where it is, and planned in no time.
_ADDRESSED = _select(
    "unnest(%(providers)s::text[], %(models)s::text[]) a (provider, model)"
    " JOIN provider_model_configs m ON m.provider_name = a.provider AND m.model_id = a.model",
    "",
    owner_of,
    f"(SELECT {_HELD_TEXT} {_HELD_FROM} AND o.key = {_KEY})",
)
_IS_ACTIVE = (
    "CASE WHEN jsonb_typeof(o.live -> 'is_active') = 'boolean' THEN (o.live -> 'is_active')::boolean"
    " ELSE m.is_active END AND COALESCE(p.is_active, TRUE)"
)


def addressed(addresses: Collection[tuple[str, str]]) -> Statement:
    """The statement that reads these models, by provider and id; those there are none of are left out."""
    pairs = dict.fromkeys(addresses)
    values = {"providers": [pair[0] for pair in pairs], "models": [pair[1] for pair in pairs]}
    return Statement(_ADDRESSED, values)


def chosen(
    *,
    provider: str | None = None,
    labels: Mapping[str, str | None] | None = None,
    active_only: bool = False,
    verified_only: bool = False,
) -> Statement:
    """The statement that reads the models that fulfil every condition; without one, all of them.

    Args:
        provider: Only this provider's models.
        labels: Only models with these labels; `None` for a label with any value.
        active_only: Only models that may be used now.
        verified_only: Only models whose last verification succeeded.
    """
    values = {name: value for name, value in (labels or {}).items() if value is not None}
    names = [name for name, value in (labels or {}).items() if value is None]
    conditions = {
        "m.provider_name = %(provider)s": provider is not None,
        "m.labels @> %(labels)s::jsonb": bool(values),
        "m.labels ?& %(names)s": bool(names),
        _IS_ACTIVE: active_only,
        "k.status = 'verified'": verified_only,
    }
    where = " AND ".join(f"({text})" for text, is_asked in conditions.items() if is_asked)
    return Statement(
        _ALL + (f"WHERE {where}" if where else ""),
        {"provider": provider, "labels": json.dumps(values), "names": names},
    )
