"""The registry's generation: every committed change raises it, and the changed rows bear it, whoever made
them. So a reader who has seen a generation asks for the rows beyond it, and misses nothing.
"""

import re
import threading

import psycopg
import pytest
from psycopg import errors, sql
from support.polling import eventually
from support.rows import insert, insert_model, insert_override
from support.small_states import model, models, parameters, provider, run, state

from reconciler.store.session import connect

TABLES = ("providers", "llm_parameters", "prompt_templates", "provider_model_configs", "overrides")
# Each table, and a change of a row in it.
EDITS = [
    pytest.param("providers", "base_url = 'https://x.example/v1'", id="provider"),
    pytest.param("llm_parameters", "temperature = 0.9", id="parameters"),
    pytest.param("prompt_templates", "query_prefix = 'Q:'", id="template"),
    pytest.param("provider_model_configs", "version = '2'", id="model"),
    pytest.param("overrides", "ends_at = ends_at + interval '1 hour'", id="override"),
]


@pytest.fixture
def hand(database):
    """A person's connection: every statement is a transaction."""
    with psycopg.connect(database, autocommit=True, application_name="psql") as connection:
        yield connection


@pytest.fixture
def filled(hand):
    """One row in each table, at the first generation."""
    with hand.transaction():
        insert(hand, "providers", name="p", kind="openai")
        insert(hand, "llm_parameters", name="base")
        insert(hand, "prompt_templates", name="words")
        insert_model(hand, "p/a")
        insert_override(hand, "p/a", {"is_active": False})
    assert generation(hand) == 1
    return hand


def generation(connection):
    return connection.execute("SELECT generation FROM registry").fetchone()[0]


def marks(connection, table):
    """The generations of a table's rows, by row; what is built in aside."""
    named = sql.Identifier(table)
    only = sql.SQL("WHERE name <> 'default'" if table == "llm_parameters" else "")
    asked = sql.SQL("SELECT generation FROM {} {} ORDER BY id").format(named, only)
    return [mark for (mark,) in connection.execute(asked)]


def edit(connection, table, change):
    only = sql.SQL("WHERE name <> 'default'" if table == "llm_parameters" else "")
    connection.execute(sql.SQL("UPDATE {} SET {} {}").format(sql.Identifier(table), sql.SQL(change), only))


# -- what raises it


def test_a_new_registry_is_at_none(hand):
    assert generation(hand) == 0


@pytest.mark.parametrize(("table", "change"), EDITS)
def test_a_hand_edit_raises_it_by_one_and_marks_the_row(filled, table, change):
    edit(filled, table, change)
    assert generation(filled) == 2
    assert {name: marks(filled, name) for name in TABLES} == {
        name: [2] if name == table else [1] for name in TABLES
    }


@pytest.mark.parametrize(("table", "_"), EDITS)
def test_a_deleted_row_raises_it_by_one(filled, table, _):
    only = "WHERE name <> 'default'" if table == "llm_parameters" else ""
    filled.execute(sql.SQL("DELETE FROM {} {}").format(sql.Identifier(table), sql.SQL(only)))
    assert (generation(filled), marks(filled, table)) == (2, [])


@pytest.mark.parametrize("table", TABLES)
def test_a_truncate_raises_it_by_one(filled, table):
    filled.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
    assert (generation(filled), marks(filled, table)) == (2, [])


def test_the_built_in_set_that_comes_back_after_a_truncate_is_news(filled):
    filled.execute("TRUNCATE llm_parameters CASCADE")
    found = filled.execute("SELECT name, generation FROM llm_parameters").fetchall()
    assert found == [("default", 2)]
    with pytest.raises(errors.CheckViolation, match="built in"):
        filled.execute("UPDATE llm_parameters SET generation = 7, temperature = 1")


@pytest.mark.parametrize("count", [2, 8, 9, 10, 500])
def test_an_edit_of_many_rows_raises_it_once_and_marks_them_all(hand, count):
    hand.execute(
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
        " SELECT 'p', 'm' || n, (SELECT id FROM llm_parameters) FROM generate_series(1, %s) n",
        [count],
    )
    assert (generation(hand), marks(hand, "provider_model_configs")) == (1, [1] * count)
    hand.execute("UPDATE provider_model_configs SET version = '2'")
    assert (generation(hand), marks(hand, "provider_model_configs")) == (2, [2] * count)


