"""The reader for request handlers: the service's answers, for many tasks at once, and whatever happens to the
database or to a task.
"""

import asyncio
import time

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from support import postgres
from support.reading_models import hold, make_small_registry, reader

from reconciler.errors import ProviderConfigError, SchemaError, StoreUnavailableError, UsageError
from reconciler.runtime.async_reader import AsyncProviderConfigReader
from reconciler.store.session import sqlalchemy_url

ASKED = [("openai", "gpt-4o"), ("openai", "gone"), ("nobody", "ghost"), ("openai", "a\0b"), ("openai", "o1")]
CONDITIONS = (
    {},
    {"active_only": True},
    {"provider": "openai"},
    {"label": "team=rag"},
    {"label": {"team": None}},
    {"verified_only": True},
    {"provider": "a\0b"},
)


@pytest.fixture(scope="module")
def small(server_url, migrated_template):
    """A small registry that nobody changes."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        with psycopg.connect(url) as connection:
            make_small_registry(connection)
            hold(connection, "openai/o1", is_active=True, parameters={"seed": 5}, prompt_template="brief")
            connection.execute("UPDATE provider_model_configs SET limits = '[1]' WHERE model_id = 'ghost'")
        yield url


def opened(url, **options):
    return AsyncProviderConfigReader.opened(url, **options)


async def eventually(ask, *, within=20.0):
    """Ask until the answer is true, and let others go on meanwhile."""
    end = time.monotonic() + within
    while not await ask():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True


def test_it_answers_what_the_service_answers(small):
    async def read():
        async with opened(small) as found:
            models = await found.get_provider_models(ASKED)
            singles = [await found.get_provider_model(*pair) for pair in ASKED]
            return models, tuple(singles), [await found.list_providers(**one) for one in CONDITIONS]

    models, singles, lists = asyncio.run(read())
    with reader(small) as service:
        assert models == singles == service.get_provider_models(ASKED)
        assert lists == [service.list_providers(**one) for one in CONDITIONS]
    assert [model and model.is_active for model in models] == [True, None, True, None, True]


def test_inside_a_callers_session_it_reads_what_they_wrote_and_ends_nothing(small):
    async def read():
        engine = create_async_engine(sqlalchemy_url(small))
        async with AsyncSession(engine) as session:
            found = AsyncProviderConfigReader(session)
            await session.execute(text("UPDATE llm_parameters SET seed = 99 WHERE name = 'warm'"))
            assert (await found.get_provider_model("openai", "gpt-4o")).parameters.seed == 99
            assert len(await found.list_providers(active_only=True)) == 3
            assert session.in_transaction()
            await session.rollback()
            assert (await found.get_provider_model("openai", "gpt-4o")).parameters.seed is None
        await engine.dispose()

    asyncio.run(read())


def test_a_callers_transaction_survives_what_could_not_be_read(empty_database):
    async def read():
        engine = create_async_engine(sqlalchemy_url(empty_database))
        async with AsyncSession(engine) as session:
            await session.execute(text("CREATE TABLE mine (id INT)"))
            with pytest.raises(SchemaError):
                await AsyncProviderConfigReader(session).list_providers()
            await session.execute(text("SELECT * FROM mine"))
        await engine.dispose()

    asyncio.run(read())


def test_a_transaction_of_the_callers_that_has_failed_is_named(small):
    async def read():
        engine = create_async_engine(sqlalchemy_url(small))
        async with AsyncSession(engine) as session:
            with pytest.raises(Exception, match="nothing_of_ours"):
                await (await session.connection()).exec_driver_sql("SELECT nothing_of_ours")
            with pytest.raises(StoreUnavailableError, match="has failed") as caught:
                await AsyncProviderConfigReader(session).list_providers()
            assert caught.value.code == "session-unusable"
        await engine.dispose()

    asyncio.run(read())


def test_many_tasks_share_few_connections(small):
    async def read():
        async with opened(small, connections=2) as found:
            answers = await asyncio.gather(*(found.get_provider_model("openai", "gpt-4o") for _ in range(50)))
            return answers, await _others(small)

    answers, connections = asyncio.run(read())
    assert len({answer.id for answer in answers}) == 1
    assert connections <= 2


async def _others(url):
    async with await psycopg.AsyncConnection.connect(url) as connection:
        asked = await connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        (number,) = await asked.fetchone()
        return number


def test_at_its_end_no_connection_is_left(small):
    async def read():
        async with opened(small) as found:
            await found.list_providers()

        async def are_gone():
            return await _others(small) == 0

        assert await eventually(are_gone)

    asyncio.run(read())


def test_a_task_that_is_cancelled_leaves_its_connection_usable(small):
    async def read():
        async with (
            opened(small, connections=1) as found,
            await psycopg.AsyncConnection.connect(small) as other,
        ):
            await found.list_providers()
            await other.execute("LOCK TABLE provider_model_configs")
            for _ in range(3):
                waiting = asyncio.create_task(found.get_provider_model("openai", "gpt-4o"))
                assert await eventually(lambda: _is_waiting(small))
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            await other.rollback()
            assert (await found.get_provider_model("openai", "gpt-4o")) is not None
            assert await _others(small) <= 2

    asyncio.run(read())


async def _is_waiting(url):
    async with await psycopg.AsyncConnection.connect(url) as connection:
        asked = await connection.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock')"
        )
        return (await asked.fetchone())[0]


def test_after_its_connections_were_cut_it_reads_on_at_once(small):
    async def read():
        async with opened(small, connections=2) as found:
            await asyncio.gather(found.list_providers(), found.list_providers())
            async with await psycopg.AsyncConnection.connect(small, autocommit=True) as other:
                await other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            return [len(await found.list_providers()) for _ in range(4)]

    assert asyncio.run(read()) == [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("spoilt", "refusal"),
    [
        pytest.param("postgresql://u:hunter2@127.0.0.1:1/x", StoreUnavailableError, id="nobody listens"),
        pytest.param("postgresql://u:hunter2@no.such.host.invalid/x", StoreUnavailableError, id="no host"),
        pytest.param("mysql://u:hunter2@localhost/x", UsageError, id="another database"),
        pytest.param("postgresql://u:hunt@er2/x@localhost/x", UsageError, id="a password not encoded"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(spoilt, refusal):
    async def read():
        async with opened(spoilt) as found:
            await found.get_provider_model("openai", "gpt-4o")

    with pytest.raises(refusal) as caught:
        asyncio.run(read())
    assert isinstance(caught.value, ProviderConfigError)
    assert "hunter2" not in str(caught.value)


def test_a_role_that_may_not_enter_is_told(small, server_url):
    async def read():
        async with opened(small.replace("@/", "-nobody@/", 1)) as found:
            await found.list_providers()

    with pytest.raises(StoreUnavailableError):
        asyncio.run(read())


def test_a_reader_whose_connections_are_all_taken_says_so(small):
    async def read():
        async with (
            opened(small, connections=1, patience=0.1) as found,
            await psycopg.AsyncConnection.connect(small) as other,
        ):
            await other.execute("LOCK TABLE provider_model_configs")
            waiting = asyncio.create_task(found.list_providers())
            assert await eventually(lambda: _is_waiting(small))
            with pytest.raises(StoreUnavailableError):
                await found.list_providers()
            await other.rollback()
            assert len(await waiting) == 4

    asyncio.run(read())


def test_a_database_without_our_tables_says_what_to_do(empty_database):
    async def read():
        async with opened(empty_database) as found:
            for ask in (found.list_providers, lambda: found.get_provider_model("openai", "gpt-4o")):
                with pytest.raises(SchemaError) as caught:
                    await ask()
                assert "db upgrade" in str(caught.value.hint)

    asyncio.run(read())


def test_a_time_that_python_cannot_hold_costs_its_own_field(database):
    async def read():
        with psycopg.connect(database) as connection:
            make_small_registry(connection)
            connection.execute("UPDATE provider_model_configs SET last_verified = 'infinity', version = '7'")
        async with opened(database) as found:
            return await found.list_providers()

    assert {(model.last_verified, model.version) for model in asyncio.run(read())} == {(None, "7")}


def test_what_is_no_text_is_refused(small):
    async def read():
        async with opened(small) as found:
            with pytest.raises(UsageError):
                await found.get_provider_model("openai", None)
            with pytest.raises(UsageError):
                await found.list_providers(provider=5)

    asyncio.run(read())
