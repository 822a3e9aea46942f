"""The service beside others and in trouble: rollbacks, threads, processes, hand edits, a dead database."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from support import providers, registering, services
from support.polling import eventually
from support.ports import free_port
from support.registry_dump import entities
from support.rows import insert

from reconciler.core.address import Address
from reconciler.errors import (
    LockHeldError,
    NotFoundError,
    ProviderConfigError,
    RegistrationError,
    SchemaError,
    StoreUnavailableError,
)
from reconciler.runtime.provider_config import ProviderConfigService
from reconciler.store.doors import EngineDoor

MANY = 10_000


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def engine(database):
    with services.engine_of(database) as made:
        yield made


def within(session, fake=None):
    return ProviderConfigService(session, settings=services.settings(fake), environ=services.environ())


def seen(connection):
    return entities(connection), services.generation(connection), services.trail(connection)


def everything(service, base_url="http://127.0.0.1:9/v1"):
    """One of each kind of write."""
    service.register_provider("acme", base_url=base_url)
    service.register_parameters({"name": "s", "top_p": 0.5})
    service.register_prompt_template({"name": "t", "system_prompt": "x"})
    service.register_provider_model("acme", "gpt-4", "s", "t")
    service.update_provider_model("acme", "gpt-4", {"version": "2"})
    service.verify_provider_model("acme", "gpt-4")
    service.reactivate_provider_model("acme", "gpt-4")
    service.update_parameters("s", {"top_p": 0.6})


def test_a_callers_rollback_undoes_everything(engine, connection):
    before = seen(connection)
    with providers.FakeProviders() as fake, Session(engine) as session:
        service = within(session, fake)
        everything(service, fake.openai)
        assert service.get_provider_model("acme", "gpt-4").is_active
        assert seen(connection) == before
        session.rollback()
        assert service.get_provider_model("acme", "gpt-4") is None
    assert seen(connection) == before
    assert connection.execute("SELECT count(*) FROM model_verification").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM verification_results").fetchone() == (0,)


def test_a_callers_commit_keeps_everything_with_what_they_wrote_themselves(engine, connection):
    with Session(engine) as session:
        session.execute(text("INSERT INTO llm_parameters (name) VALUES ('theirs')"))
        everything(within(session))
        session.commit()
    assert {"theirs", "s"} <= {address.key for address in entities(connection)}
    assert services.generation(connection) > 0


def test_a_call_that_fails_leaves_the_callers_transaction_as_it_was(engine, connection):
    with Session(engine) as session:
        service = within(session)
        service.register_parameters({"name": "mine"})
        for call in (
            lambda: service.register_parameters({"name": "bad", "top_k": "x"}),
            lambda: service.register_provider_model("openai", "m", "gone"),
            lambda: service.deactivate_provider("gone"),
        ):
            with pytest.raises(ProviderConfigError):
                call()
        session.execute(text("INSERT INTO llm_parameters (name) VALUES ('theirs')"))
        session.commit()
    assert {address.key for address in entities(connection)} == {"mine", "theirs"}


def test_nothing_of_ours_stays_set_in_a_callers_transaction(engine):
    asked = text(
        "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
        " current_setting('enable_nestloop'), current_setting('reconciler.actor', true),"
        " (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())"
    )
    with Session(engine) as session:
        session.execute(text("SET LOCAL lock_timeout = '7s'"))
        everything(within(session))
        everything(within(session))
        assert session.execute(asked).one() == ("7s", "0", "on", "", 0)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
def test_a_session_of_another_isolation_is_no_different(database, connection, isolation):
    with services.engine_of(database, isolation_level=isolation) as engine, Session(engine) as session:
        everything(within(session))
        session.commit()
    assert Address("model", "acme/gpt-4") in entities(connection)


def test_what_another_transaction_of_that_isolation_cannot_see_is_a_conflict(database, connection):
    with (
        services.engine_of(database, isolation_level="REPEATABLE READ") as engine,
        Session(engine) as session,
    ):
        session.execute(text("SELECT 1 FROM registry"))
        with services.through_engine(database) as other:
            other.register_parameters({"name": "s", "top_p": 0.1})
        with pytest.raises(ProviderConfigError) as raised:
            within(session).register_parameters({"name": "s", "top_p": 0.2})
        assert raised.value.code == "conflict"
        session.rollback()
        assert within(session).register_parameters({"name": "s", "top_p": 0.2}).top_p == 0.2


def test_many_threads_use_one_service(database, connection):
    def register(number):
        shared = {"name": "shared", "top_p": 0.5}
        own = service.register_provider_model("openai", f"m{number}", shared, verify=False)
        same = service.register_provider_model("openai", "same", shared, verify=False)
        service.reactivate_provider_model("openai", f"m{number}")
        return own.model_id, same.id, service.get_provider_model("openai", f"m{number}").is_active

    with services.through_engine(database) as service, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(register, range(24)))
    assert [own for own, _, _ in found] == [f"m{number}" for number in range(24)]
    assert len({same for _, same, _ in found}) == 1
    assert all(active for *_, active in found)
    assert sum(address.kind == "model" for address in entities(connection)) == 25


def test_programs_that_register_the_same_at_once_all_succeed(database, connection):
    names = ("one", "two", "three")
    with registering.programs(database, names) as children:
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        answers = [child.stdout.readline().strip() for child in children]
        assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    assert answers == [str(registering.SHARED + 1)] * 3
    models = [address for address in entities(connection) if address.kind == "model"]
    assert len(models) == registering.SHARED + len(names)
    assert sum(event[1] == "parameters:s" for event in services.trail(connection)) == 1


@pytest.mark.timeout(60)
def test_a_hand_edit_that_is_committed_meanwhile_is_read_again(database, connection):
    with services.through_engine(database) as service, ThreadPoolExecutor(1) as thread:
        service.register_parameters({"name": "s", "top_p": 0.1})
        with psycopg.connect(database) as hand:
            hand.execute("UPDATE llm_parameters SET seed = 7 WHERE name = 's'")
            waiting = thread.submit(service.update_parameters, "s", {"top_p": 0.2})
            assert eventually(lambda: _is_somebody_waiting(connection))
            hand.commit()
        assert waiting.result().values == {"top_p": 0.2, "seed": 7}


def _is_somebody_waiting(connection):
    asked = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database())"
    )
    return connection.execute(asked).fetchone()[0]


def test_whoever_holds_the_registry_is_waited_for_as_long_as_the_operator_wants(database, connection):
    with services.through_engine(database, lock_timeout=0.2) as service, psycopg.connect(database) as other:
        other.execute("SELECT FROM registry FOR UPDATE")
        with pytest.raises(LockHeldError):
            service.register_parameters({"name": "s"})
        other.rollback()
        assert service.register_parameters({"name": "s"}).name == "s"


def test_ten_thousand_models_in_one_batch(database, connection):
    asked = [
        {
            "provider_name": f"provider-{number % 40}",
            "model_id": f"model-{number}",
            "parameters": {"name": f"set-{number % 1000}", "temperature": number % 1000 / 1000},
            "base_url": f"https://provider-{number % 40}.example/v1",
            "activation": "immediate",
        }
        for number in range(MANY)
    ]
    with services.through_engine(database) as service:
        found = service.register_provider_models(asked, verify=False)
        assert [model.model_id for model in found] == [f"model-{number}" for number in range(MANY)]
        assert all(model.is_active for model in found)
        assert found[1234].parameters.temperature == 0.234
        before = services.generation(connection), services.trail(connection)
        assert service.register_provider_models(asked, verify=False) == found
        assert (services.generation(connection), services.trail(connection)) == before
        switched = service.deactivate_provider_models(
            [(one["provider_name"], one["model_id"]) for one in asked]
        )
    assert not any(model.is_active for model in switched)
    assert connection.execute(
        "SELECT count(*) FROM provider_model_configs WHERE NOT is_active"
    ).fetchone() == (MANY,)


# In trouble

CALLS = {
    "register_provider_model": lambda s: s.register_provider_model("openai", "m"),
    "register_provider_models": lambda s: s.register_provider_models([]),
    "update_provider_model": lambda s: s.update_provider_model("openai", "m", {"version": "1"}),
    "verify_provider_model": lambda s: s.verify_provider_model("openai", "m"),
    "deactivate_provider_model": lambda s: s.deactivate_provider_model("openai", "m"),
    "register_parameters": lambda s: s.register_parameters({"name": "s"}),
    "update_prompt_template": lambda s: s.update_prompt_template("t", {}),
    "register_provider": lambda s: s.register_provider("openai"),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
def test_a_database_that_is_not_there_is_told(call):
    engine = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    through = ProviderConfigService.through(EngineDoor(engine), environ={})
    with Session(engine) as session:
        for service in (through, ProviderConfigService(session, environ={})):
            with pytest.raises(StoreUnavailableError):
                call(service)
    engine.dispose()


@each_call
def test_a_database_that_dies_under_a_session_is_told(engine, connection, call):
    with Session(engine) as session:
        session.execute(text("SELECT 1"))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreUnavailableError):
            call(within(session))
        session.rollback()
        assert within(session).register_parameters({"name": "again"}).name == "again"


@each_call
def test_a_session_that_is_closed_is_told(engine, call):
    session = Session(engine, close_resets_only=False)
    session.close()
    with pytest.raises(StoreUnavailableError) as raised:
        call(within(session))
    assert raised.value.code == "session-unusable"


@each_call
def test_a_transaction_that_has_failed_is_told(engine, call):
    with Session(engine) as session:
        with pytest.raises(Exception, match="division by zero"):
            session.execute(text("SELECT 1 / 0"))
        with pytest.raises(StoreUnavailableError) as raised:
            call(within(session))
        assert raised.value.code == "session-unusable"


@each_call
def test_a_database_without_our_tables_is_told(empty_database, call):
    with services.through_engine(empty_database) as service, pytest.raises(SchemaError):
        call(service)


def test_a_constraint_of_a_person_is_a_refusal_of_the_database(database, connection):
    connection.execute(
        "ALTER TABLE llm_parameters ADD CONSTRAINT ours CHECK (top_p > 0.3 OR name = 'default')"
    )
    with services.through_engine(database) as service, pytest.raises(StoreUnavailableError) as raised:
        service.register_parameters({"name": "s", "top_p": 0.1})
    assert raised.value.code == "database-refused"


def test_a_name_that_a_hand_took_meanwhile_is_used(database, connection):
    """A row of that name appears between the reading and the writing, as a hand makes it."""
    connection.execute("""
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.name = 's' AND pg_trigger_depth() = 1 AND NOT EXISTS (SELECT FROM prompt_templates) THEN
                RAISE EXCEPTION SQLSTATE '40001';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER meddle BEFORE INSERT ON llm_parameters FOR EACH ROW EXECUTE FUNCTION meddle();
    """)
    with services.through_engine(database) as service:
        with pytest.raises(ProviderConfigError) as raised:
            service.register_parameters({"name": "s"})
        assert raised.value.code == "conflict"
        insert(connection, "prompt_templates", name="t")
        assert service.register_parameters({"name": "s"}).name == "s"


def test_errors_in_one_thread_stay_there(database):
    start = threading.Barrier(4)

    def call(number):
        start.wait(timeout=30)
        if number % 2:
            return service.register_parameters({"name": f"s{number}"}).name
        with pytest.raises((RegistrationError, NotFoundError)):
            service.register_provider_model("openai", "m", f"gone{number}")
        return None

    with services.through_engine(database) as service, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(call, range(4))) == [None, "s1", None, "s3"]
