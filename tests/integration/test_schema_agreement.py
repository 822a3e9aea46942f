"""The migrations and the table classes make the same database, and the comparison would notice if not."""

import psycopg
import pytest
from sqlalchemy import create_engine
from support import postgres, schema

from reconciler.store import ddl, migrate
from reconciler.store.session import sqlalchemy_url
from reconciler.store.tables import Base

CLASSES = {
    "Provider": "providers",
    "LLMParameters": "llm_parameters",
    "PromptTemplate": "prompt_templates",
    "ProviderModelConfig": "provider_model_configs",
    "RegistryRow": "registry",
    "ManagedEntity": "managed_entities",
    "Source": "sources",
    "SourceFile": "source_files",
    "ReconcileRun": "reconcile_runs",
    "Lease": "leases",
    "Override": "overrides",
    "ModelVerification": "model_verification",
    "VerificationBudget": "verification_budgets",
    "VerificationResult": "verification_results",
    "ModelUsage": "model_usage",
    "AuditEvent": "audit_events",
}

# What somebody may have forgotten in one of the two places.
ONE_SIDED = [
    "DROP TRIGGER providers_record_truncate ON providers",
    "DROP TRIGGER model_verification_record_update ON model_verification",
    "DROP TRIGGER provider_model_configs_mark_update ON provider_model_configs",
    "DROP TRIGGER overrides_record_insert ON overrides",
    "DROP TRIGGER registry_notify ON registry",
    "ALTER FUNCTION reconciler_record_override() RESET timezone",
    "GRANT EXECUTE ON FUNCTION reconciler_raised() TO PUBLIC",
    "ALTER TABLE model_usage DROP CONSTRAINT model_usage_calls_check",
    "ALTER TABLE verification_budgets DROP CONSTRAINT verification_budgets_used_check",
    "GRANT EXECUTE ON FUNCTION reconciler_record_status() TO PUBLIC",
    "ALTER TABLE providers DISABLE TRIGGER providers_touch",
    "ALTER TABLE provider_model_configs ALTER COLUMN mode SET DEFAULT 'completion'",
    "ALTER TABLE provider_model_configs ALTER COLUMN is_active DROP NOT NULL",
    "ALTER TABLE source_files ALTER COLUMN sha256 TYPE VARCHAR(64)",
    'ALTER TABLE managed_entities ALTER COLUMN key TYPE TEXT COLLATE "POSIX"',
    "ALTER TABLE provider_model_configs RENAME CONSTRAINT provider_model_configs_hold_check TO hold_check",
    "ALTER TABLE overrides DROP CONSTRAINT overrides_time_check",
    "DROP INDEX provider_model_configs_parameters_id_idx",
    "DROP TABLE audit_events_default",
    "ALTER SEQUENCE audit_events_id_seq OWNED BY NONE",
    "ALTER SEQUENCE verification_results_id_seq INCREMENT 2",
    "ALTER FUNCTION reconciler_record() SECURITY INVOKER",
    "GRANT EXECUTE ON FUNCTION reconciler_record() TO PUBLIC",
    "GRANT SELECT ON audit_events TO PUBLIC",
    "GRANT USAGE ON SCHEMA public TO pg_monitor",
    "GRANT UPDATE (is_active) ON providers TO PUBLIC",
    "ALTER VIEW effective_models SET (security_barrier = true)",
    "CREATE OR REPLACE FUNCTION reconciler_setting(name TEXT) RETURNS TEXT LANGUAGE sql AS 'SELECT name'",
]


@pytest.fixture(scope="module")
def migrated(server_url, migrated_template):
    """One database for all tests of this module that change nothing for good."""
    with postgres.fresh_database(server_url, migrated_template) as url, psycopg.connect(url) as connection:
        yield connection


def made_by_classes(url):
    engine = create_engine(sqlalchemy_url(url))
    Base.metadata.create_all(engine)
    engine.dispose()
    return schema.whole(url)


def test_every_table_has_its_class():
    assert {mapper.class_.__name__: mapper.local_table.name for mapper in Base.registry.mappers} == CLASSES


def test_migrations_and_tables_make_the_same_schema_and_the_same_first_rows(migrated, empty_database):
    dumped, rows = made_by_classes(empty_database)
    assert dumped == schema.dump(migrated)
    assert rows == schema.rows(migrated)


def test_a_new_database_holds_what_is_built_in_and_nothing_else(migrated):
    begun = {table: len(found) for table, found in schema.rows(migrated).items() if found}
    assert begun == {"reconciler_version": 1, "llm_parameters": 1, "registry": 1}


def test_the_schema_has_a_line_for_everything(migrated):
    lines = schema.dump(migrated).splitlines()
    assert sum(line.startswith("trigger ") for line in lines) == 4 * 5 + 5 + 5 * 4 + 4 + 1
    assert sum(line.startswith("function ") for line in lines) == 12
    assert any(line.startswith("view effective_models") for line in lines)
    for table in ("audit_events", "verification_results"):
        assert any(f"{table}_default" in line and f"partition of {table} DEFAULT" in line for line in lines)
        assert any(f"sequence {table}_id_seq" in line and f"owned by {table}.id" in line for line in lines)


@pytest.mark.parametrize("change", ONE_SIDED)
def test_a_change_on_one_side_is_seen(migrated, change):
    before = schema.dump(migrated)
    with migrated.transaction(force_rollback=True):
        migrated.execute(change)
        assert schema.dump(migrated) != before
    assert schema.dump(migrated) == before


def test_a_change_of_a_first_row_is_seen(migrated):
    before = schema.rows(migrated)
    with migrated.transaction(force_rollback=True):
        migrated.execute("UPDATE registry SET generation = 1")
        assert schema.rows(migrated) != before


def test_the_classes_leave_a_migrated_database_as_it_is(database):
    before = schema.whole(database)
    assert made_by_classes(database) == before


def test_a_database_made_by_the_classes_needs_no_migration(empty_database):
    before = made_by_classes(empty_database)
    assert migrate.upgrade(empty_database) == (migrate.head(), migrate.head())
    assert schema.whole(empty_database) == before
    assert migrate.head() == ddl.REVISION


def test_dropping_the_tables_leaves_nothing(empty_database):
    before = schema.whole(empty_database)
    made_by_classes(empty_database)
    engine = create_engine(sqlalchemy_url(empty_database))
    Base.metadata.drop_all(engine)
    engine.dispose()
    assert schema.whole(empty_database) == before
