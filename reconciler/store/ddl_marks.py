"""How a change that a hand makes reaches the readers: it raises the registry's generation, and its rows bear
it as those of an apply do. Text for `ddl`.

A row's generation is set when its transaction commits, behind the lock of the registry's one row: so whoever
has seen a generation has seen all before it too, and asks for `generation > last` from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Once a transaction, however many rows it changes: the note goes with the transaction, or with its savepoint.
_RAISED = """
CREATE FUNCTION reconciler_raised() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    mine CONSTANT TEXT := pg_current_xact_id()::text;
    noted CONSTANT TEXT[] := string_to_array(current_setting('reconciler.raised', true), ' ');
    present BIGINT;
BEGIN
    IF noted[1] = mine THEN
        RETURN noted[2];
    END IF;
    UPDATE registry SET generation = generation + 1 WHERE id = 1 RETURNING generation INTO present;
    PERFORM set_config('reconciler.raised', concat_ws(' ', mine, present), true);
    RETURN present;
END $$
"""

# The first few rows are marked one by one, which needs no look at the table. Then everything that this
# transaction wrote is marked at once: rows that are seen though their writer is in progress are its own,
# those of its savepoints included. What has its mark is not written again.
_MARK = """
CREATE FUNCTION reconciler_mark() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present CONSTANT BIGINT := reconciler_raised();
    singly CONSTANT INTEGER :=
        COALESCE(NULLIF(split_part(current_setting('reconciler.raised', true), ' ', 3), ''), '0');
    mine CONSTANT XID8 := pg_current_xact_id();
    behind BOOLEAN := FALSE;
BEGIN
    IF TG_OP NOT IN ('INSERT', 'UPDATE') THEN
        RETURN NULL;
    END IF;
    CASE TG_TABLE_NAME
        WHEN 'providers' THEN
            behind := EXISTS (SELECT FROM providers WHERE id = NEW.id AND generation < present);
        WHEN 'llm_parameters' THEN
            behind := EXISTS (SELECT FROM llm_parameters WHERE id = NEW.id AND generation < present);
        WHEN 'prompt_templates' THEN
            behind := EXISTS (SELECT FROM prompt_templates WHERE id = NEW.id AND generation < present);
        WHEN 'provider_model_configs' THEN
            behind := EXISTS (SELECT FROM provider_model_configs WHERE id = NEW.id AND generation < present);
        WHEN 'overrides' THEN
            behind := EXISTS (SELECT FROM overrides WHERE id = NEW.id AND generation < present);
    END CASE;
    IF NOT behind THEN
        RETURN NULL;
    END IF;
    IF singly < 8 THEN
        EXECUTE format('UPDATE %I SET generation = $1 WHERE id = $2', TG_TABLE_NAME) USING present, NEW.id;
        PERFORM set_config('reconciler.raised', concat_ws(' ', mine, present, singly + 1), true);
    ELSE
        EXECUTE format('UPDATE %I SET generation = $1 WHERE generation < $1 AND'
            ' CASE WHEN xmin = $2::xid THEN TRUE WHEN age(xmin) > age($2::xid) THEN FALSE'
            ' ELSE ''in progress'' = pg_xact_status('
            '($2::text::bigint + age($2::xid) - age(xmin))::text::xid8) END', TG_TABLE_NAME)
            USING present, mine;
    END IF;
    RETURN NULL;
END $$
"""

_MARK_TRUNCATE = """
CREATE FUNCTION reconciler_mark_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reconciler_raised();
    RETURN NULL;
END $$
"""

# The payload is the schema, a space, and the generation: registries of several schemas share a database's
# notifications. It is delivered when the generation can be read, and not at all where it is rolled back.
_NOTIFY = """
CREATE FUNCTION reconciler_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('reconciler_generation', TG_TABLE_SCHEMA || ' ' || NEW.generation);
    RETURN NULL;
END $$
"""

FUNCTIONS = {
    "reconciler_raised": _RAISED,
    "reconciler_mark": _MARK,
    "reconciler_mark_truncate": _MARK_TRUNCATE,
    "reconciler_notify": _NOTIFY,
}
# Those that write where the caller has no right to.
DEFINERS = ("reconciler_mark", "reconciler_mark_truncate")

NOTIFY_RULE = """
CREATE TRIGGER registry_notify AFTER UPDATE ON registry
    FOR EACH ROW WHEN (NEW.generation <> OLD.generation) EXECUTE FUNCTION reconciler_notify()
"""

MARKED = ("providers", "llm_parameters", "prompt_templates", "provider_model_configs", "overrides")
# Bookkeeping: whoever changes nothing else tells the readers nothing.
_SILENT = frozenset({"generation", "updated_at", "last_verified"})


def triggers(table: str, columns: Sequence[str]) -> Iterator[str]:
    """What marks the rows of a table; writers that bring a generation of their own pass by.

    They are deferred: the registry is held from the commit on, and not while a person thinks.
    """
    told = [column for column in columns if column not in _SILENT]
    old, new = (", ".join(f"{row}.{column}" for column in told) for row in ("OLD", "NEW"))
    conditions = {
        "insert": " WHEN (NEW.generation = 0)",
        "update": f" WHEN (NEW.generation = OLD.generation AND ({old}) IS DISTINCT FROM ({new}))",
        "delete": "",
    }
    for event_name, condition in conditions.items():
        yield (
            f"CREATE CONSTRAINT TRIGGER {table}_mark_{event_name} AFTER {event_name.upper()} ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW{condition} EXECUTE FUNCTION reconciler_mark()"
        )
    yield (
        f"CREATE TRIGGER {table}_mark_truncate AFTER TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION reconciler_mark_truncate()"
    )
