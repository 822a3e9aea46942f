"""Applications' calls over real sockets on 127.0.0.1: replies larger than any probe's, streams as they come
and as they break, connections that are kept and closed, and servers that mean harm.
"""

import asyncio
import gzip
import threading
import time
import tracemalloc
from contextlib import aclosing
from dataclasses import replace

import pytest
from support.certificates import write_certificates
from support.generating import GeneratingProviders
from support.probing import target
from support.providers import key
from support.scripted import OK, Names, Scripted, leads_to, says
from support.streaming import KEY, TOKEN, Clock, Network, answer, asking, model_at
from support.streams import BEDROCK, CLAUDE, DONE, OLLAMA, RECORDED, said, sse
from support.working_providers import USAGE, WRITTEN, WorkingProviders

from reconciler.core.probe import Access
from reconciler.core.prompt import Inputs, Prompt
from reconciler.core.provider_kind import Probe
from reconciler.kinds import built_in
from reconciler.protocols.client import open_client
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Reply
from reconciler.protocols.kept_tokens import Grant, KeptTokens

PING = Prompt("ping")
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ENVIRON = {"OPENAI_API_KEY": key(), "WATSONX_APIKEY": key(), "WATSONX_PROJECT_ID": "a-project-of-ibm"}
TIMEOUT = 0.4


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


def with_client(act, *hosts, environ=ENVIRON, resolver=None, **access):
    """What `act` returns, given a client that may reach some hosts."""

    async def run():
        options = {} if resolver is None else {"resolver": resolver}
        allowed = Access(environ=environ, allowed_hosts=hosts, **access)
        async with open_client(allowed, **options) as client:
            return await act(client)

    return asyncio.run(run())


def at(base_url, model="gpt-4o", *, kind="openai", mode="chat", timeout=5.0, **fields):
    made = target(model, built_in(kind), base_url, level="generate", timeout=timeout)
    return replace(made, mode=mode, **fields)


def generated(fake, model, mode="chat", **inputs):
    case = at(fake.openai, model, mode=mode)
    return with_client(lambda client: client.generate(case, PING, inputs=Inputs(**inputs)), fake.host)


async def collected(pieces):
    return [piece async for piece in pieces]


def bit(content):
    """A bit of a body that comes in bits."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


LAST = b"0\r\n\r\n"


def after_body(script):
    """A script that begins when the question is there as a whole."""

    def run(connection):
        connection.recv(65536)
        script(connection)

    return run


def streamed_by(script, *, timeout=5.0, model="gpt-4o"):
    """All that a scripted server's stream says."""
    with Scripted(after_body(script)) as server:
        case = at(f"http://{server.host}/v1", model, timeout=timeout)
        return with_client(lambda client: collected(client.stream(case, PING)), server.host)


# Whole answers


def test_a_reply_may_be_larger_than_a_probe_reads(fake):
    assert generated(fake, "gpt-4").text == WRITTEN
    (picture,) = generated(fake, "dall-e-2", "image").values
    assert len(picture) == 2 * 1024 * 1024
    assert generated(fake, "tts-1", "audio").values == b"\xff\xfb\x90" * 100
    assert generated(fake, "whisper-1", "audio", sound=b"RIFF-a-canary", sound_name="x.mp3").text == WRITTEN
    assert generated(fake, "embedder", "embedding").values == [[0.1, 0.2]]
    assert fake.has_seen("RIFF-a-canary")


