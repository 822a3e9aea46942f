"""Programs beside the files: overrides in the trail and in the view, usage, and hand-made changes that
readers hear of.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE model_usage (
    hour TIMESTAMPTZ NOT NULL,
    provider_name VARCHAR(255) NOT NULL,
    model_id VARCHAR(255) NOT NULL,
    outcome TEXT NOT NULL,
    calls BIGINT NOT NULL DEFAULT 0 CONSTRAINT model_usage_calls_check CHECK (calls >= 0),
    input_tokens BIGINT NOT NULL DEFAULT 0
        CONSTRAINT model_usage_input_tokens_check CHECK (input_tokens >= 0),
    output_tokens BIGINT NOT NULL DEFAULT 0
        CONSTRAINT model_usage_output_tokens_check CHECK (output_tokens >= 0),
    latency_ms BIGINT NOT NULL DEFAULT 0 CONSTRAINT model_usage_latency_ms_check CHECK (latency_ms >= 0),
    longest_ms INTEGER NOT NULL DEFAULT 0 CONSTRAINT model_usage_longest_ms_check CHECK (longest_ms >= 0),
    CONSTRAINT model_usage_pkey PRIMARY KEY (hour, provider_name, model_id, outcome)
);
ALTER TABLE overrides ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
-- Readers ask for what is newer than they are. These cost writers next to nothing.
CREATE INDEX provider_model_configs_generation_idx ON provider_model_configs
    USING brin (generation) WITH (pages_per_range = 8);
CREATE INDEX llm_parameters_generation_idx ON llm_parameters
    USING brin (generation) WITH (pages_per_range = 8);
ALTER TABLE audit_events DROP CONSTRAINT audit_events_action_check;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_action_check
    CHECK (action IN ('insert', 'update', 'delete', 'truncate', 'verify', 'override'));
ALTER TABLE audit_events DROP CONSTRAINT audit_events_cause_check;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_cause_check
    CHECK (cause IN ('files', 'drift', 'both', 'code'));
"""

