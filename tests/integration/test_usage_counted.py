"""What calls cost: counted by whatever program asks, however odd what it is told, and written before anybody
reads it or the program ends.
"""

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.orm import Session
from support.polling import eventually

from reconciler import (
    Generator,
    LLMProvider,
    Piece,
    ProviderConfigService,
    ProviderFactory,
    Reply,
    UsageError,
    open_reader,
    open_registry,
    open_service,
)
from reconciler.errors import StoreUnavailableError
from reconciler.runtime import loop, recorder
from reconciler.store import usage
from reconciler.store.session import connect, sqlalchemy_url


class Parrot(LLMProvider):
    """Repeats what it is told, for as many tokens as it is told."""

    async def reply(self, _target, prompt, _inputs):
        return Reply(prompt.user, output_tokens=int(prompt.user))

    async def pieces(self, _target, _prompt):
        for number in range(100):
            yield Piece(f"{number} ")
            await asyncio.sleep(0.01)


@pytest.fixture
def cage(database):
    ProviderFactory.register("openai-compatible", Parrot)
    with open_service(database) as service:
        for model in ("jack", "polly"):
            service.register_provider_model(
                "parrots", model, base_url="http://127.0.0.1:1/v1", activation="immediate", verify=False
            )
    yield database
    ProviderFactory._registered.clear()


def counted(url):
    """Calls and tokens by model, as they are stored."""
    with connect(url) as connection:
        return {row.model_id: (row.calls, row.output_tokens) for row in usage.read(connection)}


@pytest.mark.parametrize(("said", "stored"), [(-1, 0), (3, 3), (2**53, 2**53), (2**80, 2**53)])
def test_an_odd_count_of_one_model_keeps_nothing_from_being_written(cage, said, stored):
    with open_service(cage) as service:
        with Generator(service) as generator:
            generator.generate("parrots", "polly", str(said))
            generator.generate("parrots", "jack", "1")
        assert {row.model_id: row.output_tokens for row in service.usage()} == {"jack": 1, "polly": stored}


def test_what_postgresql_never_takes_is_dropped_and_the_rest_is_written(cage, caplog):
    counting = recorder.Recorder(lambda: connect(cage))
    counting.count("parrots", "polly", "ok\0", latency_ms=1)
    counting.count("parrots", "\ud800", "ok", latency_ms=1)
    counting.count("parrots", "polly", "ok", latency_ms=-1)
    counting.count("parrots", "jack", "ok", latency_ms=2**40)
    assert counting.flush()
    assert counted(cage) == {"jack": (1, 0)}
    assert "PostgreSQL refused it" in caplog.text


def test_a_reader_of_coroutines_counts_too(cage):
    async def ask():
        async with open_reader(cage) as reader:
            await Generator(reader).agenerate("parrots", "polly", "2")

    asyncio.run(ask())
    assert counted(cage) == {"polly": (1, 2)}


def test_usage_tells_what_this_program_asked_by_another_way(cage):
    with open_service(cage) as service, open_registry(cage) as registry:
        Generator(registry).generate("parrots", "polly", "4")
        assert [(row.model_id, row.output_tokens) for row in service.usage()] == [("polly", 4)]


def test_a_registry_that_closes_writes_what_was_asked(cage):
    with open_registry(cage) as registry:
        Generator(registry).generate("parrots", "polly", "4")
    assert counted(cage) == {"polly": (1, 4)}


def test_what_another_thread_is_writing_is_waited_for(cage):
    entered, go_on = threading.Event(), threading.Event()

    def opened():
        entered.set()
        assert go_on.wait(20)
        return connect(cage)

    counting = recorder.Recorder(opened)
    counting.count("parrots", "polly", "ok", latency_ms=1)
    writing = threading.Thread(target=counting.flush)
    writing.start()
    assert entered.wait(20)
    results = []
    asking = threading.Thread(target=lambda: results.append((counting.flush(), counted(cage))))
    asking.start()
    assert asking.is_alive()
    go_on.set()
    asking.join()
    writing.join()
    assert results == [(True, {"polly": (1, 0)})]


