"""The registry: entities, ownership, runs, verification, overrides, leases and the audit trail."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE providers (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL UNIQUE,
    kind VARCHAR(255) NOT NULL,
    kind_spec JSONB,
    description TEXT,
    base_url TEXT,
    credentials JSONB,
    verification JSONB,
    labels JSONB NOT NULL DEFAULT '{}',
    protected BOOLEAN NOT NULL DEFAULT FALSE,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    generation BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE llm_parameters (
    id SERIAL PRIMARY KEY,
    name VARCHAR(512) NOT NULL UNIQUE,
    description TEXT,
    use_case TEXT,
    labels JSONB NOT NULL DEFAULT '{}',
    max_new_tokens INTEGER CONSTRAINT llm_parameters_max_new_tokens_check CHECK (max_new_tokens >= 1),
    min_new_tokens INTEGER CONSTRAINT llm_parameters_min_new_tokens_check CHECK (min_new_tokens >= 0),
    temperature DOUBLE PRECISION,
    top_p DOUBLE PRECISION,
    top_k INTEGER,
    repetition_penalty DOUBLE PRECISION,
    frequency_penalty DOUBLE PRECISION,
    presence_penalty DOUBLE PRECISION,
    stop_sequences JSONB,
    seed BIGINT,
    decoding_method TEXT,
    reasoning_effort TEXT,
    logprobs INTEGER,
    response_format JSONB,
    unsupported TEXT
        CONSTRAINT llm_parameters_unsupported_check CHECK (unsupported IN ('warn', 'drop', 'error')),
    extra JSONB,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    generation BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE prompt_templates (
    id SERIAL PRIMARY KEY,
    name VARCHAR(512) NOT NULL UNIQUE,
    provider VARCHAR(255),
    description TEXT,
    labels JSONB NOT NULL DEFAULT '{}',
    system_prompt TEXT,
    context_prefix TEXT,
    query_prefix TEXT,
    answer_prefix TEXT,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    generation BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE provider_model_configs (
    id SERIAL PRIMARY KEY,
    model_id VARCHAR(255) NOT NULL,
    provider_name VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    last_verified TIMESTAMPTZ,
    parameters_id INTEGER NOT NULL REFERENCES llm_parameters(id) ON DELETE CASCADE,
    prompt_template_id INTEGER REFERENCES prompt_templates(id),
    mode TEXT NOT NULL DEFAULT 'chat',
    version TEXT,
    limits JSONB,
    capabilities JSONB,
    labels JSONB NOT NULL DEFAULT '{}',
    hold TEXT CONSTRAINT provider_model_configs_hold_check CHECK (hold IN ('pending', 'failing')),
    generation BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    CONSTRAINT provider_model_configs_provider_name_model_id_key UNIQUE (provider_name, model_id),
    CONSTRAINT provider_model_configs_hold_inactive_check CHECK (hold IS NULL OR NOT is_active)
);
CREATE INDEX provider_model_configs_parameters_id_idx ON provider_model_configs (parameters_id);
CREATE INDEX provider_model_configs_prompt_template_id_idx ON provider_model_configs (prompt_template_id);

CREATE TABLE registry (
    id SMALLINT PRIMARY KEY CONSTRAINT registry_one_row_check CHECK (id = 1),
    generation BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE managed_entities (
    kind TEXT NOT NULL CONSTRAINT managed_entities_kind_check
        CHECK (kind IN ('provider', 'parameters', 'template', 'model')),
    key TEXT COLLATE "C" NOT NULL,
    source TEXT NOT NULL,
    spec JSONB NOT NULL,
    active BOOLEAN NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    run BIGINT,
    retired BOOLEAN NOT NULL DEFAULT FALSE,
    forgotten BOOLEAN NOT NULL DEFAULT FALSE,
    CONSTRAINT managed_entities_pkey PRIMARY KEY (kind, key)
);

CREATE TABLE sources (
    name TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    overlays JSONB NOT NULL DEFAULT '[]',
    input_digest TEXT,
    state_digest TEXT,
    deferred JSONB NOT NULL DEFAULT '[]',
    warnings JSONB NOT NULL DEFAULT '[]',
    last_run BIGINT,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE source_files (
    source TEXT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    sha256 TEXT NOT NULL,
    defines JSONB NOT NULL DEFAULT '[]',
    refers_to JSONB NOT NULL DEFAULT '[]',
    problems JSONB NOT NULL DEFAULT '[]',
    gone BOOLEAN NOT NULL DEFAULT FALSE,
    CONSTRAINT source_files_pkey PRIMARY KEY (source, path)
);

CREATE TABLE reconcile_runs (
    id BIGSERIAL PRIMARY KEY,
    source TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    finished_at TIMESTAMPTZ,
    succeeded BOOLEAN NOT NULL DEFAULT FALSE,
    revision TEXT,
    origin TEXT,
    actor TEXT,
    database_user TEXT NOT NULL DEFAULT SESSION_USER,
    application TEXT,
    tool_version TEXT,
    summary JSONB NOT NULL DEFAULT '{}',
    digest TEXT,
    generation BIGINT,
    error TEXT
);

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT,
    fence BIGINT NOT NULL DEFAULT 0,
    acquired_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ
);

CREATE TABLE overrides (
    id BIGSERIAL PRIMARY KEY,
    kind TEXT NOT NULL
        CONSTRAINT overrides_kind_check CHECK (kind IN ('provider', 'parameters', 'template', 'model')),
    key TEXT COLLATE "C" NOT NULL,
    fields JSONB NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT,
    starts_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    ends_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT overrides_time_check CHECK (ends_at > starts_at)
);
CREATE INDEX overrides_address_idx ON overrides (kind, key, ends_at);

CREATE TABLE model_verification (
    model_id INTEGER PRIMARY KEY REFERENCES provider_model_configs(id) ON DELETE CASCADE,
    status TEXT NOT NULL DEFAULT 'unverified' CONSTRAINT model_verification_status_check CHECK (
        status IN ('unverified', 'pending', 'verified', 'degraded', 'failing', 'unprobeable')),
    outcome TEXT,
    probe TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    http_status INTEGER,
    provider_code TEXT,
    answered_by TEXT,
    latency_ms INTEGER,
    retry_after DOUBLE PRECISION,
    detail TEXT CONSTRAINT model_verification_detail_check CHECK (length(detail) <= 500),
    checked_at TIMESTAMPTZ,
    next_due TIMESTAMPTZ,
    claimed_until TIMESTAMPTZ,
    secret_fingerprint TEXT,
    parameters_digest TEXT
);
CREATE INDEX model_verification_next_due_idx ON model_verification (next_due);

CREATE SEQUENCE verification_results_id_seq;
CREATE TABLE verification_results (
    id BIGINT NOT NULL DEFAULT nextval('verification_results_id_seq'),
    at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    model_id INTEGER NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    source TEXT,
    probe TEXT NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER,
    provider_code TEXT,
    answered_by TEXT,
    latency_ms INTEGER,
    retry_after DOUBLE PRECISION,
    detail TEXT CONSTRAINT verification_results_detail_check CHECK (length(detail) <= 500),
    CONSTRAINT verification_results_pkey PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
ALTER SEQUENCE verification_results_id_seq OWNED BY verification_results.id;
CREATE TABLE verification_results_default PARTITION OF verification_results DEFAULT;
CREATE INDEX verification_results_model_idx ON verification_results (model_id, at);

CREATE SEQUENCE audit_events_id_seq;
CREATE TABLE audit_events (
    id BIGINT NOT NULL DEFAULT nextval('audit_events_id_seq'),
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    transaction BIGINT NOT NULL,
    run BIGINT,
    source TEXT,
    database_user TEXT NOT NULL,
    actor TEXT,
    application TEXT,
    client INET,
    action TEXT NOT NULL
        CONSTRAINT audit_events_action_check CHECK (action IN ('insert', 'update', 'delete', 'truncate')),
    address TEXT COLLATE "C" NOT NULL,
    before JSONB,
    after JSONB,
    cause TEXT CONSTRAINT audit_events_cause_check CHECK (cause IN ('files', 'drift', 'both')),
    reason TEXT,
    CONSTRAINT audit_events_pkey PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
ALTER SEQUENCE audit_events_id_seq OWNED BY audit_events.id;
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
CREATE INDEX audit_events_address_idx ON audit_events (address, at);
"""

