"""What comes of applications' calls: replies, verdicts for everything that goes wrong, tokens that are kept
until they expire, and credentials that are read anew. Nothing is sent, and time passes only as a
test lets it.
"""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from support.more_providers import key_file
from support.streaming import KEY, START, TOKEN, Clock, Network, answer, asking, collected, model_at, streamed
from support.streams import BEDROCK, CHAT, GEMINI, WATSON_CHAT, said, sse

from reconciler.core.probe import Access
from reconciler.core.prompt import Inputs, Prompt
from reconciler.errors import UsageError
from reconciler.kinds import built_in
from reconciler.protocols.client import Client
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.protocols.kept_tokens import lifetime

PING = Prompt("ping")
PONG = {"model": "gpt-4o-2024-08-06", "choices": [{"message": {"content": "pong"}, "finish_reason": "stop"}]}
GRANITE = {"model_id": "granite-3-8b", "choices": [{"message": {"content": "pong"}}]}
OPENAI = {"OPENAI_API_KEY": KEY}
IBM = {"WATSONX_APIKEY": KEY, "WATSONX_PROJECT_ID": "a-project"}


def always(reply):
    """A network that gives the same answer to everything."""
    return Network(lambda _: reply)


def generated(case, reply=PONG, *, environ=OPENAI, prompt=PING, network=None, **fields):
    network = network or always(reply)
    return asking(network, lambda client: client.generate(case, prompt, **fields), environ=environ)


def pieces_of(case, *chunks, environ=OPENAI, network=None, **allowed):
    network = network or Network(lambda _: streamed(*chunks))
    return asking(network, lambda client: collected(client.stream(case, PING)), environ=environ, **allowed)


def text_of(pieces):
    return "".join(one.text for one in pieces)


def test_a_model_replies():
    reply = generated(model_at("openai", "gpt-4o"))
    assert reply == Reply("pong", "gpt-4o-2024-08-06", "stop")


@pytest.mark.parametrize(
    ("case", "environ", "outcome", "told"),
    [
        pytest.param(model_at("openai", "gpt-4o"), {}, "secret_missing", "OPENAI_API_KEY", id="no key"),
        pytest.param(
            model_at("openai", "gpt-4o", base_url="https://evil.example/v1"),
            *(OPENAI, "refused_host", "RECONCILER_ALLOWED_HOSTS=evil.example"),
            id="another host",
        ),
        pytest.param(
            model_at("openai", "gpt-4o", credentials={"api_key": "env:DATABASE_URL"}),
            *(OPENAI, "refused_reference", "DATABASE_URL"),
            id="another secret",
        ),
        pytest.param(
            model_at("openai", "gpt-4o", parameters={"top_k": 5, "unsupported": "error"}),
            *(OPENAI, "probe_invalid", "top_k"),
            id="a parameter that is not taken",
        ),
        pytest.param(
            model_at("openai", "gpt-4o", parameters={"extra": {"base_url": "https://evil.example"}}),
            *(OPENAI, "probe_invalid", "extra.base_url"),
            id="a parameter that redirects",
        ),
        pytest.param(
            model_at("openai", "gpt-4o", parameters={"extra": {"stream": True}}),
            *(OPENAI, "probe_invalid", "extra.stream"),
            id="a parameter that makes it a stream",
        ),
        pytest.param(
            model_at("openai", "gpt-4o", mode="video"), OPENAI, "unprobeable", "mode video", id="no endpoint"
        ),
        pytest.param(
            model_at("vllm", "m", base_url=None, kind=replace(built_in("vllm"), base_url=None)),
            *({}, "unprobeable", "has no base_url"),
            id="no place",
        ),
        pytest.param(
            model_at("openai", "m", kind=replace(built_in("openai"), protocol="another")),
            *(OPENAI, "unprobeable", "'another'"),
            id="another protocol",
        ),
        pytest.param(
            model_at("watsonx", "granite"),
            {"WATSONX_APIKEY": KEY},
            "secret_missing",
            "PROJECT",
            id="nobody pays",
        ),
    ],
)
@pytest.mark.parametrize("is_streaming", [False, True], ids=["whole", "bit by bit"])
def test_what_must_not_be_sent_is_not_sent(case, environ, outcome, told, is_streaming):
    network = always(PONG)
    if is_streaming:
        (verdict,) = pieces_of(case, environ=environ, network=network)
    else:
        verdict = generated(case, environ=environ, network=network)
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, told in verdict.detail) == (outcome, True)
    assert network.questions == []


