"""What the tables need besides columns: functions, triggers, partitions, the view, and the rows that are
there from the start. Text as it is now, for `tables`; a migration keeps its own as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import DDL, Connection, MetaData, Table, event

from reconciler.store import ddl_marks
from reconciler.store.ddl_overrides import RECORD_OVERRIDE, VIEW

# Where the migrations stand whose tables these are: what was made from here, later migrations continue.
REVISION = "0004"

_SETTING = """
CREATE FUNCTION reconciler_setting(name TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT NULLIF(current_setting('reconciler.' || name, true), '')
$$
"""

# The only writer of the trail: whoever changes the registry, by whatever program, is recorded here.
# The address's parts are the trigger's arguments: the entity kind, then the key's columns.
_RECORD = """
CREATE FUNCTION reconciler_record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind CONSTANT TEXT := TG_ARGV[0] || ':';
    first CONSTANT TEXT := TG_ARGV[1];
    second CONSTANT TEXT := TG_ARGV[2];
    silent CONSTANT TEXT[] := '{created_at,updated_at,generation,last_verified}';
    run CONSTANT BIGINT := reconciler_setting('run');
    source CONSTANT TEXT := reconciler_setting('source');
    actor CONSTANT TEXT := reconciler_setting('actor');
    application CONSTANT TEXT := current_setting('application_name');
    client CONSTANT INET := inet_client_addr();
    cause CONSTANT TEXT := reconciler_setting('cause');
    reason CONSTANT TEXT := reconciler_setting('reason');
    transaction CONSTANT BIGINT := pg_current_xact_id()::text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, after, cause, reason)
        SELECT now(), transaction, run, source, session_user, actor, application, client, 'insert',
               kind || (n.entity ->> first) || COALESCE('/' || (n.entity ->> second), ''),
               n.entity, cause, reason
        FROM (SELECT jsonb_strip_nulls(to_jsonb(new_rows) - silent) AS entity FROM new_rows OFFSET 0) n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, cause, reason)
        SELECT now(), transaction, run, source, session_user, actor, application, client, 'delete',
               kind || (o.entity ->> first) || COALESCE('/' || (o.entity ->> second), ''),
               o.entity, cause, reason
        FROM (SELECT jsonb_strip_nulls(to_jsonb(old_rows) - silent) AS entity FROM old_rows OFFSET 0) o;
    ELSIF TG_OP = 'TRUNCATE' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, cause, reason)
        VALUES (now(), transaction, run, source, session_user, actor, application, client, 'truncate',
                kind || '*', cause, reason);
    ELSE
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, after, cause, reason)
        SELECT now(), transaction, run, source, session_user, actor, application, client, 'update',
               kind || (c.named ->> first) || COALESCE('/' || (c.named ->> second), ''),
               (SELECT jsonb_object_agg(key, value) FROM jsonb_each(c.old_entity)
                WHERE value IS DISTINCT FROM c.new_entity -> key),
               (SELECT jsonb_object_agg(key, value) FROM jsonb_each(c.new_entity)
                WHERE value IS DISTINCT FROM c.old_entity -> key),
               cause, reason
        FROM (SELECT to_jsonb(o) - silent AS old_entity, to_jsonb(n) - silent AS new_entity,
                     COALESCE(to_jsonb(n), to_jsonb(o)) AS named
              FROM old_rows o FULL JOIN new_rows n ON o.id = n.id OFFSET 0) c
        WHERE c.old_entity IS DISTINCT FROM c.new_entity;
    END IF;
    RETURN NULL;
