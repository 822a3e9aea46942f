"""Setting up and upgrading the tables: wholly or not at all, once, and never backwards."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from support import schema

from reconciler.errors import ProviderConfigError, SchemaError
from reconciler.store import migrate
from reconciler.store.session import connect


def execute(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def revision(url):
    with psycopg.connect(url, autocommit=True) as connection:
        return migrate.revision(connection)


def test_an_empty_database_is_brought_to_the_newest_revision(empty_database):
    assert revision(empty_database) is None
    assert migrate.upgrade(empty_database) == (None, migrate.head())
    assert revision(empty_database) == migrate.head()


def test_a_second_upgrade_changes_nothing(database):
    before = schema.whole(database)
    assert migrate.upgrade(database) == (migrate.head(), migrate.head())
    assert schema.whole(database) == before


def test_two_upgrades_at_once_take_turns(empty_database):
    together = Barrier(2)

    def upgrade(_):
        together.wait(timeout=30)
        return migrate.upgrade(empty_database)

    with ThreadPoolExecutor(2) as pool:
        done = set(pool.map(upgrade, range(2)))
    assert done == {(None, migrate.head()), (migrate.head(), migrate.head())}


@pytest.mark.parametrize(
    "in_the_way",
    [
        pytest.param("CREATE TABLE audit_events_default (x INTEGER)", id="among the tables"),
        pytest.param("CREATE VIEW effective_models AS SELECT 1", id="at the end"),
    ],
)
def test_an_upgrade_that_fails_leaves_nothing_behind(empty_database, in_the_way):
    execute(empty_database, in_the_way)
    before = schema.whole(empty_database)
    with pytest.raises(ProviderConfigError, match="already exists"):
        migrate.upgrade(empty_database)
    assert schema.whole(empty_database) == before
    assert revision(empty_database) is None


def test_a_newer_database_is_left_alone(database):
    execute(database, "UPDATE reconciler_version SET version_num = '9999'")
    before = schema.whole(database)
    with pytest.raises(SchemaError, match="newer") as caught:
        migrate.upgrade(database)
    assert caught.value.hint == "upgrade llm-reconciler on this machine"
    assert schema.whole(database) == before


@pytest.mark.parametrize(
    ("found", "message", "hint"),
    [
        pytest.param("9999", "newer", "upgrade llm-reconciler", id="newer"),
        pytest.param("0000", "older", "reconciler db upgrade", id="older"),
    ],
)
def test_tables_of_another_revision_are_an_error_that_says_what_to_do(database, found, message, hint):
    execute(database, f"UPDATE reconciler_version SET version_num = '{found}'")
    with pytest.raises(SchemaError, match=message) as caught:
        migrate.check_current(revision(database))
    assert hint in caught.value.hint


@pytest.mark.parametrize("found", [pytest.param(None, id="none"), pytest.param("head", id="current")])
def test_missing_and_current_tables_are_no_error(found):
    migrate.check_current(migrate.head() if found else None)


def test_the_newest_revision_by_file_name_is_the_one_that_the_scripts_lead_to():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrate.location()))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]


def test_tables_of_our_names_that_are_not_ours_are_in_the_way_of_plan_and_apply_alike(empty_database):
    execute(empty_database, "CREATE TABLE providers (id INTEGER)")
    for ask in (revision, migrate.upgrade):
        with pytest.raises(SchemaError, match="tables named providers and no record of our migrations"):
            ask(empty_database)


def test_a_registry_that_lost_its_version_is_no_empty_database(database):
    execute(database, "DELETE FROM reconciler_version")
    with pytest.raises(SchemaError, match="no record of our migrations"):
        revision(database)


def test_a_revision_that_nobody_knows_is_named(database):
    execute(database, "UPDATE reconciler_version SET version_num = '0000'")
    with pytest.raises(SchemaError, match="revision 0000, which this program does not know"):
        migrate.upgrade(database)


def test_what_is_built_in_is_no_event_of_the_trail(database):
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)


def release(url, number):
    """Make the tables as an earlier release made them."""
    from alembic import command

    with connect(url) as driver, migrate._bound(driver) as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, number)


def test_a_registry_of_the_first_release_keeps_everything_and_tells_statuses_from_then_on(empty_database):
    release(empty_database, "0001")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        # A month of the trail that somebody made, with what is in it.
        connection.execute(
            "CREATE TABLE audit_events_early PARTITION OF audit_events FOR VALUES FROM ('2020-01-01') TO"
            " ('2020-02-01')"
        )
        connection.execute(
            "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
            " SELECT 'p', 'm', id FROM llm_parameters"
        )
        connection.execute(
            "INSERT INTO model_verification (model_id, status, failures) SELECT id, 'verified', 1"
            " FROM provider_model_configs"
        )
        kept = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in KEPT}
        assert migrate.upgrade(empty_database) == ("0001", migrate.head())
        assert {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in KEPT} == kept
        connection.execute("UPDATE model_verification SET status = 'failing', outcome = 'auth_failed'")
        told = "SELECT address, before, after FROM audit_events WHERE action = 'verify'"
        assert connection.execute(told).fetchall() == [
            ("model:p/m", {"status": "verified"}, {"status": "failing", "outcome": "auth_failed"})
        ]
        partition = "INSERT INTO audit_events (at, transaction, database_user, action, address) VALUES"
        connection.execute(f"{partition} ('2020-01-15', 1, 'x', 'verify', 'model:p/m')")


KEPT = ("provider_model_configs", "model_verification", "audit_events", "llm_parameters", "registry")


def test_a_registry_of_the_second_release_keeps_everything_and_tells_readers_from_then_on(empty_database):
    release(empty_database, "0002")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE registry SET generation = 41")
        connection.execute("INSERT INTO providers (name, kind, generation) VALUES ('p', 'openai', 41)")
        connection.execute(
            "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id, generation)"
            " SELECT 'p', 'm', id, 41 FROM llm_parameters"
        )
        connection.execute(
            "INSERT INTO overrides (kind, key, fields, reason, ends_at)"
            " VALUES ('model', 'p/m', '{\"is_active\": false}', 'a fire', '2040-01-01')"
        )
        connection.execute("CREATE ROLE upgrade_reader")
        try:
            connection.execute("GRANT SELECT ON effective_models TO upgrade_reader")
            tables = ("providers", *KEPT)
            kept = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
            assert migrate.upgrade(empty_database) == ("0002", migrate.head())
            assert {
                table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables
            } == kept
            may = "SELECT has_table_privilege('upgrade_reader', 'effective_models', 'SELECT')"
            assert connection.execute(may).fetchone() == (True,)
        finally:
            connection.execute("DROP OWNED BY upgrade_reader")
            connection.execute("DROP ROLE upgrade_reader")
        assert connection.execute("SELECT is_active FROM effective_models").fetchall() == [(False,)]
        connection.execute("UPDATE providers SET base_url = 'https://x.example'")
        connection.execute("UPDATE overrides SET ends_at = '2041-01-01'")
        marks = "SELECT generation FROM registry UNION ALL SELECT generation FROM providers"
        assert connection.execute(marks).fetchall() == [(43,), (42,)]
        told = "SELECT address FROM audit_events WHERE action = 'override'"
        assert connection.execute(told).fetchall() == [("model:p/m",)]


def test_an_upgraded_registry_is_as_a_new_one(empty_database, database):
    release(empty_database, "0002")
    migrate.upgrade(empty_database)
    assert schema.whole(empty_database) == schema.whole(database)