@pytest.mark.parametrize("times", [10])
def test_a_stream_that_is_left_just_before_the_end_is_counted(cage, caplog, times):
    for _ in range(times):
        with open_service(cage) as service:
            for _ in Generator(service).stream("parrots", "polly", "?"):
                break
    assert counted(cage)["polly"][0] == times
    assert caplog.text == ""


def test_what_a_closed_service_cannot_write_is_told_at_once(cage, caplog):
    with open_service(cage) as service:
        model = ProviderFactory(service).create_provider("parrots", "polly")
    model.generate("1")
    model.close()
    assert caplog.messages == ["The usage of 1 calls was dropped: The service is closed."]


def test_a_writer_outlives_whatever_an_engine_raises(cage, monkeypatch):
    monkeypatch.setattr(recorder, "INTERVAL", 0.02)
    monkeypatch.setattr(recorder, "_writer", recorder._Writer())
    engine = sqlalchemy.create_engine(sqlalchemy_url(cage), poolclass=sqlalchemy.NullPool)
    attempts = []

    @event.listens_for(engine, "do_connect")
    def ask_for_a_token(*_):
        if attempts is not None:
            attempts.append(1)
            raise ConnectionError("the tokens are away")

    tokens_away, attempts = attempts, None
    with Session(engine) as session:
        model = ProviderFactory(ProviderConfigService(session)).create_provider("parrots", "polly")
        attempts = tokens_away
        model.generate("1")
        assert eventually(lambda: len(tokens_away) > 2)
        attempts = None
        model.generate("1")
        assert eventually(lambda: counted(cage) == {"polly": (2, 2)})


def test_a_stream_does_not_wait_in_the_loop_that_it_waits_for(cage):
    with open_service(cage) as service:
        model = ProviderFactory(service).create_provider("parrots", "polly")

        async def begin_here():
            return next(model.stream("?"))

        with pytest.raises(UsageError) as caught:
            loop.submit(begin_here()).result(20)
        assert caught.value.code == "own-loop"
        begun = model.stream("?")

        async def read_here():
            return next(begun)

        with pytest.raises(UsageError) as caught:
            loop.submit(read_here()).result(20)
        assert caught.value.code == "own-loop"


@pytest.mark.parametrize("wrong", [datetime(2026, 3, 1), "yesterday", 0])  # noqa: DTZ001 - that is what is wrong
def test_a_time_that_is_none_is_refused(cage, wrong):
    with open_service(cage) as service, pytest.raises(UsageError) as caught:
        service.usage(since=wrong)
    assert caught.value.code == "bad-time"


def test_usage_since_the_beginning_of_time(cage):
    with open_service(cage) as service:
        assert service.usage(since=datetime.min.replace(tzinfo=UTC)) == ()


ENDING = """
import asyncio, sys
from reconciler import Generator, LLMProvider, Piece, ProviderFactory, open_service

class Parrot(LLMProvider):
    async def pieces(self, target, prompt):
        for number in range(100):
            yield Piece("word ")
            await asyncio.sleep(1)

ProviderFactory.register("openai-compatible", Parrot)
opened = open_service(sys.argv[1])
stream = Generator(opened.__enter__()).stream("parrots", "polly", "?")
print(next(stream))
"""


def test_a_program_that_ends_in_the_middle_of_a_stream_counts_it(cage):
    ran = subprocess.run(
        [sys.executable, "-c", ENDING, cage], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("word \n", "", 0)
    assert counted(cage) == {"polly": (1, 0)}


FORKING = """
import os, sys
from reconciler import open_service

def look(service):
    for _ in range(100):
        assert [model.model_id for model in service.list_providers()] == ["jack", "polly"]
        assert service.get_parameters("nothing") is None

with open_service(sys.argv[1]) as service:
    look(service)
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                look(service)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    look(service)
    print([os.waitpid(child, 0)[1] for child in children])
"""


def test_children_have_connections_of_their_own(cage):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, cage],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("[0, 0, 0]\n", "", 0)


def test_a_service_out_of_reach_keeps_what_was_counted(cage):
    def unreachable():
        raise StoreUnavailableError("PostgreSQL is out of reach.")

    counting = recorder.Recorder(unreachable)
    counting.count("parrots", "polly", "ok", latency_ms=1)
    assert not counting.flush()
    counting._opened = lambda: connect(cage)
    assert counting.flush()
    assert counted(cage) == {"polly": (1, 0)}
