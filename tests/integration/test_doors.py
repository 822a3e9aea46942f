"""The two ways in: connections of an engine, and a caller's own session, whose transaction stays theirs."""

import logging

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from support.rows import insert_model

from reconciler.core.address import Address
from reconciler.core.changes import Create
from reconciler.core.problem import Place
from reconciler.core.state import Desired
from reconciler.errors import LockHeldError, StoreUnavailableError, UsageError
from reconciler.store import bulk, lock, record
from reconciler.store.doors import EngineDoor, SessionDoor
from reconciler.store.record import RunContext
from reconciler.store.session import StaleReadError, connect, sqlalchemy_url
from reconciler.store.tables import LLMParameters

CONTEXT = RunContext("a program", "0", "a test")
SETTINGS = (
    *("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "enable_nestloop"),
    *("work_mem", "reconciler.run", "reconciler.source", "reconciler.actor", "reconciler.reason"),
    "reconciler.cause",
)
THEIRS = {"lock_timeout": "7s", "statement_timeout": "9s", "work_mem": "5MB", "reconciler.actor": "them"}


def parameter_set(name, **spec):
    return Create(
        Address("parameters", name), "code", Desired(Address("parameters", name), spec, True, Place("", 0, 1))
    )


def write(connection, *changes, lock_timeout=5.0, at=bulk.nowhere):
    """Write changes as the service does: one transaction, or a part of the caller's."""
    with lock.writing(connection, lock_timeout=lock_timeout) as generation:
        record.announce(connection, None, CONTEXT)
        bulk.write_rows(connection, changes, is_pending=lambda _: False, generation=generation + 1, at=at)
        lock.raise_generation(connection, generation + 1)


def fail(point):
    if point == "between-statements":
        raise StaleReadError("A row changed.")


@pytest.fixture
def engine(database):
    engine = create_engine(sqlalchemy_url(database))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def other(database):
    """Somebody who sees what is committed."""
    with connect(database) as connection:
        yield connection


def names(connection):
    asked = "SELECT name FROM llm_parameters WHERE name <> 'default' ORDER BY name"
    return [name for (name,) in connection.execute(asked)]


def generation(connection):
    return connection.execute("SELECT generation FROM registry").fetchone()[0]


def settings(session):
    return {
        name: session.scalar(text("SELECT current_setting(:name, true)"), {"name": name}) or ""
        for name in SETTINGS
    }


# -- an engine


def test_each_call_through_an_engine_is_a_transaction_of_its_own(engine, other):
    door = EngineDoor(engine)
    with door.opened() as connection:
        assert connection.autocommit
        write(connection, parameter_set("a"))
        assert names(other) == ["a"]
        write(connection, parameter_set("b"))
    assert (names(other), generation(other)) == (["a", "b"], 2)
    with door.opened() as connection, pytest.raises(StaleReadError):
        write(connection, parameter_set("c"), at=fail)
    assert (names(other), generation(other)) == (["a", "b"], 2)


def test_a_connection_goes_back_to_the_pool_as_it_was(engine):
    with EngineDoor(engine).opened() as connection:
        pid = connection.info.backend_pid
        write(connection, parameter_set("a"))
    with engine.connect() as theirs:
        assert theirs.scalar(text("SELECT pg_backend_pid()")) == pid
        assert not theirs.connection.driver_connection.autocommit
        assert theirs.scalar(text("SHOW lock_timeout")) == "0"


def test_calls_beside_an_engine_are_calls_of_the_engine(engine, other):
    with EngineDoor(engine).beside() as connection:
        write(connection, parameter_set("a"))
    assert names(other) == ["a"]


def test_a_server_that_went_away_is_told_once(engine, other):
    door = EngineDoor(engine)
    with door.opened() as connection:
        pid = connection.info.backend_pid
    other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(StoreUnavailableError, match="out of reach"), door.opened() as connection:
        write(connection, parameter_set("a"))
    with door.opened() as connection:
        write(connection, parameter_set("a"))
    assert names(other) == ["a"]


def test_an_engine_that_reaches_nobody_is_an_error_of_ours():
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailableError, match="out of reach"), EngineDoor(engine).opened():
        pass


def test_a_pool_that_is_used_up_is_an_error_of_ours(database):
    engine = create_engine(sqlalchemy_url(database), pool_size=1, max_overflow=0, pool_timeout=0.01)
    with (
        engine.connect(),
        pytest.raises(StoreUnavailableError, match="No connection could be had"),
        EngineDoor(engine).opened(),
    ):
        pass
    engine.dispose()


# -- a session