@pytest.mark.parametrize(
    ("reply", "outcome", "fields"),
    [
        pytest.param(
            answer(429, {"error": {"code": "rate_limit_exceeded"}}, retry_after="7"),
            *(
                "rate_limited",
                {"http_status": 429, "retry_after": 7.0, "provider_code": "rate_limit_exceeded"},
            ),
            id="too many",
        ),
        pytest.param(
            answer(400, {"error": {"message": f"no temperature for {KEY}", "param": "temperature"}}),
            *("probe_invalid", {"refused_parameters": ("temperature",)}),
            id="a parameter",
        ),
        pytest.param(answer(401, {"error": {"message": f"{KEY}?"}}), "auth_failed", {}, id="the key"),
        pytest.param(answer(302, {}, location="https://evil.example"), "bad_response", {}, id="a redirect"),
        pytest.param(
            answer(200, {"error": {"message": "x"}}), "bad_response", {}, id="an error in a success"
        ),
        pytest.param(Answer(200, {}, b'{"choi', complete=False), "bad_response", {}, id="too large"),
        pytest.param(Verdict("unreachable", f"no way to {KEY}"), "unreachable", {}, id="nothing"),
    ],
)
@pytest.mark.parametrize("is_streaming", [False, True], ids=["whole", "bit by bit"])
def test_what_goes_wrong_is_a_verdict_without_the_key(reply, outcome, fields, is_streaming):
    case = model_at("openai", "gpt-4o", parameters={"temperature": 0.5})
    verdict = pieces_of(case, network=always(reply))[-1] if is_streaming else generated(case, reply)
    assert verdict.outcome == outcome
    assert {name: getattr(verdict, name) for name in fields} == fields
    assert KEY not in repr(verdict)


def test_half_a_picture_is_no_reply():
    half = Answer(200, {}, b'{"data": [{"b64_json": "iVBOR', complete=False)
    assert generated(model_at("openai", "dall-e-2", mode="image"), half).outcome == "bad_response"


def test_a_bare_404_is_looked_into_as_the_probe_does():
    def reply(request):
        return answer(404, {"detail": "Not Found"})

    verdict = generated(model_at("openai", "gpt-4o"), network=Network(reply))
    assert (verdict.outcome, verdict.http_status) == ("probe_invalid", 404)


@pytest.mark.parametrize(
    ("kind", "model", "count", "outcome"),
    [
        ("openai", "e", 2, None),
        ("openai", "e", 1, "bad_response"),
        ("bedrock", "amazon.titan-embed-v2", 1, None),
    ],
)
def test_every_text_has_its_vector(kind, model, count, outcome):
    def reply(request):
        body = json.loads(request.body)
        if "inputText" in body:
            return {"embedding": [float(len(body["inputText"]))], "inputTextTokenCount": 2}
        vectors = [
            {"index": place, "embedding": [float(len(body["input"][place]))]} for place in range(count)
        ]
        return {"data": vectors[::-1]}

    environ = {**OPENAI, "AWS_BEARER_TOKEN_BEDROCK": KEY}
    case = model_at(kind, model, mode="embedding")
    found = generated(case, network=Network(reply), environ=environ, inputs=Inputs(texts=("a", "bb")))
    if outcome is None:
        assert found.values == [[1.0], [2.0]]
    else:
        assert (found.outcome, "1 embeddings for 2 texts" in found.detail) == (outcome, True)


def test_a_transcription_wants_a_recording():
    network = always({"text": "ok"})
    verdict = generated(model_at("openai", "whisper-1", mode="audio"), network=network)
    assert (verdict.outcome, network.asked) == ("probe_invalid", [])


# Streams


def test_the_verdict_comes_last_and_after_the_pieces():
    broken = Verdict("unreachable", f"the network broke, says {KEY}")
    *pieces, verdict = pieces_of(model_at("openai", "gpt-4o"), sse(said("po")), sse(said("ng")), broken)
    assert "".join(one.text for one in pieces) == "pong"
    assert (verdict.outcome, verdict.http_status) == ("unreachable", 200)
    assert verdict.detail.startswith("the answer broke off: ")
    assert KEY not in verdict.detail


def test_what_breaks_after_a_whole_answer_does_not_matter():
    case, broken = model_at("openai", "gpt-4o"), Verdict("unreachable", "the network broke")
    pieces = pieces_of(case, sse(said("pong", finish_reason="stop")), broken)
    assert [one.text for one in pieces] == ["pong"]


