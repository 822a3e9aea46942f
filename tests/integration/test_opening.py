"""The ways in for programs: which database they open, what they find there, and what they say when they
cannot; over real servers and sockets.
"""

import asyncio
import logging
import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support import checkout, pooling_proxy
from support.commands import clean_environment
from support.polling import eventually
from support.ports import free_port
from support.private_home import private_home

import reconciler
from reconciler.errors import ProviderConfigError, SchemaError, StoreUnavailableError, UsageError
from reconciler.store import migrate

PASSWORD = "canary-of-the-database"
OPENERS = 6


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """No setting of this machine's."""
    for name in [name for name in os.environ if name.startswith("RECONCILER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", "of the tests and of nobody else")


@contextmanager
def opened(way, url):
    """One of the three, whether it waits or not."""
    if way != "open_reader":
        with getattr(reconciler, way)(url) as found:
            yield found
        return
    with asyncio.Runner() as runner:
        reader = reconciler.open_reader(url)
        yield runner.run(reader.__aenter__())
        runner.run(reader.__aexit__(None, None, None))


def register(service, **more):
    return service.register_provider_model("openai", "gpt-4o", activation="immediate", verify=False, **more)


def connections(url):
    """How many others are connected to a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        (number,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
        return number


WAYS = ["open_service", "open_registry", "open_reader"]


def test_a_service_sets_an_empty_database_up_and_leaves_no_connection_behind(empty_database):
    with reconciler.open_service(empty_database) as service:
        assert len(service.list_providers()) == 0
        assert register(service).is_active
    assert eventually(lambda: connections(empty_database) == 0)
    with reconciler.open_service(empty_database) as service:
        assert service.get_provider_model("openai", "gpt-4o") is not None


def test_any_number_of_programs_may_open_an_empty_database_at_once(empty_database):
    barrier = threading.Barrier(OPENERS)

    def begin(number):
        barrier.wait()
        with reconciler.open_service(empty_database) as service:
            return service.register_provider_model("openai", f"gpt-{number}", verify=False).id

    with ThreadPoolExecutor(OPENERS) as pool:
        assert len(set(pool.map(begin, range(OPENERS)))) == OPENERS


def test_what_is_read_is_what_a_service_wrote(empty_database):
    with reconciler.open_service(empty_database) as service:
        register(service, parameters={"name": "warm", "temperature": 0.7})
    with opened("open_registry", empty_database) as registry:
        assert registry.get("openai", "gpt-4o").parameters.temperature == 0.7

    async def read():
        async with reconciler.open_reader(empty_database) as reader:
            asked = [reader.get_provider_model("openai", "gpt-4o") for _ in range(20)]
            return {one.parameters.temperature for one in await asyncio.gather(*asked)}

    assert asyncio.run(read()) == {0.7}
    assert eventually(lambda: connections(empty_database) == 0)


@pytest.mark.parametrize("way", ["open_registry", "open_reader"])
def test_who_only_reads_sets_nothing_up(way, empty_database):
    with pytest.raises(SchemaError, match="holds no registry") as caught, opened(way, empty_database):
        pass
    assert "db upgrade" in caught.value.hint
    with psycopg.connect(empty_database) as connection:
        assert migrate.revision(connection) is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("revision", "said", "hint"),
    [("0001", "older", "run: reconciler db upgrade"), ("9999", "newer", "upgrade llm-reconciler")],
)
def test_tables_of_another_release_are_left_alone(way, revision, said, hint, database):
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE reconciler_version SET version_num = %s", [revision])
    with pytest.raises(SchemaError, match=said) as caught, opened(way, database):
        pass
    assert caught.value.hint.startswith(hint)
    with psycopg.connect(database) as connection:
        assert migrate.revision(connection) == revision


@pytest.mark.parametrize("way", WAYS)
def test_no_database_is_an_error_that_names_both_choices(way):
    with pytest.raises(UsageError) as caught, opened(way, None):
        pass
    assert caught.value.code == "no-database"
    assert "RECONCILER_DATABASE_URL" in caught.value.hint
    assert {"postgresql://USER@HOST/DATABASE,", "embedded"} <= set(caught.value.hint.split())


@pytest.mark.parametrize("way", WAYS)
def test_the_environment_names_the_database_where_the_program_does_not(way, database, monkeypatch):
    monkeypatch.setenv("RECONCILER_DATABASE_URL", database)
    with opened(way, None) as found:
        assert found is not None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("spelled", "error"),
    [
        pytest.param(
            "postgresql://me:{password}@127.0.0.1:{port}/x", StoreUnavailableError, id="nobody there"
        ),
        pytest.param(
            "postgresql://me:{password}@no-such-host.invalid/x", StoreUnavailableError, id="no host"
        ),
        pytest.param("postgresql://me:{password}@se@127.0.0.1/x", UsageError, id="not encoded"),
        pytest.param("postgresql://me:{password}@127.0.0.1:port/x", UsageError, id="no port"),
        pytest.param("mysql://me:{password}@127.0.0.1/x", UsageError, id="another database"),
        pytest.param("{password}", UsageError, id="no URL"),
    ],
)
def test_a_wrong_url_is_one_error_without_its_password(way, spelled, error):
    url = spelled.format(password=PASSWORD, port=free_port())
    with pytest.raises(error) as caught, opened(way, url):
        pass
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert PASSWORD not in shown
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_is_not_there_is_one_error(way, database):
    url = database.replace("@/", "@/no_such_", 1)
    with pytest.raises(StoreUnavailableError, match="no_such_"), opened(way, url):
        pass


def test_a_session_is_told_where_it_belongs():
    with (
        pytest.raises(UsageError, match="by a text, not by a object") as caught,
        reconciler.open_service(object()),
    ):
        pass
    assert "ProviderConfigService(session)" in caught.value.hint


def test_a_registry_that_would_never_ask_is_refused(database):
    with pytest.raises(UsageError) as caught, reconciler.open_registry(database, poll=0):
        pass
    assert caught.value.code == "bad-poll"


def test_an_error_inside_closes_everything_too(database):
    with pytest.raises(ZeroDivisionError), reconciler.open_service(database) as service:
        assert 1 / len(service.list_providers())
    assert eventually(lambda: connections(database) == 0)


def test_a_service_that_is_closed_says_so(database):
    with reconciler.open_service(database) as service:
        service.list_providers()
    with pytest.raises(UsageError, match="closed") as caught:
        service.list_providers()
    assert caught.value.code == "closed"
    assert connections(database) == 0


def test_what_was_asked_is_written_before_the_service_closes(database):
    host = f"127.0.0.1:{free_port()}"
    with reconciler.open_service(database) as service:
        register(service, kind="vllm", base_url=f"http://{host}/v1")
        # Kept open, as by a program that ends with the service.
        generator = reconciler.Generator(service)
        with pytest.raises(reconciler.GenerationError):
            generator.generate("openai", "gpt-4o", "Where are the maps?")
    with reconciler.open_service(database) as service:
        assert [(row.outcome, row.calls) for row in service.usage()] == [("unreachable", 1)]


def test_who_calls_stands_in_the_trail(database):
    with reconciler.open_service(database, actor="the registration page") as service:
        register(service)
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT DISTINCT actor, application FROM audit_events").fetchall()
    assert rows == [("the registration page", "reconciler")]


def test_a_service_works_through_a_proxy_that_pools_transactions(database):
    with pooling_proxy.pooling_proxy(database) as proxy:
        through = proxy.url
        with reconciler.open_service(through) as service:
            register(service, parameters={"name": "warm", "temperature": 0.7})
            found = service.update_provider_model("openai", "gpt-4o", {"is_active": False})
        assert not found.is_active
        with opened("open_registry", through) as registry:
            assert not registry.get("openai", "gpt-4o").is_active


def test_a_service_outlives_a_restart_of_its_connections(database):
    with reconciler.open_service(database) as service:
        service.list_providers()
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert len(service.list_providers()) == 0


def test_many_threads_share_a_service(database):
    with reconciler.open_service(database) as service, ThreadPoolExecutor(30) as pool:
        register(service)
        found = list(pool.map(lambda _: service.get_provider_model("openai", "gpt-4o").id, range(300)))
    assert len(set(found)) == 1


def test_the_private_server_runs_as_long_as_it_is_open(monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="reconciler")
    with private_home() as home:
        monkeypatch.setenv("RECONCILER_HOME", str(home))
        with reconciler.open_service("embedded") as service:
            assert register(service).is_active
            with opened("open_registry", "embedded") as registry, opened("open_reader", "embedded"):
                assert registry.get("openai", "gpt-4o") is not None
    assert "Setting up the tables." in caplog.text


def test_no_driver_is_named_in_an_error():
    with (
        pytest.raises(ProviderConfigError) as caught,
        reconciler.open_service(f"postgresql://127.0.0.1:{free_port()}/x"),
    ):
        pass
    assert "sqlalche" not in str(caught.value)


IMPORTED = """
import sys
from reconciler import {name}
print(*sorted({{one.partition('.')[0] for one in sys.modules}}))
"""


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("open_service", {"sqlalchemy", "psycopg", "pydantic", "httpx2", "alembic"}),
        ("Registry", {"sqlalchemy", "httpx2", "alembic"}),
        ("ProviderConfigError", {"sqlalchemy", "psycopg", "pydantic", "httpx2"}),
        ("LLMParametersCreate", {"sqlalchemy", "psycopg", "httpx2"}),
        ("AsyncProviderConfigReader", {"sqlalchemy", "httpx2"}),
    ],
)
def test_a_name_is_imported_with_what_it_needs_and_no_more(name, absent):
    asked = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(name=name)],
        env=clean_environment(),
        cwd=Path(checkout.ROOT),
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(asked.stdout.split()) & absent == set()