def test_two_writes_in_one_transaction_of_the_callers_are_theirs_to_commit(session, other):
    door = SessionDoor(session)
    for name in ("a", "b"):
        with door.opened() as connection:
            write(connection, parameter_set(name))
    assert (names(other), generation(other)) == ([], 0)
    session.commit()
    assert (names(other), generation(other)) == (["a", "b"], 2)
    found = dict(other.execute("SELECT name, generation FROM llm_parameters").fetchall())
    assert (found["a"], found["b"]) == (1, 2)


def test_two_writes_under_one_lock_are_one_generation(session, other):
    with (
        SessionDoor(session).opened() as connection,
        lock.writing(connection, lock_timeout=1) as before,
    ):
        for name in ("a", "b"):
            bulk.write_rows(
                connection, [parameter_set(name)], is_pending=lambda _: False, generation=before + 1
            )
        lock.raise_generation(connection, before + 1)
    session.commit()
    assert (names(other), generation(other)) == (["a", "b"], 1)


def test_the_callers_rollback_undoes_everything(session, other):
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))
    session.rollback()
    assert (names(other), generation(other)) == ([], 0)
    assert other.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))
    session.commit()
    assert (names(other), generation(other)) == (["a"], 1)


def test_what_a_program_writes_is_in_the_trail_as_codes(session, other):
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a", temperature=0.5))
    session.commit()
    asked = "SELECT action, address, run, source, actor, cause, reason FROM audit_events"
    assert other.execute(asked).fetchall() == [
        ("insert", "parameters:a", None, None, "a program", "code", "a test")
    ]
    assert other.execute("SELECT count(*) FROM managed_entities").fetchone() == (0,)


@pytest.mark.parametrize("at", [pytest.param(bulk.nowhere, id="success"), pytest.param(fail, id="failure")])
def test_what_the_caller_has_set_is_as_before(session, at):
    for name, value in THEIRS.items():
        session.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
    before = settings(session)
    try:
        with SessionDoor(session).opened() as connection:
            write(connection, *(parameter_set(f"s{number}") for number in range(bulk.FEW + 1)), at=at)
    except StaleReadError:
        assert at is fail
    assert settings(session) == before
    assert before.items() >= THEIRS.items()


def test_a_table_of_the_callers_by_any_plain_name_is_left_alone(session):
    for name in ("planned", "found", "read_files"):
        session.execute(text(f"CREATE TEMPORARY TABLE {name} AS SELECT 1 AS kept"))
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))
    for name in ("planned", "found", "read_files"):
        assert session.scalar(text(f"SELECT kept FROM {name}")) == 1


def test_a_session_goes_on_after_a_failure_of_ours(session, other):
    session.add(LLMParameters(name="theirs"))
    with pytest.raises(StaleReadError), SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"), at=fail)
    with (
        pytest.raises(StoreUnavailableError, match="does not exist"),
        SessionDoor(session).opened(reading=True) as connection,
    ):
        connection.execute("SELECT * FROM nothing_of_that_name")
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("b"))
    session.commit()
    assert names(other) == ["b", "theirs"]


def test_a_registry_that_somebody_holds_leaves_the_session_usable(session, other):
    with other.transaction():
        other.execute("SELECT FROM registry FOR UPDATE")
        with pytest.raises(LockHeldError, match="Another run"), SessionDoor(session).opened() as connection:
            write(connection, parameter_set("a"), lock_timeout=0)
    assert session.scalar(text("SELECT 1")) == 1
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))


def test_what_is_pending_is_written_first_and_what_is_loaded_is_read_again(session):
    loaded = LLMParameters(name="theirs", temperature=0.1)
    session.add(loaded)
    with SessionDoor(session).opened() as connection:
        assert names(connection) == ["theirs"]
        with lock.writing(connection, lock_timeout=1):
            connection.execute("UPDATE llm_parameters SET temperature = 0.9 WHERE name = 'theirs'")
    assert loaded.temperature == 0.9
    loaded.temperature = 0.2
    with SessionDoor(session).opened(reading=True) as connection:
        pass
    read = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *said: read.append(said[2]))
    assert (loaded.temperature, read) == (0.2, [])


def test_a_transaction_that_the_caller_began_with_a_savepoint_is_theirs_too(session, other):
    with session.begin_nested() as part:
        with SessionDoor(session).opened() as connection:
            write(connection, parameter_set("a"))
        part.rollback()
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("b"))
    session.commit()
    assert (names(other), generation(other)) == (["b"], 1)