END $$
"""

# Only changes of the status are told, not every probe; what a model begins with is none. It is a full join
# because that is never made by trying each row with each, however few rows the planner takes them for.
_RECORD_STATUS = """
CREATE FUNCTION reconciler_record_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, after, reason)
        SELECT now(), pg_current_xact_id()::text::bigint, reconciler_setting('run')::bigint,
               reconciler_setting('source'), session_user, reconciler_setting('actor'),
               current_setting('application_name'), inet_client_addr(), 'verify',
               'model:' || m.provider_name || '/' || m.model_id,
               jsonb_build_object('status', 'unverified'),
               jsonb_strip_nulls(jsonb_build_object('status', n.status, 'outcome', n.outcome)),
               reconciler_setting('reason')
        FROM new_rows n JOIN provider_model_configs m ON m.id = n.model_id
        WHERE n.status NOT IN ('unverified', 'pending');
    ELSE
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, after, reason)
        SELECT now(), pg_current_xact_id()::text::bigint, reconciler_setting('run')::bigint,
               reconciler_setting('source'), session_user, reconciler_setting('actor'),
               current_setting('application_name'), inet_client_addr(), 'verify',
               'model:' || m.provider_name || '/' || m.model_id,
               jsonb_build_object('status', c.old_status),
               jsonb_strip_nulls(jsonb_build_object('status', c.status, 'outcome', c.outcome)),
               reconciler_setting('reason')
        FROM (SELECT n.model_id, o.status AS old_status, n.status, n.outcome
              FROM old_rows o FULL JOIN new_rows n ON n.model_id = o.model_id OFFSET 0) c
        JOIN provider_model_configs m ON m.id = c.model_id
        WHERE c.status <> c.old_status;
    END IF;
    RETURN NULL;
END $$
"""

# Whoever brings a generation brings the time too, or marks a row that was touched already.
_TOUCH = """
CREATE FUNCTION reconciler_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$
"""

# Whoever sets is_active by hand has decided: no probe may undo it later by lifting a hold. A statement that
# sets the hold to something new is verification's own.
_CLEAR_HOLD = """
CREATE FUNCTION reconciler_clear_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.hold := NULL;
    RETURN NEW;
END $$
"""

# After a truncate it is a new row, which readers must hear of: its generation may be set, and nothing else.
_KEEP_DEFAULT = """
CREATE FUNCTION reconciler_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.generation <> OLD.generation
           AND to_jsonb(NEW) - 'generation' = to_jsonb(OLD) - 'generation' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'parameters:default is built in and cannot be changed'
        USING ERRCODE = 'check_violation', HINT = 'create a parameter set of your own and name it instead';
END $$
"""

_RESTORE_DEFAULT = """
CREATE FUNCTION reconciler_restore_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO llm_parameters (name, description)
    VALUES ('default', 'Built in: every parameter at the provider''s own default');
    RETURN NULL;
END $$
"""

# They write with their owner's rights and find our tables wherever the caller looks: who may edit a model
# needs no right on the trail; neither a search path nor a temporary table of the same name hides an edit.
_DEFINERS = (
    *("reconciler_record", "reconciler_record_status", "reconciler_record_override"),
    *("reconciler_restore_default", *ddl_marks.DEFINERS),
)
_RIGHTS = f"""
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY '{{{",".join(_DEFINERS)}}}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY DEFINER SET search_path = %I, pg_temp', name,
                       current_schema());
    END LOOP;
END $$
"""
_UTC = "ALTER FUNCTION reconciler_record_override() SET timezone = 'UTC'"
# Else anybody could hang them on a table of their own, and write what never happened.
_REVOKED = (
    f"REVOKE EXECUTE ON FUNCTION {', '.join(f'{name}()' for name in _DEFINERS)}, reconciler_raised()"
    " FROM PUBLIC"
)

FUNCTIONS = {
    "reconciler_setting": _SETTING,
    "reconciler_record": _RECORD,
    "reconciler_record_status": _RECORD_STATUS,
    "reconciler_record_override": RECORD_OVERRIDE,
    "reconciler_touch": _TOUCH,
    "reconciler_clear_hold": _CLEAR_HOLD,
    "reconciler_keep_default": _KEEP_DEFAULT,
    "reconciler_restore_default": _RESTORE_DEFAULT,
    **ddl_marks.FUNCTIONS,
}
RIGHTS = (_RIGHTS, _UTC, _REVOKED)

# The arguments of the trail's triggers: the entity's kind, then the columns of its key.
AUDITED = {
    "providers": "'provider', 'name'",
    "llm_parameters": "'parameters', 'name'",
    "prompt_templates": "'template', 'name'",
    "provider_model_configs": "'model', 'provider_name', 'model_id'",
}
_REFERENCING = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}

_HOLD_RULE = """
CREATE TRIGGER provider_model_configs_clear_hold BEFORE UPDATE OF is_active ON provider_model_configs
    FOR EACH ROW WHEN (NEW.hold IS NOT NULL AND NEW.hold IS NOT DISTINCT FROM OLD.hold)
    EXECUTE FUNCTION reconciler_clear_hold()