def test_a_reply_beyond_all_measure_is_a_bad_response_and_is_not_held_twice():
    block = b"x" * 1024 * 1024

    def script(connection):
        connection.sendall(OK + b"Content-Type: application/json\r\n\r\n{")
        while True:
            connection.sendall(block)

    with Scripted(after_body(script)) as server:
        case = at(f"http://{server.host}/v1", timeout=60.0)
        verdict = with_client(lambda client: client.generate(case, PING), server.host)
    assert (verdict.outcome, "too large" in verdict.detail) == ("bad_response", True)


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("anthropic", "claude-sonnet-4"),
        ("azure-openai", "my-deployment"),
        ("bedrock", "anthropic.claude-sonnet-4-v1:0"),
        ("cohere", "command-a"),
        ("gemini", "gemini-2.5-pro"),
        ("ollama", "llama3:latest"),
        ("vertex", "gemini-2.5-pro"),
        ("watsonx", "granite-3-8b"),
    ],
)
def test_a_strict_server_of_each_protocol_replies(kind, model):
    names = ("ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "COHERE_API_KEY")
    google = {"GOOGLE_OAUTH_ACCESS_TOKEN": key(), "GOOGLE_VERTEX_PROJECT": "team-rag-1234"}
    environ = {**ENVIRON, **dict.fromkeys(names, key()), "GEMINI_API_KEY": key(), **google}
    environ |= {"GOOGLE_VERTEX_LOCATION": "us-central1", "AWS_REGION": "us-east-1"}
    with GeneratingProviders() as fake:
        spec = built_in(kind)
        if kind == "watsonx":
            spec = replace(spec, probes={**spec.probes, "credential": Probe(method="POST", path=fake.iam)})
        case = replace(at(fake.base_url(kind), model), kind=spec)
        reply = with_client(lambda client: client.generate(case, PING), fake.host, environ=environ)
    assert isinstance(reply, Reply), reply
    assert reply.text == "pong"


def test_an_expired_token_is_exchanged_once_more():
    with GeneratingProviders() as fake:
        spec = built_in("watsonx")
        spec = replace(spec, probes={**spec.probes, "credential": Probe(method="POST", path=fake.iam)})
        case = replace(at(fake.base_url("watsonx", "stale-token"), "granite-3-8b"), kind=spec)

        async def ask(client):
            return [await client.generate(case, PING) for _ in range(3)]

        replies = with_client(ask, fake.host)
        minted = fake.minted
    assert [one.text for one in replies] == ["pong"] * 3
    assert minted == 2


# Streams


def test_a_stream_tells_its_words_one_after_the_other(fake):
    for mode in ("chat", "completion"):
        case = at(fake.openai, "gpt-4", mode=mode)
        pieces = with_client(lambda client, case=case: collected(client.stream(case, PING)), fake.host)
        assert "".join(one.text for one in pieces) == WRITTEN
        assert len([one for one in pieces if one.text]) == WRITTEN.count("-") + 1
        assert (pieces[-1].input_tokens, pieces[-1].output_tokens) == (
            USAGE["prompt_tokens"],
            USAGE["completion_tokens"],
        )


def test_a_piece_is_told_before_the_next_one_is_sent():
    heard = threading.Event()

    def script(connection):
        connection.sendall(EVENTS + bit(sse(said("first"))))
        # Whoever kept pieces back would wait for ever.
        assert heard.wait(10)
        connection.sendall(bit(sse(said("second"), DONE)) + LAST)

    async def listen(client, case):
        texts = []
        async with aclosing(client.stream(case, PING)) as pieces:
            async for piece in pieces:
                texts.append(piece.text)
                heard.set()
        return texts

    with Scripted(after_body(script)) as server:
        case = at(f"http://{server.host}/v1")
        assert with_client(lambda client: listen(client, case), server.host) == ["first", "second"]


@pytest.mark.parametrize(
    ("kind", "model", "body", "content_type"),
    [
        ("anthropic", "claude-sonnet-4", CLAUDE, "text/event-stream"),
        ("ollama", "llama3", OLLAMA, "application/x-ndjson"),
        ("bedrock", "anthropic.claude-sonnet-4-v1:0", BEDROCK, "application/vnd.amazon.eventstream"),
    ],
)
def test_each_way_to_tell_events_apart_works_over_a_socket(kind, model, body, content_type):
    head = OK + f"Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    script = says(head, *(bit(body[place : place + 7]) for place in range(0, len(body), 7)), LAST)
    environ = {"ANTHROPIC_API_KEY": KEY, "AWS_BEARER_TOKEN_BEDROCK": KEY}
    with Scripted(after_body(script)) as server:
        case = at(f"http://{server.host}", model, kind=kind)
        pieces = with_client(
            lambda client: collected(client.stream(case, PING)), server.host, environ=environ
        )
    assert "".join(one.text for one in pieces) == "pong ✓"


def holds(*pieces):
    """A script that says all of this and then holds the connection open, saying nothing."""

    def script(connection):
        connection.sendall(b"".join(pieces))
        connection.recv(1)

    return script


def drips(start, piece):
    """A script that says something that means nothing again and again."""

    def script(connection):
        connection.sendall(start)
        while not drips.over.wait(0.02):
            connection.sendall(piece)

    return script


drips.over = threading.Event()


def floods(start, piece):
    """A script that goes on as fast as it is listened to."""

    def script(connection):
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return script


PO = bit(sse(said("po")))
PLAIN = OK + b"Content-Type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "texts", "outcome"),
    [
        pytest.param(holds(EVENTS), [], "timeout", id="nothing comes"),
        pytest.param(holds(b""), [], "timeout", id="not even a head"),
        pytest.param(holds(EVENTS, PO), ["po"], "timeout", id="nothing more comes"),
        pytest.param(drips(EVENTS, bit(b": ping\n\n")), [], "timeout", id="nothing but life"),
        pytest.param(drips(EVENTS + PO, bit(b"x")), ["po"], "timeout", id="a line that drips"),
        pytest.param(says(EVENTS, PO), ["po"], "bad_response", id="broken off between events"),
        pytest.param(says(EVENTS, PO, b"ff\r\ndata: {"), ["po"], "bad_response", id="broken off in an event"),
        pytest.param(says(EVENTS, PO, LAST), ["po"], "bad_response", id="no end"),
        pytest.param(says(EVENTS, LAST), [], "bad_response", id="nothing at all"),
        pytest.param(says(EVENTS, PO, bit(b"data: {\n\n")), ["po"], "bad_response", id="no JSON"),
        pytest.param(says(EVENTS, PO, b"xyz\r\n"), ["po"], "bad_response", id="no HTTP"),
        pytest.param(floods(PLAIN, b"data: " + b"x" * 65536), [], "bad_response", id="an endless line"),
        pytest.param(floods(PLAIN, b"data: xxxxxxxx\n" * 4096), [], "bad_response", id="an endless event"),
        pytest.param(floods(PLAIN, b"\x00" * 65536), [], "bad_response", id="noughts"),
        pytest.param(says(b"HTTP/1.1 500 Oops\r\n\r\noops"), [], "overloaded", id="a failure"),
        pytest.param(
            floods(b"HTTP/1.1 500 Oops\r\n\r\n", b"x" * 65536), [], "overloaded", id="an endless failure"
        ),
        pytest.param(holds(b"HTTP/1.1 500 Oops\r\n\r\no"), [], "timeout", id="a failure that does not end"),
        pytest.param(
            says(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
            *([], "bad_response"),
            id="a redirect",
        ),
        pytest.param(
            says(OK, b"Content-Type: text/html\r\n\r\n<html>Please log in"),
            [],
            "bad_response",
            id="a web page",
        ),
        pytest.param(
            says(OK, b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"data: x\n" * 10**7)),
            *([], "bad_response"),
            id="a bomb",
        ),
        pytest.param(
            says(OK, b"Content-Encoding: gzip\r\n\r\nno gzip"), [], "bad_response", id="packed in no way"
        ),
    ],
)
def test_a_stream_that_goes_wrong_is_a_verdict_after_its_pieces_in_time_and_in_little_memory(
    script, texts, outcome
):
    started = time.monotonic()
    tracemalloc.start()
    *pieces, verdict = streamed_by(script, timeout=TIMEOUT if outcome == "timeout" else 10.0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(verdict, Verdict)
    assert ([one.text for one in pieces], verdict.outcome) == (texts, outcome)
    assert most < 16 * 1024 * 1024
    assert time.monotonic() - started < 20
    assert key() not in verdict.detail


def test_waiting_for_the_application_is_no_waiting_for_the_server():
    async def listen(client, case):
        pieces = client.stream(case, PING)
        first = await anext(pieces)
        # Longer than the server may take, but it is not the server that takes it.
        await asyncio.sleep(3 * TIMEOUT)
        return [first, *[piece async for piece in pieces]]

    with Scripted(after_body(says(EVENTS, PO, bit(sse(said("ng"), DONE)), LAST))) as server:
        case = at(f"http://{server.host}/v1", timeout=TIMEOUT)
        pieces = with_client(lambda client: listen(client, case), server.host)
    assert [one.text for one in pieces] == ["po", "ng"]


@pytest.mark.parametrize("way", ["closed", "cancelled", "the client goes"])
def test_a_stream_that_is_left_ends_on_the_server_s_side_too(way):
    gone = threading.Event()

    def script(connection):
        connection.sendall(EVENTS + PO)
        if connection.recv(1) == b"":
            gone.set()

    async def leave(client, case):
        pieces = client.stream(case, PING)
        assert (await anext(pieces)).text == "po"
        if way == "closed":
            await pieces.aclose()
            return await asyncio.to_thread(gone.wait, 10)
        if way == "cancelled":
            begun = asyncio.Event()

            async def listen():
                begun.set()
                await anext(pieces)

            task = asyncio.create_task(listen())
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return await asyncio.to_thread(gone.wait, 10)
        return True

    with Scripted(after_body(script)) as server:
        case = at(f"http://{server.host}/v1")
        assert with_client(lambda client: leave(client, case), server.host)
        assert gone.wait(10)


# Connections


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("authority"), name="gateway.example")