def test_an_error_in_a_stream_tells_its_provider_and_hides_the_key():
    error = sse({"error": {"message": f"the key {KEY} is overloaded", "type": "server_error"}})
    piece, verdict = pieces_of(model_at("openai", "gpt-4o"), sse(said("po")), error)
    assert piece == Piece("po", "gpt-4o-2024-08-06")
    assert (verdict.outcome, verdict.provider_code, verdict.http_status) == (
        "overloaded",
        "server_error",
        200,
    )
    assert KEY not in repr(verdict)


@pytest.mark.parametrize(
    ("kind", "model", "mode", "told"),
    [
        ("openai", "text-embedding-3-small", "embedding", "in the mode embedding"),
        ("openai", "dall-e-3", "image", "in the mode image"),
        ("cohere", "rerank-v3", "rerank", "in the mode rerank"),
    ],
)
def test_where_there_is_no_stream_a_verdict_says_so(kind, model, mode, told):
    network = always(PONG)
    environ = {**OPENAI, "COHERE_API_KEY": KEY}
    (verdict,) = pieces_of(model_at(kind, model, mode=mode), network=network, environ=environ)
    assert (verdict.outcome, told in verdict.detail) == ("unprobeable", True)
    assert network.asked == []


def test_a_stream_of_aws_names_the_extra_that_it_takes(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.eventstream", None)
    environ, network = {"AWS_BEARER_TOKEN_BEDROCK": KEY}, always(PONG)
    case = model_at("bedrock", "anthropic.claude-sonnet-4-v1:0")
    (verdict,) = pieces_of(case, environ=environ, network=network)
    assert (verdict.outcome, "llm-reconciler[bedrock]" in verdict.detail) == ("unprobeable", True)
    assert network.asked == []


def test_a_kind_may_say_that_an_endpoint_does_not_stream():
    kind = built_in("openai-compatible")
    still = replace(kind, endpoints=tuple(replace(one, streaming="none") for one in kind.endpoints))
    (verdict,) = pieces_of(model_at("openai-compatible", "m", kind=still, base_url="http://127.0.0.1:9"))
    assert (verdict.outcome, "bit by bit" in verdict.detail) == ("unprobeable", True)


def test_a_path_of_somebody_s_own_that_has_no_twin_is_said_so():
    kind = built_in("gemini")
    odd = replace(kind, endpoints=(replace(kind.endpoints[-2], match=(), path="/models/{model}/go"),))
    (verdict,) = pieces_of(model_at("gemini", "gemini-2.5-pro", kind=odd), environ={"GEMINI_API_KEY": KEY})
    assert (verdict.outcome, "/models/{model}/go" in verdict.detail) == ("unprobeable", True)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (json.dumps(PONG).encode(), Piece("pong", "gpt-4o-2024-08-06", "stop")),
        (b'{"error": {"message": "no streams here"}}', "bad_response"),
    ],
)
def test_a_server_that_knows_no_streams_answers_in_one_piece(body, found):
    whole = streamed(body[:9], body[9:], content_type="application/json; charset=utf-8")
    (piece,) = pieces_of(model_at("openai", "gpt-4o"), network=Network(lambda _: whole))
    assert getattr(piece, "outcome", piece) == found


def test_leaving_a_stream_early_closes_its_answer():
    network = Network(lambda _: streamed(*[sse(said(str(number))) for number in range(99)]))

    async def leave(client):
        pieces = client.stream(model_at("openai", "gpt-4o"), PING)
        first = await anext(pieces)
        await pieces.aclose()
        return first, network.closed

    assert asking(network, leave, environ=OPENAI) == (Piece("0", "gpt-4o-2024-08-06"), 1)


# Tokens


def ibm(request):
    """IBM's token service and model, the token's name counting the exchanges."""
    return TOKEN if request.form else GRANITE


def numbered(network_reply):
    """A network whose tokens are numbered."""
    count = iter(range(1, 10**9))
    return Network(
        lambda request: (
            {**TOKEN, "access_token": f"token-{next(count)}"} if request.form else network_reply(request)
        )
    )


def tokens_of(questions):
    return [one.secrets[0].secret.reveal() for one in questions]