FUNCTIONS = """
-- Once a transaction, however many rows it changes: the note goes with the transaction, or its savepoint.
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
END $$;

-- The first few rows are marked one by one, which needs no look at the table. Then everything that this
-- transaction wrote is marked at once: rows that are seen though their writer is in progress are its own,
-- those of its savepoints included. What has its mark is not written again.
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
END $$;

CREATE FUNCTION reconciler_mark_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reconciler_raised();
    RETURN NULL;
END $$;

-- The payload is the schema, a space, and the generation.
CREATE FUNCTION reconciler_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('reconciler_generation', TG_TABLE_SCHEMA || ' ' || NEW.generation);
    RETURN NULL;
END $$;

CREATE FUNCTION reconciler_record_override() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unsaid CONSTANT TEXT[] := '{id,kind,key,reason,actor,generation}';
    silent CONSTANT TEXT[] := '{id,generation}';
    run CONSTANT BIGINT := reconciler_setting('run');
    source CONSTANT TEXT := reconciler_setting('source');
    claimed CONSTANT TEXT := reconciler_setting('actor');
    application CONSTANT TEXT := current_setting('application_name');
    client CONSTANT INET := inet_client_addr();
    cause CONSTANT TEXT := reconciler_setting('cause');
    given CONSTANT TEXT := reconciler_setting('reason');
    transaction CONSTANT BIGINT := pg_current_xact_id()::text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, after, cause, reason)
        SELECT now(), transaction, run, source, session_user, claimed, application, client, 'override',
               n.kind || ':' || n.key, to_jsonb(n) - unsaid, cause, COALESCE(given, n.reason)
        FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, cause, reason)
        SELECT now(), transaction, run, source, session_user, claimed, application, client, 'override',
               o.kind || ':' || o.key, to_jsonb(o) - unsaid, cause, COALESCE(given, o.reason)
        FROM old_rows o;
    ELSIF TG_OP = 'TRUNCATE' THEN
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, cause, reason)
        VALUES (now(), transaction, run, source, session_user, claimed, application, client, 'override',
                'model:*', cause, given);
    ELSE
        INSERT INTO audit_events (at, transaction, run, source, database_user, actor, application, client,
                                  action, address, before, after, cause, reason)
        SELECT now(), transaction, run, source, session_user, claimed, application, client, 'override',
               c.address,
               (SELECT jsonb_object_agg(key, value) FROM jsonb_each(c.old_entity)
                WHERE value IS DISTINCT FROM c.new_entity -> key),
               (SELECT jsonb_object_agg(key, value) FROM jsonb_each(c.new_entity)
                WHERE value IS DISTINCT FROM c.old_entity -> key),
               cause, COALESCE(given, c.reason)
        FROM (SELECT to_jsonb(o) - silent AS old_entity, to_jsonb(n) - silent AS new_entity,
                     COALESCE(n.kind, o.kind) || ':' || COALESCE(n.key, o.key) AS address,
                     COALESCE(n.reason, o.reason) AS reason
              FROM old_rows o FULL JOIN new_rows n ON o.id = n.id OFFSET 0) c
        WHERE c.old_entity IS DISTINCT FROM c.new_entity;
    END IF;
    RETURN NULL;
END $$;

-- After a truncate it is a new row, which readers must hear of: its generation may be set, nothing else.
CREATE OR REPLACE FUNCTION reconciler_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.generation <> OLD.generation
           AND to_jsonb(NEW) - 'generation' = to_jsonb(OLD) - 'generation' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'parameters:default is built in and cannot be changed'
        USING ERRCODE = 'check_violation', HINT = 'create a parameter set of your own and name it instead';
END $$;

-- As the trail's other writers: with their owner's rights, on our tables, and on nobody else's.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY '{reconciler_record_override,reconciler_mark,reconciler_mark_truncate}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY DEFINER SET search_path = %I, pg_temp', name,
                       current_schema());
    END LOOP;
END $$;
ALTER FUNCTION reconciler_record_override() SET timezone = 'UTC';
REVOKE EXECUTE ON FUNCTION reconciler_record_override(), reconciler_mark(), reconciler_mark_truncate(),
    reconciler_raised() FROM PUBLIC;
"""

# What counts as a change of each table; its bookkeeping does not.
MARKED = {
    "providers": (
        "id name kind kind_spec description base_url credentials verification labels protected "
        "is_active created_at"
    ),
    "llm_parameters": (
        "id name description use_case labels max_new_tokens min_new_tokens temperature top_p "
        "top_k repetition_penalty frequency_penalty presence_penalty stop_sequences seed "
        "decoding_method reasoning_effort logprobs response_format unsupported extra is_active "
        "created_at"
    ),
    "prompt_templates": (
        "id name provider description labels system_prompt context_prefix query_prefix "
        "answer_prefix is_active created_at"
    ),
    "provider_model_configs": (
        "id model_id provider_name is_active parameters_id prompt_template_id mode version "
        "limits capabilities labels hold created_at"
    ),
    "overrides": ("id kind key fields reason actor starts_at ends_at"),
}
MARKS = """
CREATE CONSTRAINT TRIGGER {table}_mark_insert AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.generation = 0) EXECUTE FUNCTION reconciler_mark();
CREATE CONSTRAINT TRIGGER {table}_mark_update AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.generation = OLD.generation AND ({old}) IS DISTINCT FROM ({new}))
    EXECUTE FUNCTION reconciler_mark();
CREATE CONSTRAINT TRIGGER {table}_mark_delete AFTER DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION reconciler_mark();
CREATE TRIGGER {table}_mark_truncate AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_mark_truncate();
"""

TOUCHED = ("providers", "llm_parameters", "prompt_templates", "provider_model_configs")
TOUCH = """
CREATE OR REPLACE TRIGGER {table}_touch BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at AND NEW.generation = OLD.generation)
    EXECUTE FUNCTION reconciler_touch();
"""