def test_connections_to_a_hosted_provider_are_kept_and_closed_with_the_client(certificates):
    authority, *pair = certificates
    with WorkingProviders(certificate=pair) as fake, Scripted(leads_to(fake.host)) as proxy:
        host = fake.host.replace("127.0.0.1", "gateway.example")
        case = at(f"https://{host}/openai/v1", "gpt-4")
        # What the proxy would have resolved.
        names = Names(("127.0.0.1",))

        async def ask(client):
            replies = [(await client.generate(case, PING)).text for _ in range(3)]
            streams = [await collected(client.stream(case, PING)) for _ in range(3)]
            replies += ["".join(one.text for one in pieces) for pieces in streams]
            return replies

        options = {"ca_file": str(authority), "resolver": names}
        straight = with_client(ask, host, **options)
        through = with_client(ask, host, proxy=f"http://{proxy.host}", **options)
        heads = len(proxy.heads)
        for thread in proxy._threads[1:]:
            thread.join(10)
            assert not thread.is_alive()
    assert straight == through == [WRITTEN] * 6
    # A name is looked up for each connection, and a proxy asked for each.
    assert (len(names.asked), heads) == (1, 1)


def test_a_stream_goes_to_no_address_that_its_host_may_not_stand_for():
    case = at("https://api.openai.com/v1")
    names = Names(("169.254.169.254",))
    (verdict,) = with_client(lambda client: collected(client.stream(case, PING)), resolver=names)
    assert (verdict.outcome, "metadata" in verdict.detail) == ("refused_host", True)


