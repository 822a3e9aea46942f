"""Models asked for their answers over real sockets, by programs of every kind: threads and coroutines, many
at once, impatient ones, and ones that leave early.
"""

import asyncio
import json
import logging
import os
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from support.certificates import write_certificates
from support.configured import TEMPLATE, Shelf, configured, trusting
from support.generating import GeneratingProviders
from support.polling import eventually
from support.ports import free_port
from support.providers import key
from support.scripted import OK, Scripted, says
from support.working_providers import WRITTEN, WorkingProviders

from reconciler.errors import GenerationError, NotFoundError, StatusError, UsageError
from reconciler.runtime import loop
from reconciler.runtime.generation import Generation
from reconciler.runtime.generator import Generator
from reconciler.runtime.providers import LLMProvider, OpenAIProvider

CANARY = key()
CHAT = "/openai/v1/chat/completions"
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SILENCE = 0.3
PATIENCE = 30.0


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


@pytest.fixture
def shelf(fake):
    embedder = configured("embedder", base_url=fake.openai, mode="embedding")
    return Shelf(configured("gpt-4", base_url=fake.openai, template=TEMPLATE), embedder)


@pytest.fixture
def environ():
    return {"OPENAI_API_KEY": CANARY}


@pytest.fixture
def generator(fake, shelf, environ):
    with Generator(shelf, settings=trusting(fake.host), environ=environ) as made:
        yield made


def scripted(server, **more):
    """A generator whose model is behind a scripted server."""
    shelf = Shelf(configured("m", base_url=f"http://{server.host}/v1"))
    return Generator(shelf, settings=trusting(server.host), environ={"OPENAI_API_KEY": CANARY}, **more)


def bit(text):
    """An event of a stream, as a bit of a body."""
    event = f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