def test_a_session_in_repeatable_read_writes_and_is_told_of_a_race(engine, other):
    with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as session:
        with SessionDoor(session).opened() as connection:
            write(connection, parameter_set("a"))
        assert session.scalar(text("SHOW transaction_isolation")) == "repeatable read"
        session.commit()
        assert session.scalars(select(LLMParameters.name)).all() == ["default", "a"]
        write(other, parameter_set("b"))
        with pytest.raises(StaleReadError) as caught, SessionDoor(session).opened() as connection:
            write(connection, parameter_set("c"))
        assert caught.value.exit_status == 3
        assert session.scalar(text("SELECT 1")) == 1
        session.rollback()
        with SessionDoor(session).opened() as connection:
            write(connection, parameter_set("c"))
        session.commit()
    assert (names(other), generation(other)) == (["a", "b", "c"], 3)


def test_a_session_that_commits_by_itself_does_so_call_by_call(engine, other):
    with Session(engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        with SessionDoor(session).opened() as connection:
            write(connection, parameter_set("a"))
        assert names(other) == ["a"]
        with pytest.raises(StaleReadError), SessionDoor(session).opened() as connection:
            write(connection, parameter_set("b"), at=fail)
        session.rollback()
    assert (names(other), generation(other)) == (["a"], 1)


def test_a_session_whose_transaction_failed_says_so(session, other):
    with pytest.raises(Exception, match="division"):
        session.execute(text("SELECT 1 / 0"))
    with pytest.raises(StoreUnavailableError, match="has failed") as caught, SessionDoor(session).opened():
        pass
    assert (caught.value.code, caught.value.hint) == (
        "session-unusable",
        "roll it back, or begin another one",
    )
    session.rollback()
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))
    session.commit()
    assert names(other) == ["a"]


def test_what_the_session_had_pending_and_cannot_be_written_is_an_error_of_ours(session):
    session.add(LLMParameters(name="x", max_new_tokens=0))
    with pytest.raises(StoreUnavailableError, match="max_new_tokens_check"), SessionDoor(session).opened():
        pass
    session.rollback()
    with SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))


def test_calls_beside_a_session_outlive_its_rollback(session, other):
    with SessionDoor(session).opened() as connection:
        assert names(connection) == []
    with SessionDoor(session).beside() as connection:
        write(connection, parameter_set("a"))
    session.rollback()
    assert names(other) == ["a"]


def test_calls_beside_a_session_of_one_connection_have_another(engine, other):
    with (
        engine.connect() as held,
        Session(bind=held) as session,
        SessionDoor(session).opened() as ours,
        SessionDoor(session).beside() as beside,
    ):
        assert ours.info.backend_pid != beside.info.backend_pid


def write_when_cut_off(connection, other):
    other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    write(connection, parameter_set("a"))


def test_a_database_that_went_away_is_an_error_of_ours_and_the_session_recovers(session, other, caplog):
    with (
        pytest.raises(StoreUnavailableError, match="out of reach") as caught,
        SessionDoor(session).opened() as connection,
    ):
        write_when_cut_off(connection, other)
    assert caught.value.code == "database-unavailable"
    session.rollback()
    with caplog.at_level(logging.ERROR), SessionDoor(session).opened() as connection:
        write(connection, parameter_set("a"))
    session.commit()
    assert (names(other), caplog.records) == (["a"], [])


# -- not a way in


@pytest.mark.parametrize("door", [EngineDoor, lambda engine: SessionDoor(Session(engine))])
def test_another_driver_is_refused_with_what_to_write(door):
    engine = create_engine("sqlite://")
    with pytest.raises(UsageError, match="psycopg 3") as caught, door(engine).opened():
        pass
    assert (caught.value.code, caught.value.hint) == ("wrong-driver", "create it with postgresql+psycopg://…")
    engine.dispose()


@pytest.mark.parametrize("given", [None, "postgresql://localhost/llm", AsyncSession()])
def test_what_is_no_session_is_refused_at_once(given):
    with pytest.raises(UsageError, match="no Session") as caught:
        SessionDoor(given)
    assert caught.value.code == "wrong-session"


def test_a_session_without_a_database_is_an_error_of_ours():
    door = SessionDoor(Session())
    for way in (door.opened, door.beside):
        with pytest.raises(StoreUnavailableError) as caught, way():
            pass
        assert caught.value.code == "session-unusable"


def test_a_row_that_somebody_holds_is_waited_for_without_the_registry(engine, other, database):
    insert_model(other, "p/a")
    tries = []

    def attempt():
        with EngineDoor(engine).opened() as connection, lock.writing(connection, lock_timeout=1):
            tries.append(1)
            if len(tries) == 3:
                other.rollback()
            connection.execute("UPDATE provider_model_configs SET version = '2', generation = 9")
        return "done"

    other.execute("BEGIN")
    other.execute("UPDATE provider_model_configs SET version = '1'")
    with pytest.raises(lock.RowHeldError):
        lock.patiently(attempt, lock_timeout=0)
    assert lock.patiently(attempt, lock_timeout=5) == "done"
    assert len(tries) == 3
