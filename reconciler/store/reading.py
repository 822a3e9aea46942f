"""The reading verbs' statements: the registry's models, one entity in full, the trail and the runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from reconciler.core.address import Address, EntityKind, model_address
from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
from reconciler.core.outcome import Status
from reconciler.core.overrides import flat, parameters_under, shown
from reconciler.core.problem import Place
from reconciler.core.references import used_by_model
from reconciler.core.state import Desired, Hold, Spec
from reconciler.core.transitions import status_of
from reconciler.store import health, overrides
from reconciler.store.columns import TABLES, EntityTable, entities_sql, spec_sql
from reconciler.store.session import Connection

_USABLE = f"{overrides.IS_ACTIVE.format(model='m')} AND COALESCE(v.is_active, TRUE)"
_LIST = f"""
SELECT m.provider_name, m.model_id, COALESCE(v.kind, ''), {_USABLE}, m.hold,
       k.status, m.last_verified, r.name, {spec_sql(TABLES["parameters"])}, t.name, e.source, m.labels,
       m.mode, k.outcome, COALESCE(k.failures, 0), k.checked_at, {overrides.COLUMNS}
FROM provider_model_configs m
LEFT JOIN {overrides.IN_FORCE} o ON o.key = m.provider_name || '/' || m.model_id
LEFT JOIN providers v ON v.name = m.provider_name
JOIN llm_parameters r ON r.id = m.parameters_id
LEFT JOIN prompt_templates t ON t.id = m.prompt_template_id
LEFT JOIN model_verification k ON k.model_id = m.id
LEFT JOIN managed_entities e
       ON e.kind = 'model' AND e.key = m.provider_name || '/' || m.model_id AND NOT e.forgotten
WHERE (%(provider)s::text IS NULL OR m.provider_name = %(provider)s)
  AND (NOT %(active)s OR ({_USABLE}))
ORDER BY m.provider_name COLLATE "C", m.model_id COLLATE "C"
"""


def list_models(
    connection: Connection, *, active_only: bool, provider: str | None, status: Status | None = None
) -> tuple[ListedModel, ...]:
    """The registry's models by provider and id; only those of a status where one is given."""
    rows = connection.execute(_LIST, {"provider": provider, "active": active_only})
    listed = (_listed(*row) for row in rows)
    return tuple(model for model in listed if status is None or model.status == status)


def _listed(provider: str, model_id: str, kind: str, *rest: Any) -> ListedModel:
    active, hold, stored, last_verified, set_name, values, template, owner, labels, mode = rest[:10]
    outcome, failures, checked_at, *held = rest[10:]
    override = overrides.override_of(held) if held[0] is not None else None
    fields = {} if override is None else override.fields
    return ListedModel(
        address=model_address(provider, model_id),
        kind=kind,
        is_active=active,
        hold=hold,
        status=status_of(stored, hold),
        last_verified=last_verified,
        parameters={"name": set_name, **parameters_under(values, override)},
        prompt_template=fields.get("prompt_template", template),
        managed_by=owner,
        labels=labels,
        mode=mode,
        outcome=outcome,
        failures=failures,
        checked_at=checked_at,
        override=override,
    )


def show(connection: Connection, address: Address, *, now: datetime) -> ShownEntity | None:
    """One entity in full, its health as of `now`; `None` where the registry has none of that address."""
    table = TABLES[address.kind]
    row = connection.execute(_show_sql(address.kind, table), [address.kind, address.key]).fetchone()
    if row is None:
        return None
    active, usable, hold, spec, created_at, updated_at, owner, file, line = row[:9]
    more = _of_model(row[9:], spec, now, active=active, hold=hold) if address.kind == "model" else {}
    return ShownEntity(
        address=address,
        spec=spec,
        is_active=active,
        usable=usable,
        hold=hold,
        managed_by=owner,
        file=file,
        line=line,
        created_at=created_at,
        updated_at=updated_at,
        used_by=_users(connection, address),
        health=health.of_entity(connection, address, now=now),
        **more,
    )


def _of_model(
    row: Sequence[Any], spec: Spec, now: datetime, *, active: bool, hold: Hold | None
) -> dict[str, Any]:
    """What is known of models alone: its verification, and what is held away from its stored values."""
    found = dict(zip(_VERIFICATION, row, strict=False))
    found["status"] = status_of(found["status"], hold)
    parameters, *held = row[len(_VERIFICATION) :]
    if held[0] is not None:
        template = spec.get("prompt_template")
        stored = flat({"is_active": active, "parameters": parameters, "prompt_template": template})
        found["override"] = shown(overrides.override_of(held), now=now, stored=stored)
    return found


# What is shown of a model besides, each with where it comes from.
_VERIFICATION = {
    "status": "k.status",
    "outcome": "k.outcome",
    "detail": "COALESCE(k.detail, '')",
    "last_verified": "r.last_verified",
    "probe": "k.probe",
    "checked_at": "k.checked_at",
    "failures": "COALESCE(k.failures, 0)",
    "next_due": "k.next_due",
}