def test_a_token_is_exchanged_once_and_again_shortly_before_it_expires():
    network, clock, case = numbered(lambda _: GRANITE), Clock(), model_at("watsonx", "granite-3-8b")

    async def ask(client):
        for seconds in (0, 0, 1700, 99, 2, 1799, 0):
            clock.move(seconds)
            assert (await client.generate(case, PING)).text == "pong"

    asking(network, ask, environ=IBM, clock=clock)
    assert tokens_of(network.questions) == [f"token-{number}" for number in (1, 1, 1, 1, 2, 2, 2)]


@pytest.mark.parametrize(
    ("document", "seconds"),
    [
        ({"expires_in": 3600}, 1800),
        ({"expires_in": 600}, 540),
        ({"expires_in": "600"}, 540),
        ({"expires_in": 40}, 30),
        ({"expires_in": 0}, 0),
        ({"expires_in": -5}, 0),
        ({"expires_in": float("inf")}, 300),
        ({"expires_in": 10**400}, 300),
        ({"expires_in": True}, 300),
        ({"expiration": START.timestamp() + 600}, 540),
        ({"expiration": START.timestamp() - 600}, 0),
        ({"expires_in": None, "expiration": "soon"}, 300),
        ({}, 300),
        (None, 300),
    ],
)
def test_a_token_is_kept_for_less_than_its_life(document, seconds):
    assert lifetime(document, now=START) == timedelta(seconds=seconds)


@pytest.mark.parametrize("is_streaming", [False, True], ids=["whole", "bit by bit"])
def test_a_token_that_is_refused_is_exchanged_once_more_at_once(is_streaming):
    def reply(request):
        if tokens_of([request]) == ["token-1"]:
            return answer(401, {"errors": [{"code": "anything", "message": "no"}]})
        return streamed(WATSON_CHAT) if is_streaming else GRANITE

    network, case = numbered(reply), model_at("watsonx", "granite-3-8b")

    async def ask(client):
        if is_streaming:
            return [await collected(client.stream(case, PING)) for _ in range(2)]
        return [await client.generate(case, PING) for _ in range(2)]

    found = asking(network, ask, environ=IBM)
    assert tokens_of(network.questions) == ["token-1", "token-2", "token-2"]
    assert {one.text if isinstance(one, Reply) else text_of(one) for one in found} <= {"pong", "pong ✓"}


def test_a_key_that_is_refused_for_good_costs_one_exchange_more_and_no_loop():
    network = numbered(lambda _: answer(401, {"errors": [{"code": "authentication_token_not_valid"}]}))
    verdict = generated(model_at("watsonx", "granite-3-8b"), environ=IBM, network=network)
    assert verdict.outcome == "auth_failed"
    assert (len(network.exchanges), len(network.questions)) == (2, 2)


@pytest.mark.parametrize("is_streaming", [False, True], ids=["whole", "bit by bit"])
def test_no_token_is_repeated_in_words(is_streaming):
    def reply(request):
        (token,) = tokens_of([request])
        return answer(
            401 if token == "token-1" else 400, {"errors": [{"code": "x", "message": f"not {token}"}]}
        )

    network, case = numbered(reply), model_at("watsonx", "granite-3-8b")
    if is_streaming:
        (verdict,) = pieces_of(case, environ=IBM, network=network)
    else:
        verdict = generated(case, environ=IBM, network=network)
    assert (verdict.outcome, "token-" in verdict.detail) == ("probe_invalid", False)


def test_many_calls_at_once_share_an_exchange_and_its_failure_is_not_kept():
    is_down = True

    def reply(request):
        return answer(503, {"errorCode": "x"}) if is_down and request.form else ibm(request)

    network, case = Network(reply), model_at("watsonx", "granite-3-8b")

    async def ask(client):
        nonlocal is_down
        first = await asyncio.gather(*(client.generate(case, PING) for _ in range(50)))
        is_down = False
        return first, await asyncio.gather(*(client.generate(case, PING) for _ in range(50)))

    first, second = asking(network, ask, environ=IBM)
    assert {one.outcome for one in first} == {"overloaded"}
    assert {one.text for one in second} == {"pong"}
    assert (len(network.exchanges), len(network.questions)) == (2, 50)


def test_who_gives_up_waiting_for_a_token_does_not_take_it_from_the_others():
    network, case = Network(ibm), model_at("watsonx", "granite-3-8b")

    async def ask(client):
        first = asyncio.create_task(client.generate(case, PING))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.generate(case, PING))
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asking(network, ask, environ=IBM)
    assert isinstance(first, asyncio.CancelledError)
    assert (second.text, len(network.exchanges)) == ("pong", 1)