def test_many_statements_of_one_transaction_raise_it_once(filled):
    with filled.transaction():
        for table, change in (parameter.values for parameter in EDITS):
            edit(filled, table, change)
        for number in range(30):
            with filled.transaction():
                insert_model(filled, f"p/more{number}")
        assert generation(filled) == 1
    assert generation(filled) == 2
    assert {mark for table in TABLES for mark in marks(filled, table)} == {2}


def test_only_rows_that_this_transaction_wrote_are_marked(hand, database):
    with hand.transaction(), psycopg.connect(database, autocommit=True) as other:
        insert(hand, "providers", name="mine", kind="openai")
        insert_model(other, "theirs/committed")
        for number in range(20):
            with hand.transaction():
                insert_model(hand, f"mine/{number}")
            insert_model(other, f"theirs/{number}")
    found = hand.execute(
        "SELECT provider_name, array_agg(DISTINCT generation) FROM provider_model_configs GROUP BY 1"
    ).fetchall()
    assert dict(found) == {"mine": [22], "theirs": list(range(1, 22))}


def test_constraints_made_immediate_raise_it_once_too(filled):
    with filled.transaction():
        filled.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for version in range(20):
            filled.execute("UPDATE provider_model_configs SET version = %s", [str(version)])
            insert_model(filled, f"p/{version}")
    assert (generation(filled), set(marks(filled, "provider_model_configs"))) == (2, {2})


# -- what does not


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE provider_model_configs SET last_verified = now()",
        "UPDATE provider_model_configs SET version = version, mode = mode",
        "UPDATE providers SET updated_at = now()",
        "UPDATE provider_model_configs SET version = '9' WHERE FALSE",
        "DELETE FROM overrides WHERE FALSE",
        "UPDATE sources SET origin = 'x'",
    ],
)
def test_what_tells_readers_nothing_raises_nothing(filled, statement):
    filled.execute(statement)
    assert generation(filled) == 1


def test_a_rollback_raises_nothing(filled):
    with filled.transaction(force_rollback=True):
        edit(filled, "providers", "base_url = 'https://x.example'")
        filled.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert generation(filled) == 2
    assert (generation(filled), marks(filled, "providers")) == (1, [1])


def test_a_savepoint_that_is_taken_back_takes_its_note_along(filled):
    with filled.transaction():
        with filled.transaction(force_rollback=True):
            edit(filled, "providers", "base_url = 'https://x.example'")
            filled.execute("SET CONSTRAINTS ALL IMMEDIATE")
        filled.execute("SET CONSTRAINTS ALL DEFERRED")
        edit(filled, "providers", "base_url = 'https://y.example'")
    assert (generation(filled), marks(filled, "providers")) == (2, [2])


def test_the_mark_moves_no_time_and_leaves_no_event(filled):
    filled.execute("UPDATE providers SET updated_at = '2020-01-01', base_url = 'https://x.example'")
    year = filled.execute("SELECT extract(year FROM updated_at) FROM providers").fetchone()
    events = filled.execute("SELECT count(*) FROM audit_events WHERE address = 'provider:p'").fetchone()
    assert (year, events, marks(filled, "providers")) == ((2020,), (2,), [2])


def test_writers_that_bring_their_generation_are_left_alone(filled):
    with filled.transaction():
        filled.execute("UPDATE registry SET generation = 5")
        filled.execute("UPDATE providers SET base_url = 'https://x.example', generation = 5")
        insert_override(filled, "p/a", {}, generation=5)
    assert (generation(filled), marks(filled, "providers"), marks(filled, "overrides")) == (5, [5], [1, 5])


def test_a_registry_that_lost_its_row_can_still_be_edited(filled):
    filled.execute("DELETE FROM registry")
    edit(filled, "providers", "base_url = 'https://x.example'")
    assert marks(filled, "providers") == [1]


def test_an_apply_raises_it_once_and_an_edit_after_it_once_more(database, hand):
    with connect(database) as connection:
        run(connection, state(provider("p"), parameters("base"), *models(20)))
        assert (generation(hand), set(marks(hand, "provider_model_configs"))) == (1, {1})
        hand.execute("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'm1'")
        assert (generation(hand), sum(mark == 2 for mark in marks(hand, "provider_model_configs"))) == (2, 1)
        run(connection, state(provider("p"), parameters("base"), *models(20)))
        assert generation(hand) == 3


# -- who may


