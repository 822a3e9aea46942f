"""Verification that is paid for and shared: a daily budget for each source, and statuses in the trail."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE verification_budgets (
    source TEXT NOT NULL,
    day DATE NOT NULL,
    used INTEGER NOT NULL DEFAULT 0 CONSTRAINT verification_budgets_used_check CHECK (used >= 0),
    CONSTRAINT verification_budgets_pkey PRIMARY KEY (source, day)
);
ALTER TABLE audit_events DROP CONSTRAINT audit_events_action_check;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_action_check
    CHECK (action IN ('insert', 'update', 'delete', 'truncate', 'verify'));
"""

# Only changes of the status are told, not every probe; what a model begins with is none. It is a full join
# because that is never made by trying each row with each, however few rows the planner takes them for.
FUNCTION = """
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
END $$;

-- As the trail's other writers: with its owner's rights, on our tables, and on nobody else's.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION reconciler_record_status() SECURITY DEFINER'
        ' SET search_path = %1$I, pg_temp', current_schema()); END $$;
REVOKE EXECUTE ON FUNCTION reconciler_record_status() FROM PUBLIC;
"""

TRIGGERS = """
CREATE TRIGGER model_verification_record_insert AFTER INSERT ON model_verification
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_status();
CREATE TRIGGER model_verification_record_update AFTER UPDATE ON model_verification
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record_status();
"""


def upgrade() -> None:
    # The driver's own connection: several statements in one text, and no bind parameters looked for in it.
    op.get_bind().connection.driver_connection.execute(TABLES + FUNCTION + TRIGGERS)