def test_a_service_account_signs_when_it_exchanges_and_its_token_is_kept():
    clock = Clock()
    answers = {"candidates": [{"content": {"parts": [{"text": "pong"}]}, "finishReason": "STOP"}]}
    network = numbered(lambda request: streamed(GEMINI) if "alt=sse" in request.url else answers)
    environ = {
        "GCP_API_KEY": key_file("https://oauth2.googleapis.com/token"),
        "GOOGLE_VERTEX_LOCATION": "us-east1",
    }
    case = model_at("vertex", "gemini-2.5-pro", credentials={"service_account": "env:GCP_API_KEY"})

    async def ask(client):
        for seconds in (0, 60, 1740, 1):
            clock.move(seconds)
            assert (await client.generate(case, PING)).text == "pong"
            assert text_of(await collected(client.stream(case, PING))) == "pong ✓"

    asking(network, ask, environ=environ, clock=clock)
    assert tokens_of(network.questions) == [*["token-1"] * 4, *["token-2"] * 4]
    signed = [dict(one.form)["assertion"].reveal() for one in network.exchanges]
    assert len(set(signed)) == 2


def test_a_signature_is_made_for_each_request_when_it_is_sent():
    network = Network(lambda _: streamed(BEDROCK))
    environ = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": KEY}
    case = model_at("bedrock", "anthropic.claude-sonnet-4-v1:0")
    pieces = pieces_of(case, environ=environ, network=network)
    assert "".join(one.text for one in pieces) == "pong ✓"
    (question,) = network.questions
    assert (question.secrets, question.signer.region) == ((), "us-east-1")


# A long life


def test_a_key_that_changes_is_seen_by_the_next_call():
    environ, network = dict(OPENAI), always(PONG)

    async def ask(client):
        for key in ("the-first-key", "the-second-key"):
            environ["OPENAI_API_KEY"] = key
            await client.generate(model_at("openai", "gpt-4o"), PING)

    asking(network, ask, environ=environ)
    assert tokens_of(network.questions) == ["the-first-key", "the-second-key"]


def test_another_key_is_another_token():
    environ, network = dict(IBM), numbered(lambda _: GRANITE)

    async def ask(client):
        for key in ("the-first-key", "the-second-key", "the-first-key"):
            environ["WATSONX_APIKEY"] = key
            await client.generate(model_at("watsonx", "granite-3-8b"), PING)

    asking(network, ask, environ=environ)
    assert tokens_of(network.questions) == ["token-1", "token-2", "token-1"]


def test_a_call_that_takes_too_long_is_a_verdict():
    class Silent(Network):
        async def send(self, _):
            await asyncio.Event().wait()

    network = Silent(lambda _: PONG)
    verdict = generated(model_at("ollama", "m", base_url="http://127.0.0.1:9", timeout=0.01), network=network)
    assert verdict.outcome == "timeout"
    assert verdict.detail.startswith("ollama did not answer within 0.01 s; the first call loads the model")


def test_a_closed_client_and_another_loop_are_mistakes_of_the_caller():
    case, network = model_at("openai", "gpt-4o"), always(PONG)

    async def close(client):
        await client.close()
        with pytest.raises(UsageError, match="closed"):
            await client.generate(case, PING)
        with pytest.raises(UsageError, match="closed"):
            await collected(client.stream(case, PING))

    asking(network, close, environ=OPENAI)

    async def open_one():
        return Client(network, Access(environ=OPENAI), now=Clock())

    elsewhere = asyncio.run(open_one())
    with pytest.raises(UsageError, match="another event loop"):
        asyncio.run(elsewhere.generate(case, PING))
    assert network.asked == []


def test_closing_while_a_token_is_awaited_is_a_verdict():
    class Slow(Network):
        async def send(self, _):
            await asyncio.Event().wait()

    async def close(client):
        waiting = asyncio.create_task(client.generate(model_at("watsonx", "granite-3-8b"), PING))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await client.close()
        return await waiting

    verdict = asking(Slow(ibm), close, environ=IBM)
    assert (verdict.outcome, "closed" in verdict.detail) == ("skipped", True)


def test_the_words_of_a_stream_are_those_of_the_chat():
    pieces = pieces_of(model_at("openai", "gpt-4o"), CHAT)
    assert "".join(one.text for one in pieces) == "pong ✓"
