"""The specification's table stands as it is written, with what the registry adds beside it."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import create_engine
from support import postgres

from reconciler.store.session import sqlalchemy_url
from reconciler.store.tables import Base

# The specification's own statement, word for word.
SPECIFIED = """
CREATE TABLE provider_model_configs (
    id SERIAL PRIMARY KEY,
    model_id VARCHAR(255) NOT NULL,
    provider_name VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    last_verified TIMESTAMP WITH TIME ZONE,
    parameters_id INTEGER NOT NULL REFERENCES llm_parameters(id) ON DELETE CASCADE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    UNIQUE(provider_name, model_id)
);
"""
COLUMNS = [
    pytest.param("id", "integer", False, "nextval('provider_model_configs_id_seq'::regclass)", id="id"),
    pytest.param("model_id", "character varying(255)", False, None, id="model_id"),
    pytest.param("provider_name", "character varying(255)", False, None, id="provider_name"),
    pytest.param("is_active", "boolean", False, "true", id="is_active"),
    pytest.param("last_verified", "timestamp with time zone", True, None, id="last_verified"),
    pytest.param("parameters_id", "integer", False, None, id="parameters_id"),
    pytest.param("created_at", "timestamp with time zone", False, "now()", id="created_at"),
    pytest.param("updated_at", "timestamp with time zone", False, "now()", id="updated_at"),
]
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'provider_model_configs'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_CONSTRAINTS = """
SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'provider_model_configs'::regclass AND contype IN ('p', 'u', 'f')
"""


@pytest.fixture(scope="module")
def connection(server_url):
    """A database as the classes make it, which the migrations agree with."""
    with postgres.fresh_database(server_url) as url:
        engine = create_engine(sqlalchemy_url(url))
        Base.metadata.create_all(engine)
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


def columns(connection):
    return {row[0]: row[1:] for row in connection.execute(_COLUMNS)}


@pytest.mark.parametrize(("name", "kind", "nullable", "default"), COLUMNS)
def test_a_column_is_as_specified(connection, name, kind, nullable, default):
    assert columns(connection)[name] == (kind, nullable, default)


def test_the_keys_are_as_specified(connection):
    found = {tuple(row) for row in connection.execute(_CONSTRAINTS)}
    assert found == {
        ("p", "PRIMARY KEY (id)"),
        ("u", "UNIQUE (provider_name, model_id)"),
        ("f", "FOREIGN KEY (parameters_id) REFERENCES llm_parameters(id) ON DELETE CASCADE"),
        ("f", "FOREIGN KEY (prompt_template_id) REFERENCES prompt_templates(id)"),
    }


def test_the_specifications_own_statement_makes_no_column_or_key_that_ours_lacks(connection, empty_database):
    with psycopg.connect(empty_database) as other:
        other.execute("CREATE TABLE llm_parameters (id SERIAL PRIMARY KEY)")
        other.execute(SPECIFIED)
        specified, keys = columns(other), {tuple(row) for row in other.execute(_CONSTRAINTS)}
    assert specified.items() <= columns(connection).items()
    assert [name for name in columns(connection) if name in specified] == list(specified)
    assert keys <= {tuple(row) for row in connection.execute(_CONSTRAINTS)}


def test_a_row_of_the_specifications_columns_alone_is_enough(connection):
    with connection.transaction(force_rollback=True):
        row = connection.execute(
            "INSERT INTO provider_model_configs (model_id, provider_name, parameters_id)"
            " SELECT 'granite-13b', 'watsonx', id FROM llm_parameters"
            " RETURNING is_active, last_verified, created_at = updated_at, mode, labels, hold, generation"
        ).fetchone()
        assert row == (True, None, True, "chat", {}, None, 0)
        with pytest.raises(errors.UniqueViolation):
            connection.execute(
                "INSERT INTO provider_model_configs (model_id, provider_name, parameters_id)"
                " SELECT 'granite-13b', 'watsonx', id FROM llm_parameters"
            )