FUNCTIONS = """
CREATE FUNCTION reconciler_setting(name TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT NULLIF(current_setting('reconciler.' || name, true), '')
$$;

-- OFFSET 0 keeps the planner from making a row's JSON again for each use of it.
-- The only writer of the trail: whoever changes the registry, by whatever program, is recorded here.
-- The address's parts are the trigger's arguments: the entity kind, then the key's columns.
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
END $$;

CREATE FUNCTION reconciler_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

-- Whoever sets is_active by hand has decided: no probe may undo it later by lifting a hold. A statement that
-- sets the hold to something new is verification's own.
CREATE FUNCTION reconciler_clear_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.hold := NULL;
    RETURN NEW;
END $$;

CREATE FUNCTION reconciler_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'parameters:default is built in and cannot be changed'
        USING ERRCODE = 'check_violation', HINT = 'create a parameter set of your own and name it instead';
END $$;

CREATE FUNCTION reconciler_restore_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO llm_parameters (name, description)
    VALUES ('default', 'Built in: every parameter at the provider''s own default');
    RETURN NULL;
END $$;

-- They write with their owner's rights and find our tables wherever the caller looks: who may edit a model
-- needs no right on the trail; neither a search path nor a temporary table of the same name hides an edit.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION reconciler_record() SECURITY DEFINER SET search_path = %1$I, pg_temp;'
        'ALTER FUNCTION reconciler_restore_default() SECURITY DEFINER SET search_path = %1$I, pg_temp',
        current_schema()); END $$;
-- Else anybody could hang them on a table of their own, and write what never happened.
REVOKE EXECUTE ON FUNCTION reconciler_record(), reconciler_restore_default() FROM PUBLIC;
"""