def test_clients_of_two_loops_share_nothing():
    with GeneratingProviders() as fake:
        spec = built_in("watsonx")
        spec = replace(spec, probes={**spec.probes, "credential": Probe(method="POST", path=fake.iam)})
        case = replace(at(fake.base_url("watsonx"), "granite-3-8b"), kind=spec)
        found, barrier = [], threading.Barrier(2)

        async def ask(client):
            barrier.wait(10)
            return await asyncio.gather(*(client.generate(case, PING) for _ in range(10)))

        threads = [
            threading.Thread(target=lambda: found.extend(with_client(ask, fake.host))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        minted = fake.minted
    assert [one.text for one in found] == ["pong"] * 20
    assert minted == 2


# A long life


def test_memory_stays_bounded_over_many_calls():
    pong = {"choices": [{"message": {"content": "pong"}}]}
    environ, network = {"OPENAI_API_KEY": KEY}, Network(lambda _: pong)
    case = model_at("openai", "gpt-4o")

    async def ask(client):
        async def call(count):
            for number in range(count):
                environ["OPENAI_API_KEY"] = f"key-{number}-0123456789"
                await client.generate(case, PING)
                network.asked.clear()

        await call(100)
        tracemalloc.start()
        await call(3000)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept

    assert asking(network, ask, environ=environ) < 200_000


def test_tokens_stay_bounded_over_a_hundred_thousand_calls():
    async def run():
        clock, taken, made = Clock(), 0, 0
        tokens = KeptTokens(clock)

        async def exchange():
            nonlocal made
            made += 1
            return Grant(Secret(f"token-{made}", source="x"), answer(200, TOKEN))

        for number in range(100_000):
            grant = await tokens.grant(number // 10, exchange, refused=None)
            taken += grant.token.reveal() == f"token-{number // 10 + 1}"
            clock.move(0.01)
        return taken, made, len(tokens)

    taken, made, kept = asyncio.run(run())
    assert (taken, made) == (100_000, 10_000)
    assert kept <= 256


def test_every_recorded_stream_has_a_protocol_of_its_own():
    kinds = {one.kind for one in RECORDED.values()}
    spoken = {built_in(kind).protocol for kind in kinds}
    assert spoken == {
        *("openai", "anthropic", "watsonx", "azure-openai", "bedrock", "cohere", "gemini", "vertex", "ollama")
    }