class Silent:
    """A script that says something and then no more; it knows whether its client has gone."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.gone = threading.Event()

    def __call__(self, connection):
        connection.sendall(b"".join(self.pieces))
        connection.settimeout(PATIENCE)
        try:
            while connection.recv(65536):
                pass
        finally:
            self.gone.set()


# -- answers


def test_an_answer_comes_with_what_it_cost(generator, fake):
    answer = generator.generate("openai", "gpt-4", "Where are the {maps}?", context="A plan: %s")
    assert isinstance(answer, Generation)
    assert (answer, answer.text) == (WRITTEN, WRITTEN)
    assert (answer.provider, answer.model_id, answer.model) == ("openai", "gpt-4", "gpt-4")
    assert (answer.finish_reason, answer.input_tokens, answer.output_tokens) == ("length", 9, 12)
    assert 0 < answer.latency_ms < 60_000
    (asked,) = fake.sent(CHAT)
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Context: A plan: %s\n\nQuestion: Where are the {maps}?\n\nAnswer:"},
    ]
    assert "max_completion_tokens" not in asked


def test_parameters_go_by_the_names_of_the_wire(generator, fake, shelf):
    values = {"max_new_tokens": 7, "temperature": 0.25, "stop_sequences": ["END"], "top_k": 5}
    shelf.put(configured("gpt-4", base_url=fake.openai, parameters=values))
    generator.generate("openai", "gpt-4", "ping")
    (asked,) = fake.sent(CHAT)
    assert asked == {
        "model": "gpt-4",
        "messages": [{"role": "user", "content": "ping"}],
        "max_completion_tokens": 7,
        "temperature": 0.25,
        "stop": ["END"],
    }


def test_a_change_counts_from_the_next_call_on(generator, fake, shelf):
    for temperature in (0.1, 0.9):
        shelf.put(configured("gpt-4", base_url=fake.openai, parameters={"temperature": temperature}))
        generator.generate("openai", "gpt-4", "ping")
    assert [asked["temperature"] for asked in fake.sent(CHAT)] == [0.1, 0.9]
    assert shelf.asked == 2


def test_texts_become_embeddings_without_a_template(generator, fake):
    assert generator.embed("openai", "embedder", ["a map"]) == [[0.1, 0.2]]
    assert asyncio.run(generator.aembed("openai", "embedder", ["a map"])) == [[0.1, 0.2]]
    assert [asked["input"] for asked in fake.sent("/openai/v1/embeddings")] == [["a map"], ["a map"]]
    with pytest.raises(UsageError):
        generator.embed("openai", "gpt-4", ["a map"])
    answer = generator.generate("openai", "embedder", "a map")
    assert (answer, answer.values) == ("", [[0.1, 0.2]])


@pytest.mark.parametrize(("model", "kind"), [("claude-sonnet-4", "anthropic"), ("llama3:latest", "ollama")])
def test_other_protocols_answer_the_same(model, kind):
    with GeneratingProviders() as server:
        config = configured(model, provider="other", kind=kind, base_url=server.base_url(kind))
        environ = {"ANTHROPIC_API_KEY": CANARY}
        with Generator(Shelf(config), settings=trusting(server.host), environ=environ) as generator:
            answer = generator.generate("other", model, "ping")
    assert (answer, answer.input_tokens, answer.output_tokens) == ("pong", 3, 2)


# -- streams


def test_a_stream_is_pieces_and_then_the_whole(generator):
    stream = generator.stream("openai", "gpt-4", "ping")
    assert stream.generation is None
    pieces = list(stream)
    assert (len(pieces), "".join(pieces)) == (6, WRITTEN)
    assert all(type(piece) is str for piece in pieces)
    assert isinstance(stream.generation, Generation)
    assert stream.generation == WRITTEN
    assert (stream.generation.input_tokens, stream.generation.output_tokens) == (9, 12)
    assert list(stream) == []


def test_a_stream_may_be_taken_piece_by_piece(generator):
    with generator.stream("openai", "gpt-4", "ping") as stream:
        assert next(stream) == "a"
        assert next(stream) == "-canary"


def test_a_stream_of_coroutines_is_the_same(generator):
    async def run():
        stream = generator.astream("openai", "gpt-4", "ping")
        pieces = [piece async for piece in stream]
        async with generator.astream("openai", "gpt-4", "ping") as other:
            first = await anext(other)
        return pieces, stream.generation, first, other.generation

    pieces, whole, first, left = asyncio.run(run())
    assert ("".join(pieces), whole, whole.output_tokens) == (WRITTEN, WRITTEN, 12)
    assert (first, left) == ("a", None)


def test_a_stream_comes_as_it_is_written():
    go_on = threading.Event()

    def script(connection):
        connection.sendall(EVENTS + bit("one"))
        assert go_on.wait(PATIENCE)
        connection.sendall(bit(" two") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    with Scripted(script) as server, scripted(server) as generator:
        stream = generator.stream("openai", "m", "ping")
        assert next(stream) == "one"
        go_on.set()
        assert list(stream) == [" two"]


def leave_by_break(stream):
    for _ in stream:
        break


def leave_by_error(stream):
    with pytest.raises(KeyError), stream:
        raise KeyError(next(stream))


def leave_by_forgetting(stream):
    next(stream)


@pytest.mark.parametrize(
    "leave", [leave_by_break, leave_by_error, leave_by_forgetting, lambda one: one.close()]
)
def test_who_leaves_early_closes_the_connection(leave):
    script = Silent(EVENTS, bit("one"))
    with Scripted(script) as server, scripted(server) as generator:
        stream = generator.stream("openai", "m", "ping")
        assert next(iter([server.heads])) is not None
        assert eventually(lambda: server.heads)
        leave(stream)
        if leave is leave_by_forgetting:
            del stream
        assert script.gone.wait(PATIENCE)


def test_a_coroutine_that_leaves_early_closes_the_connection():
    script = Silent(EVENTS, bit("one"))

    async def run(generator):
        stream = generator.astream("openai", "m", "ping")
        async for piece in stream:
            assert piece == "one"
            break
        return await asyncio.to_thread(script.gone.wait, PATIENCE), stream.generation

    with Scripted(script) as server, scripted(server) as generator:
        assert asyncio.run(run(generator)) == (True, None)


def test_a_stream_that_breaks_off_is_an_error_after_its_pieces():
    with Scripted(says(EVENTS, bit("one"))) as server, scripted(server) as generator:
        stream = generator.stream("openai", "m", "ping")
        assert next(stream) == "one"
        with pytest.raises(GenerationError) as caught:
            next(stream)
        assert caught.value.outcome in {"unreachable", "bad_response"}
        assert (stream.generation, list(stream)) == (None, [])


def test_a_stream_that_falls_silent_is_an_error_in_time():
    with Scripted(Silent(EVENTS, bit("one"))) as server, scripted(server) as generator:
        stream = generator.stream("openai", "m", "ping", timeout=SILENCE)
        with pytest.raises(GenerationError) as caught:
            list(stream)
    assert caught.value.outcome == "timeout"


# -- failures


@pytest.mark.parametrize("call", ["generate", "agenerate", "stream", "astream"])
def test_a_wrong_key_is_an_error_that_does_not_repeat_it(generator, environ, caplog, call):
    caplog.set_level(logging.DEBUG)
    wrong = environ["OPENAI_API_KEY"] = f"{CANARY}-bad"
    with pytest.raises(GenerationError) as caught:
        called(generator, call)
    error = caught.value
    assert (error.outcome, error.http_status, error.code) == ("auth_failed", 401, "invalid_api_key")
    assert (error.provider, error.model_id) == ("openai", "gpt-4")
    assert error.hint
    raised = "".join(traceback.format_exception(error)) + repr(vars(error))
    shown = raised + caplog.text
    assert wrong not in shown
    assert CANARY not in shown
    assert "httpx" not in raised


def called(generator, call, *model):
    """What a call answers, whichever it is."""
    found = getattr(generator, call)(*(model or ("openai", "gpt-4")), "ping")
    if call == "agenerate":
        return asyncio.run(found)
    if call == "astream":

        async def pieces():
            return [piece async for piece in found]

        return asyncio.run(pieces())
    return list(found) if call == "stream" else found


@pytest.mark.parametrize("call", ["generate", "agenerate", "stream", "astream"])
def test_what_is_missing_or_inactive_is_not_asked(generator, shelf, fake, call):
    with pytest.raises(NotFoundError) as caught:
        called(generator, call, "openai", "gpt-99")
    assert (caught.value.code, caught.value.model_id) == ("not-found", "gpt-99")
    shelf.put(configured("gpt-4", base_url=fake.openai, is_active=False, hold="failing"))
    with pytest.raises(StatusError) as caught:
        called(generator, call)
    assert caught.value.code == "inactive"
    assert fake.requests == []


def test_a_key_that_is_missing_or_must_not_go_there_is_told_before_anything_is_sent(fake, shelf, environ):
    for settings, keys, outcome in (
        (trusting(fake.host), {}, "secret_missing"),
        (trusting(), environ, "refused_host"),
    ):
        with Generator(shelf, settings=settings, environ=keys) as generator:
            with pytest.raises(GenerationError) as caught:
                generator.generate("openai", "gpt-4", "ping")
            assert (caught.value.outcome, caught.value.code) == (outcome, "generation")
    assert fake.requests == []


@pytest.mark.parametrize("call", ["generate", "agenerate", "stream", "astream"])
def test_a_dead_server_is_an_error(call):
    host = f"127.0.0.1:{free_port()}"
    shelf = Shelf(configured("gpt-4", base_url=f"http://{host}/v1"))
    asking = Generator(shelf, settings=trusting(host), environ={"OPENAI_API_KEY": CANARY})
    with asking as generator, pytest.raises(GenerationError) as caught:
        called(generator, call)
    assert (caught.value.outcome, "refused" in str(caught.value)) == ("unreachable", True)


def test_a_server_that_asks_to_wait_is_not_asked_again(generator, fake, shelf):
    shelf.put(configured("rate-limited", base_url=fake.openai))
    with pytest.raises(GenerationError) as caught:
        generator.generate("openai", "rate-limited", "ping")
    assert (caught.value.outcome, caught.value.http_status) == ("rate_limited", 429)
    assert caught.value.retry_after is not None
    assert len(fake.requests) == 1


def test_a_slow_server_is_waited_for_as_long_as_the_call_says():
    with Scripted(Silent()) as server, scripted(server, timeout=60.0) as generator:
        with pytest.raises(GenerationError) as caught:
            generator.generate("openai", "m", "ping", timeout=SILENCE)
        assert (caught.value.outcome, f"{SILENCE:g} s" in str(caught.value)) == ("timeout", True)
    with Scripted(Silent()) as server, scripted(server, timeout=SILENCE) as generator:
        with pytest.raises(GenerationError):
            generator.generate("openai", "m", "ping")
        with pytest.raises(UsageError):
            generator.generate("openai", "m", "ping", timeout=0)


def test_certificates_that_cannot_be_read_are_an_error_of_every_call(shelf, fake, tmp_path):
    nothing = tmp_path / "nothing.pem"
    settings = trusting(fake.host, ca_file=str(nothing))
    with Generator(shelf, settings=settings, environ={"OPENAI_API_KEY": CANARY}) as generator:
        for _ in range(2):
            with pytest.raises(UsageError) as caught:
                generator.generate("openai", "gpt-4", "ping")
            assert caught.value.code == "bad-ca-file"
        authority, *_ = write_certificates(tmp_path)
        nothing.write_bytes(authority.read_bytes())
        assert generator.generate("openai", "gpt-4", "ping") == WRITTEN


# -- cancellation


def test_a_task_that_is_cancelled_cancels_its_request():
    script = Silent()

    async def run(generator, server):
        task = asyncio.create_task(generator.agenerate("openai", "m", "ping"))
        await asyncio.to_thread(eventually, lambda: server.heads)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(script.gone.wait, PATIENCE)

    with Scripted(script) as server, scripted(server) as generator:
        assert asyncio.run(run(generator, server))


@pytest.mark.parametrize("call", ["generate", "stream"])
def test_an_interruption_cancels_the_request(call):
    script = Silent()
    with Scripted(script) as server, scripted(server) as generator:

        def interrupt():
            assert eventually(lambda: server.heads)
            os.kill(os.getpid(), signal.SIGINT)

        other = threading.Thread(target=interrupt)
        other.start()
        with pytest.raises(KeyboardInterrupt):
            called(generator, call, "openai", "m")
        other.join()
        assert script.gone.wait(PATIENCE)


# -- many at once


def test_a_hundred_threads_ask_at_once(generator, fake):
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: generator.generate("openai", "gpt-4", "ping"), range(100)))
    assert (set(answers), len(fake.sent(CHAT))) == ({WRITTEN}, 100)


def test_one_loop_asks_a_hundred_times_at_once(generator, fake):
    async def run():
        whole = (generator.agenerate("openai", "gpt-4", "ping") for _ in range(50))
        return await asyncio.gather(*whole, *(collected() for _ in range(50)))

    async def collected():
        return "".join([piece async for piece in generator.astream("openai", "gpt-4", "ping")])

    assert set(asyncio.run(run())) == {WRITTEN}
    assert len(fake.sent(CHAT)) == 100


def test_loops_come_and_go_and_calls_that_wait_are_made_inside_of_one(generator):
    async def inside():
        return generator.generate("openai", "gpt-4", "ping"), await generator.agenerate(
            "openai", "gpt-4", "x"
        )

    for _ in range(3):
        assert asyncio.run(inside()) == (WRITTEN, WRITTEN)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("reconciler-calls") == 1


def test_the_loop_of_all_calls_does_not_wait_for_itself(generator):
    async def wrong():
        return generator.generate("openai", "gpt-4", "ping")

    with pytest.raises(UsageError) as caught:
        loop.wait_for(wrong())
    assert caught.value.code == "own-loop"


def test_a_child_process_has_a_loop_of_its_own(generator):
    assert generator.generate("openai", "gpt-4", "ping") == WRITTEN
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing of the tests may run on in the child.
        try:
            os.write(writing, generator.generate("openai", "gpt-4", "ping").encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == WRITTEN
    os.waitpid(child, 0)
    assert generator.generate("openai", "gpt-4", "ping") == WRITTEN


# -- providers by themselves


def test_a_provider_works_alone_and_keeps_its_configuration(shelf, fake, environ):
    config = shelf.get_provider_model("openai", "gpt-4")
    provider = OpenAIProvider(config, settings=trusting(fake.host), environ=environ)
    assert provider.generate("ping", context="A plan.") == WRITTEN
    assert "".join(provider.stream("ping")) == WRITTEN
    assert asyncio.run(provider.agenerate("ping")) == WRITTEN
    shelf.put(configured("gpt-4", is_active=False))
    assert provider.generate("ping") == WRITTEN
    assert provider.config is config


def test_by_default_a_provider_takes_what_the_environment_says(shelf, fake, monkeypatch):
    monkeypatch.setenv("RECONCILER_ALLOWED_HOSTS", fake.host)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with LLMProvider(shelf.get_provider_model("openai", "gpt-4")) as provider:
        assert provider.generate("ping") == WRITTEN


def test_a_key_that_is_changed_counts_from_the_next_call_on(generator, fake, environ):
    for number in range(2):
        environ["OPENAI_API_KEY"] = key() if number else f"{CANARY}-bad"
        try:
            assert generator.generate("openai", "gpt-4", "ping") == WRITTEN
        except GenerationError:
            assert number == 0
    assert [replace(one, body=b"").headers["authorization"][-4:] for one in fake.requests] == [
        "-bad",
        CANARY[-4:],
    ]