def test_who_may_only_update_models_still_can_and_is_heard_of(filled, database):
    name = f"editor_{filled.info.dbname}"
    role = sql.Identifier(name)
    filled.execute(sql.SQL("CREATE ROLE {}").format(role))
    try:
        filled.execute(
            sql.SQL("GRANT SELECT (id, model_id), UPDATE (version) ON provider_model_configs TO {}").format(
                role
            )
        )
        with filled.transaction():
            filled.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
            filled.execute("SET LOCAL search_path = pg_catalog")
            filled.execute("UPDATE public.provider_model_configs SET version = '2' WHERE model_id = 'a'")
        assert (generation(filled), marks(filled, "provider_model_configs")) == (2, [2])
        with filled.transaction():
            filled.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
            with pytest.raises(errors.InsufficientPrivilege), filled.transaction():
                filled.execute("SELECT reconciler_raised()")
    finally:
        filled.execute(sql.SQL("DROP OWNED BY {}").format(role))
        filled.execute(sql.SQL("DROP ROLE {}").format(role))


# -- several at once


class Commit(threading.Thread):
    """A transaction that is committed beside the test's own."""

    def __init__(self, connection):
        super().__init__()
        self.connection, self.error = connection, None

    def run(self):
        try:
            self.connection.commit()
        except psycopg.Error as error:
            self.error = error


def test_generations_are_seen_in_the_order_of_commits(filled, database):
    """An edit that began first and commits last has the higher one; none is seen before those below it."""
    with psycopg.connect(database) as early, psycopg.connect(database) as late:
        early.execute("UPDATE providers SET base_url = 'https://early.example'")
        late.execute("UPDATE llm_parameters SET top_k = 1 WHERE name = 'base'")
        late.commit()
        assert (marks(filled, "llm_parameters"), marks(filled, "providers")) == ([2], [1])
        early.commit()
    assert (generation(filled), marks(filled, "providers")) == (3, [3])


def test_an_edit_that_is_open_does_not_keep_an_apply_from_writing_other_rows(database, filled):
    with connect(database) as connection, psycopg.connect(database) as person:
        person.execute("UPDATE providers SET base_url = 'https://x.example'")
        run(connection, state(provider("q"), model("q/a")), lock_timeout=0, source="other")
        assert generation(filled) == 2
        person.commit()
    assert (generation(filled), marks(filled, "providers")) == (3, [3, 2])


def test_two_edits_that_commit_at_once_take_turns(filled, database):
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute("UPDATE providers SET base_url = 'https://x.example'")
        first.execute("SET CONSTRAINTS ALL IMMEDIATE")
        second.execute("UPDATE provider_model_configs SET version = '2'")
        commit = Commit(second)
        commit.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        assert eventually(lambda: filled.execute(waits, [second.info.backend_pid]).fetchone())
        first.commit()
        commit.join()
    assert commit.error is None
    assert (marks(filled, "providers"), marks(filled, "provider_model_configs")) == ([2], [3])


# -- notifications


def test_a_commit_is_told_to_who_listens_with_its_schema_and_generation(filled, database):
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN reconciler_generation")
        with filled.transaction(force_rollback=True):
            edit(filled, "providers", "base_url = 'https://never.example'")
        edit(filled, "providers", "base_url = 'https://x.example'")
        edit(filled, "overrides", "reason = 'over'")
        told = [notice.payload for notice in listener.notifies(timeout=10, stop_after=2)]
        assert told == ["public 2", "public 3"]
        assert generation(listener) == 3


def test_an_apply_is_told_once(database):
    with connect(database) as connection, psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN reconciler_generation")
        run(connection, state(provider("p"), *models(3)))
        run(connection, state(provider("p"), *models(3)))
        connection.execute("NOTIFY reconciler_generation, 'the end'")
        told = [notice.payload for notice in listener.notifies(timeout=10, stop_after=2)]
        assert told == ["public 1", "the end"]


# -- what the conditions rest on


@pytest.mark.parametrize("table", TABLES)
def test_every_column_that_means_something_is_looked_at(hand, table):
    asked = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s"
    definition = hand.execute(asked, [f"{table}_mark_update"]).fetchone()[0]
    asked = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    columns = {column for (column,) in hand.execute(asked, [table])}
    unseen = {column for column in columns if not re.search(rf"new\.{column}[,)]", definition)}
    assert unseen == columns & {"generation", "updated_at", "last_verified"}