AUDITED = {
    "providers": "'provider', 'name'",
    "llm_parameters": "'parameters', 'name'",
    "prompt_templates": "'template', 'name'",
    "provider_model_configs": "'model', 'provider_name', 'model_id'",
}

TRIGGERS = """
CREATE TRIGGER {table}_record_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record({parts});
CREATE TRIGGER {table}_record_update AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record({parts});
CREATE TRIGGER {table}_record_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record({parts});
CREATE TRIGGER {table}_record_truncate AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record({parts});
CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION reconciler_touch();
"""

RULES = """
CREATE TRIGGER provider_model_configs_clear_hold BEFORE UPDATE OF is_active ON provider_model_configs
    FOR EACH ROW WHEN (NEW.hold IS NOT NULL AND NEW.hold IS NOT DISTINCT FROM OLD.hold)
    EXECUTE FUNCTION reconciler_clear_hold();
CREATE TRIGGER llm_parameters_keep_default BEFORE UPDATE OR DELETE ON llm_parameters
    FOR EACH ROW WHEN (OLD.name = 'default') EXECUTE FUNCTION reconciler_keep_default();
CREATE TRIGGER llm_parameters_restore_default AFTER TRUNCATE ON llm_parameters
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_restore_default();
"""

VIEW = """
CREATE VIEW effective_models AS
SELECT m.id, m.provider_name, m.model_id, p.kind,
       m.is_active AND COALESCE(p.is_active, TRUE) AS is_active,
       m.mode, m.version, m.limits, m.capabilities, m.labels, m.hold, m.last_verified,
       s.name AS parameters_name,
       jsonb_strip_nulls(to_jsonb(s) - ARRAY['id', 'name', 'description', 'use_case', 'labels', 'is_active',
                                             'generation', 'created_at', 'updated_at']) AS parameters,
       t.name AS template_name, t.system_prompt, t.context_prefix, t.query_prefix, t.answer_prefix
FROM provider_model_configs m
LEFT JOIN providers p ON p.name = m.provider_name
JOIN llm_parameters s ON s.id = m.parameters_id
LEFT JOIN prompt_templates t ON t.id = m.prompt_template_id;
"""

BUILT_IN = """
INSERT INTO registry (id) VALUES (1);
INSERT INTO llm_parameters (name, description)
VALUES ('default', 'Built in: every parameter at the provider''s own default');
"""


def upgrade() -> None:
    triggers = "".join(TRIGGERS.format(table=table, parts=parts) for table, parts in AUDITED.items())
    # The driver's own connection: several statements in one text, and no bind parameters looked for in it.
    driver = op.get_bind().connection.driver_connection
    # Before the triggers: what is built in is no event of the trail.
    driver.execute(TABLES + BUILT_IN + FUNCTIONS + triggers + RULES + VIEW)