RULES = """
CREATE TRIGGER registry_notify AFTER UPDATE ON registry
    FOR EACH ROW WHEN (NEW.generation <> OLD.generation) EXECUTE FUNCTION reconciler_notify();
CREATE TRIGGER overrides_record_insert AFTER INSERT ON overrides REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_override();
CREATE TRIGGER overrides_record_update AFTER UPDATE ON overrides
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_override();
CREATE TRIGGER overrides_record_delete AFTER DELETE ON overrides REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_override();
CREATE TRIGGER overrides_record_truncate AFTER TRUNCATE ON overrides
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_override();
"""

# Replaced and not made anew, so that rights on it stay.
VIEW = """
CREATE OR REPLACE VIEW effective_models AS
SELECT m.id, m.provider_name, m.model_id, p.kind,
       COALESCE(o.is_active, m.is_active) AND COALESCE(p.is_active, TRUE) AS is_active,
       m.mode, m.version, m.limits, m.capabilities, m.labels, m.hold, m.last_verified,
       s.name AS parameters_name,
       -- What is null inside a value, as in a JSON schema, is part of it.
       (SELECT COALESCE(jsonb_object_agg(v.key, v.value), '{}')
        FROM jsonb_each((to_jsonb(s) - ARRAY['id', 'name', 'description', 'use_case', 'labels', 'is_active',
                                             'generation', 'created_at', 'updated_at'])
                        || COALESCE(o.parameters, '{}')) v
        WHERE v.value <> 'null') AS parameters,
       CASE WHEN o.has_template THEN h.name ELSE t.name END AS template_name,
       CASE WHEN o.has_template THEN h.system_prompt ELSE t.system_prompt END AS system_prompt,
       CASE WHEN o.has_template THEN h.context_prefix ELSE t.context_prefix END AS context_prefix,
       CASE WHEN o.has_template THEN h.query_prefix ELSE t.query_prefix END AS query_prefix,
       CASE WHEN o.has_template THEN h.answer_prefix ELSE t.answer_prefix END AS answer_prefix,
       o.id AS override_id, o.ends_at AS override_until, o.reason AS override_reason,
       p.base_url, p.credentials, p.kind_spec
FROM provider_model_configs m
LEFT JOIN providers p ON p.name = m.provider_name
JOIN llm_parameters s ON s.id = m.parameters_id
LEFT JOIN (
    SELECT DISTINCT ON (key) key, id, ends_at, reason,
           CASE WHEN jsonb_typeof(fields -> 'is_active') = 'boolean'
                THEN (fields ->> 'is_active')::boolean END AS is_active,
           CASE WHEN jsonb_typeof(fields -> 'parameters') = 'object'
                THEN fields -> 'parameters' END AS parameters,
           COALESCE(jsonb_typeof(fields -> 'prompt_template') IN ('string', 'null'), FALSE) AS has_template,
           fields ->> 'prompt_template' AS template
    FROM overrides
    WHERE kind = 'model' AND starts_at <= statement_timestamp() AND ends_at > statement_timestamp()
    ORDER BY key, id DESC
) o ON o.key = m.provider_name || '/' || m.model_id
LEFT JOIN prompt_templates t ON t.id = m.prompt_template_id
LEFT JOIN prompt_templates h ON o.has_template AND h.name = o.template;
"""


def upgrade() -> None:
    touches = "".join(TOUCH.format(table=table) for table in TOUCHED)
    # The driver's own connection: several statements in one text, and no bind parameters looked for in it.
    op.get_bind().connection.driver_connection.execute(
        TABLES + FUNCTIONS + "".join(map(_marks, MARKED)) + touches + RULES + VIEW
    )


def _marks(table: str) -> str:
    columns = MARKED[table].split()
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return MARKS.format(table=table, old=old, new=new)
