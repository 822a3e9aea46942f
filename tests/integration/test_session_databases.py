"""The databases that the other tests get: one server, a template made once, and a copy for each test."""

import psycopg
import pytest
from support import postgres


def execute(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return [row[0] for row in cursor] if cursor.description else []


@pytest.fixture
def template(server_url, monkeypatch):
    monkeypatch.setattr(postgres, "TEMPLATE", "small_template")
    calls = []

    def upgrade(url):
        calls.append(url)
        execute(url, "CREATE TABLE IF NOT EXISTS things (name text)")

    names = [postgres.migrated_template(server_url, upgrade) for _ in range(2)]
    assert len(calls) == 1
    assert names == ["small_template"] * 2
    yield "small_template"
    execute(server_url, "DROP DATABASE small_template")


def test_a_copy_has_the_templates_tables_and_none_of_another_copys_rows(server_url, template):
    with (
        postgres.fresh_database(server_url, template) as one,
        postgres.fresh_database(server_url, template) as other,
    ):
        execute(one, "INSERT INTO things VALUES ('only here')")
        assert execute(one, "SELECT name FROM things") == ["only here"]
        assert execute(other, "SELECT name FROM things") == []


def test_a_database_is_dropped_also_while_somebody_is_connected(server_url):
    with postgres.fresh_database(server_url) as url:
        forgotten = psycopg.connect(url)
        (name,) = execute(url, "SELECT current_database()::text")
    assert name not in execute(server_url, "SELECT datname::text FROM pg_database")
    forgotten.close()


def test_an_empty_database_is_empty(empty_database):
    assert execute(empty_database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]


def test_the_session_server_does_not_wait_for_the_disk(server_url):
    assert execute(server_url, "SHOW fsync") == ["off"]