def _show_sql(kind: EntityKind, table: EntityTable) -> str:
    usable, joins, more = "r.is_active", table.read_joins, ""
    if kind == "model":
        usable = f"{overrides.IS_ACTIVE.format(model='r')} AND COALESCE(v.is_active, TRUE)"
        joins += " LEFT JOIN providers v ON v.name = r.provider_name"
        joins += " LEFT JOIN model_verification k ON k.model_id = r.id"
        joins += f" LEFT JOIN {overrides.IN_FORCE} o ON o.key = {table.key}"
        parameters = spec_sql(TABLES["parameters"]).replace("r.", "s.")
        columns = (*_VERIFICATION.values(), parameters, overrides.COLUMNS)
        more = "".join(f", {column}" for column in columns)
    return (
        f"SELECT r.is_active, {usable}, {'r.hold' if table.hold else 'NULL'}, {spec_sql(table)}, "
        f"r.created_at, r.updated_at, e.source, e.file, e.line{more} FROM {table.name} r {joins} "
        f"LEFT JOIN managed_entities e ON e.kind = %s AND NOT e.forgotten AND e.key = {table.key} "
        f"WHERE ({table.key})::text = %s"
    )


_USERS = {
    "provider": "SELECT m.model_id FROM provider_model_configs m WHERE m.provider_name = %s",
    "parameters": "SELECT m.provider_name || '/' || m.model_id FROM provider_model_configs m "
    "JOIN llm_parameters s ON s.id = m.parameters_id WHERE s.name = %s",
    "template": "SELECT m.provider_name || '/' || m.model_id FROM provider_model_configs m "
    "JOIN prompt_templates t ON t.id = m.prompt_template_id WHERE t.name = %s",
}


def _users(connection: Connection, address: Address) -> tuple[str, ...]:
    """The models of a provider, or those that use a set or template, by address."""
    if address.kind == "model":
        return ()
    prefix = f"{address.key}/" if address.kind == "provider" else ""
    rows = connection.execute(_USERS[address.kind], [address.key])
    return tuple(sorted(f"model:{prefix}{key}" for (key,) in rows))


_EVENTS = """
SELECT id, at, transaction, run, source, database_user, actor, application, client::text, action, address,
       before, after, cause, reason
FROM audit_events WHERE (%(address)s::text IS NULL OR address = %(address)s)
ORDER BY at DESC, id DESC LIMIT %(limit)s
"""
_RUNS = """
SELECT id, source, started_at, finished_at, succeeded, revision, actor, summary, digest, error
FROM reconcile_runs WHERE %(only)s::bigint[] IS NULL OR id = ANY(%(only)s)
ORDER BY id DESC LIMIT %(limit)s
"""


def events(connection: Connection, address: Address | None, *, limit: int) -> tuple[Event, ...]:
    """The newest events of the trail, newest first."""
    values = {"address": str(address) if address else None, "limit": limit}
    return tuple(Event(*row) for row in connection.execute(_EVENTS, values))


def runs(connection: Connection, *, limit: int, only: Collection[int] | None = None) -> tuple[Run, ...]:
    """The newest runs, newest first: all of them, or `only` these."""
    values = {"limit": limit, "only": None if only is None else list(only)}
    return tuple(Run(*row) for row in connection.execute(_RUNS, values))


def is_source(connection: Connection, source: str) -> bool:
    """Whether anything was ever applied under that name."""
    return connection.execute("SELECT FROM sources WHERE name = %s", [source]).fetchone() is not None


_EXPORT = f"""
WITH entities AS ({entities_sql()})
SELECT e.kind, e.key, e.spec, e.is_active OR e.hold IS NOT NULL, m.source
FROM entities e
LEFT JOIN managed_entities m ON m.kind = e.kind AND m.key = e.key AND NOT m.forgotten
"""


def exported(connection: Connection, source: str | None) -> tuple[tuple[Desired, ...], tuple[Address, ...]]:
    """The observed state as entities of the files, and what no file can describe.

    With a source, what it owns and whatever that refers to; else everything. A model or template whose
    provider nobody registered cannot be written down. An inactive set or template that nobody uses is left
    out, for a file has no word for it; so is an inline one whose model uses another.
    """
    found, owners = {}, {}
    for kind, key, spec, active, owner in connection.execute(_EXPORT):
        address = Address(kind, key)
        found[address] = Desired(address, spec, active, Place("", 0, 1))
        owners[address] = owner
    chosen = {address for address in found if source is None or owners[address] == source}
    orphans = {address for address in chosen if (_provider_of(found[address]) or address) not in found}
    kept = {address for address in chosen - orphans if _stands_alone(found[address])}
    # Models refer to templates, and templates to providers: after two steps nothing new comes.
    for _ in range(2):
        kept |= {used for address in kept for used in references(found[address]) if used in found}
    return tuple(found[address] for address in sorted(kept)), tuple(sorted(orphans - kept))


def _provider_of(entity: Desired) -> Address | None:
    """The provider that an entity cannot be without."""
    if entity.address.kind == "model":
        return Address("provider", entity.address.provider)
    bound = entity.spec.get("provider") if entity.address.kind == "template" else None
    return Address("provider", bound) if bound else None


def _stands_alone(entity: Desired) -> bool:
    """Whether a file can name the entity though nothing refers to it."""
    return entity.address.kind in {"provider", "model"} or (entity.active and "/" not in entity.address.key)


def references(entity: Desired) -> tuple[Address, ...]:
    """What an entity refers to: its provider, a model's parameter set, its template if it has one."""
    provider = _provider_of(entity)
    used = used_by_model(entity.spec) if entity.address.kind == "model" else ()
    return (*([provider] if provider else []), *used)