"""
_DEFAULT_RULE = """
CREATE TRIGGER llm_parameters_keep_default BEFORE UPDATE OR DELETE ON llm_parameters
    FOR EACH ROW WHEN (OLD.name = 'default') EXECUTE FUNCTION reconciler_keep_default()
"""
_TRUNCATE_RULE = """
CREATE TRIGGER llm_parameters_restore_default AFTER TRUNCATE ON llm_parameters
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_restore_default()
"""
# A status that a new row begins with, and one that changes.
_STATUS_RULES = tuple(
    f"CREATE TRIGGER model_verification_record_{event_name} AFTER {event_name.upper()} ON model_verification "
    f"{_REFERENCING[event_name]} FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_status()"
    for event_name in ("insert", "update")
)
_OVERRIDE_RULES = tuple(
    f"CREATE TRIGGER overrides_record_{event_name} AFTER {event_name.upper()} ON overrides {referencing} "
    "FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_override()"
    for event_name, referencing in _REFERENCING.items()
)
RULES = (
    *(_HOLD_RULE, _DEFAULT_RULE, _TRUNCATE_RULE),
    *(*_STATUS_RULES, *_OVERRIDE_RULES, ddl_marks.NOTIFY_RULE),
)

PARTITIONED = ("verification_results", "audit_events")

_DEFAULT_PARAMETERS = """
INSERT INTO llm_parameters (name, description)
VALUES ('default', 'Built in: every parameter at the provider''s own default')
"""
_VERSION = """
CREATE TABLE reconciler_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT reconciler_version_pkc PRIMARY KEY (version_num)
)
"""
BUILT_IN = (
    "INSERT INTO registry (id) VALUES (1)",
    _DEFAULT_PARAMETERS,
    _VERSION,
    f"INSERT INTO reconciler_version (version_num) VALUES ('{REVISION}')",
)


def attach(metadata: MetaData) -> None:
    """Let `create_all` and `drop_all` of these tables make and drop everything that belongs to them."""
    sequences = [f"CREATE SEQUENCE {table}_id_seq" for table in PARTITIONED]
    _listen(metadata, "before_create", sequences)
    triggers = [trigger for table in AUDITED for trigger in _triggers(table)]
    marks = [
        trigger
        for table in ddl_marks.MARKED
        for trigger in ddl_marks.triggers(table, metadata.tables[table].columns.keys())
    ]
    partitions = [statement for table in PARTITIONED for statement in _partition(table)]
    # What is built in comes before the triggers: it is no event of the trail.
    _listen(metadata, "after_create", [*partitions, *BUILT_IN, *FUNCTIONS.values(), *RIGHTS])
    _listen(metadata, "after_create", [*triggers, *RULES, *marks, VIEW])
    _listen(metadata, "before_drop", ["DROP VIEW effective_models"])
    _listen(metadata, "after_drop", [f"DROP FUNCTION {name}" for name in FUNCTIONS])
    _listen(metadata, "after_drop", ["DROP TABLE reconciler_version"])


def _triggers(table: str) -> Iterable[str]:
    for event_name, referencing in _REFERENCING.items():
        yield (
            f"CREATE TRIGGER {table}_record_{event_name} AFTER {event_name.upper()} ON {table} {referencing} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record({AUDITED[table]})"
        )
    yield (
        f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table} FOR EACH ROW "
        "WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at AND NEW.generation = OLD.generation) "
        "EXECUTE FUNCTION reconciler_touch()"
    )


def _partition(table: str) -> Iterable[str]:
    yield f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id"
    yield f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"


def _listen(metadata: MetaData, moment: str, statements: Sequence[str]) -> None:
    def run(_: MetaData, connection: Connection, *, tables: Collection[Table] = (), **_more: Any) -> None:
        # Where every table is there already, the rest is too.
        for statement in statements if tables else ():
            connection.execute(_statement(statement))

    event.listen(metadata, moment, run)


def _statement(text: str) -> DDL:
    # A percent sign would ask SQLAlchemy for one of its names.
    return DDL(text.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own gap
