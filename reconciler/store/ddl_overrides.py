"""Overrides in the database: the view that joins them in where models are read, and their part of the trail.
Text for `ddl`.
"""

from __future__ import annotations

# Times in the trail are UTC, whoever writes; the rows tell for themselves why they are there.
RECORD_OVERRIDE = """
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
END $$
"""

# What a hand has spoilt holds nothing: a value of the wrong type is as one that is not there.
VIEW = """
CREATE VIEW effective_models AS
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
LEFT JOIN prompt_templates h ON o.has_template AND h.name = o.template
"""
