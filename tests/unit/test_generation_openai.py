"""Work of OpenAI's protocol: the requests that it becomes, the answers that count, and the room that the
probe leaves for them."""

import json
from dataclasses import replace

import pytest
from support.probing import OPENAI, target

from reconciler.core.prompt import Prompt
from reconciler.core.provider_kind import Endpoint, ParameterRule, Probe, Variant
from reconciler.protocols import generating
from reconciler.protocols.base import _not_offered
from reconciler.protocols.classify import Finding
from reconciler.protocols.encoding import encoded
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generation import Reply, Work
from reconciler.protocols.matching import same_model
from reconciler.protocols.openai import PROTOCOL

TABLE = {
    "max_new_tokens": ParameterRule(wire="max_completion_tokens"),
    "min_new_tokens": ParameterRule(wire="min_tokens"),
    "temperature": ParameterRule(wire="temperature"),
    "stop_sequences": ParameterRule(wire="stop"),
    "reasoning_effort": ParameterRule(wire="reasoning_effort"),
    "logprobs": ParameterRule(wire="top_logprobs"),
    "response_format": ParameterRule(wire="response_format"),
}
ENDPOINTS = (
    Endpoint("chat", "/responses", match=("*-pro*",), shape="responses"),
    Endpoint("chat", "/chat/completions"),
    Endpoint("completion", "/completions"),
    Endpoint("embedding", "/embeddings"),
    Endpoint("rerank", "/rerank"),
    Endpoint("image", "/images/generations", model_at=""),
    Endpoint("audio", "/audio/speech", match=("tts-*",), shape="speech", model_at=""),
    Endpoint("audio", "/audio/transcriptions", match=("whisper-*",), shape="transcription", model_at=""),
    Endpoint("moderation", "/moderations"),
)
KIND = replace(
    OPENAI,
    parameters=TABLE,
    endpoints=ENDPOINTS,
    variants=(Variant("thinkers", match=("o3*",), probe_tokens=700),),
    unproven={"generate": "nobody films here"},
)
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}


def work(model_id="gpt-4o", mode="chat", **parameters):
    prompt = Prompt("Why?", "Be brief.")
    return generating.work_of(
        KIND, model_id=model_id, mode=mode, prompt=prompt, parameters=parameters, defaults=PROTOCOL.wires
    )


def composed(model_id="gpt-4o", mode="chat", **parameters):
    return PROTOCOL.compose(work(model_id, mode, **parameters))


def asked(model_id="gpt-4o", mode="chat", capabilities=(), template=None, **parameters):
    """What the probe would send."""
    case = replace(
        target(model_id, KIND, level="generate"),
        mode=mode,
        parameters=parameters,
        capabilities=capabilities,
        template=template,
    )
    return PROTOCOL.compose(generating.work_to_prove(case, defaults=PROTOCOL.wires)).body


TOLD = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("model_id", "mode", "parameters", "path", "body"),
    [
        pytest.param(
            "gpt-4o",
            "chat",
            {"max_new_tokens": 9, "stop_sequences": ["x"], "extra": {"user": "u"}},
            "/chat/completions",
            {"messages": TOLD, "max_completion_tokens": 9, "stop": ["x"], "user": "u"},
            id="chat",
        ),
        pytest.param(
            "gpt-4o",
            "chat",
            {"logprobs": 2, "response_format": "json_object"},
            "/chat/completions",
            {
                "messages": TOLD,
                "logprobs": True,
                "top_logprobs": 2,
                "response_format": {"type": "json_object"},
            },
            id="what has to stand beside",
        ),
        pytest.param(
            "gpt-3.5-turbo-instruct",
            "completion",
            {"max_new_tokens": 9, "logprobs": 2},
            "/completions",
            {"prompt": "Be brief.\n\nWhy?", "max_tokens": 9, "logprobs": 2},
            id="completion",
        ),
        pytest.param(
            "o1-pro",
            "chat",
            {"max_new_tokens": 99, "reasoning_effort": "low", "response_format": SCHEMA, "logprobs": 1},
            "/responses",
            {
                "input": "Why?",
                "instructions": "Be brief.",
                "max_output_tokens": 99,
                "reasoning": {"effort": "low"},
                "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}},
                "top_logprobs": 1,
                "include": ["message.output_text.logprobs"],
            },
            id="responses",
        ),
        pytest.param(
            "text-embedding-3-small",
            "embedding",
            {"temperature": 0.5, "extra": {"dimensions": 8}},
            "/embeddings",
            {"input": "Why?", "dimensions": 8},
            id="embedding",
        ),
        pytest.param(
            "ranker", "rerank", {}, "/rerank", {"query": "Why?", "documents": ["Why?"]}, id="rerank"
        ),
        pytest.param("mod", "moderation", {}, "/moderations", {"input": "Why?"}, id="moderation"),
        pytest.param(
            "gpt-image-1",
            "image",
            {"extra": {"n": 2}},
            "/images/generations",
            {"prompt": "Be brief.\n\nWhy?", "n": 2},
            id="image",
        ),
        pytest.param("tts-1", "audio", {}, "/audio/speech", {"input": "Why?", "voice": "alloy"}, id="speech"),
    ],
)
def test_work_becomes_a_request(model_id, mode, parameters, path, body):
    call = composed(model_id, mode, **parameters)
    assert (call.path, call.body) == (path, {"model": model_id, **body})


def test_what_is_renamed_keeps_our_name():
    assert composed("o1-pro", max_new_tokens=99).renamed == {"max_output_tokens": "max_new_tokens"}
    assert composed("x", "completion", extra={"max_tokens": 5}).renamed == {}
    assert composed("x", "completion", extra={"max_tokens": 5}).body["max_tokens"] == 5


def test_nothing_passed_on_replaces_what_is_said():
    found = work("gpt-4o", extra={"model": "x", "messages": [], "api_base": "https://evil.example"})
    assert found.outcome == "probe_invalid"
    assert found.refused_parameters == ("extra.model", "extra.messages", "extra.api_base")


def test_a_field_that_the_set_refuses_to_drop_forbids_the_request():
    found = work("gpt-4o", top_k=5, unsupported="error")
    assert (found.outcome, found.refused_parameters) == ("probe_invalid", ("top_k",))
    assert isinstance(work("gpt-4o", top_k=5), Work)


@pytest.mark.parametrize(
    ("model_id", "mode", "words"),
    [
        ("sora", "video", "no endpoint for the mode video; it can generate in: chat, completion, embedding"),
        ("sora", "video", "(nobody films here)"),
        ("unheard-of", "audio", "does not know where unheard-of is served in the mode audio"),
    ],
)
def test_what_is_served_nowhere_cannot_be_proven(model_id, mode, words):
    found = work(model_id, mode)
    assert found.outcome == "unprobeable"
    assert words in found.detail


def test_a_shape_that_a_protocol_does_not_know_cannot_be_composed():
    kind = replace(KIND, endpoints=(Endpoint("chat", "/x", shape="telepathy"),))
    unknown = generating.work_of(kind, model_id="m", mode="chat", prompt=Prompt("?"), parameters={})
    assert PROTOCOL.compose(unknown).outcome == "unprobeable"


# The probe


@pytest.mark.parametrize(
    ("model_id", "capabilities", "parameters", "limit"),
    [
        pytest.param("gpt-4o", (), {}, 16, id="a few tokens"),
        pytest.param("gpt-4o", (), {"max_new_tokens": 1}, 1, id="a limit is sent as it is"),
        pytest.param("gpt-4o", ("reasoning",), {"max_new_tokens": 5}, 5, id="also where it is too small"),
        pytest.param("gpt-4o", ("reasoning",), {}, 512, id="room to think"),
        pytest.param("gpt-4o", (), {"reasoning_effort": "high"}, 512, id="for an effort"),
        pytest.param("gpt-4o", (), {"reasoning_effort": "none"}, 16, id="but not for none"),
        pytest.param("o3-mini", (), {}, 700, id="as much as the variant says"),
        pytest.param("gpt-4o", (), {"min_new_tokens": 40}, 40, id="no less than the least"),
        pytest.param(
            "gpt-4o", (), {"extra": {"thinking": {"budget_tokens": 2000}}}, 2064, id="more than a budget"
        ),
        pytest.param("gpt-4o", (), {"extra": {"max_tokens": 7}}, None, id="a limit of the provider's own"),
    ],
)
def test_the_probe_leaves_room_for_an_answer(model_id, capabilities, parameters, limit):
    assert asked(model_id, capabilities=capabilities, **parameters).get("max_completion_tokens") == limit


def test_the_probe_asks_in_the_models_own_template():
    body = asked(template={"system_prompt": "Be {brief}.", "query_prefix": "Q:"}, temperature=0.3)
    assert body == {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be {brief}."},
            {"role": "user", "content": "Q: Reply with the word ok."},
        ],
        "temperature": 0.3,
        "max_completion_tokens": 16,
    }


@pytest.mark.parametrize(
    ("wanted", "says_so"), [("json_object", True), (SCHEMA, True), ("text", False), (None, False)]
)
def test_the_probe_asks_for_json_where_the_model_is_to_answer_in_it(wanted, says_so):
    (message,) = asked(response_format=wanted)["messages"]
    assert ("JSON" in message["content"]) is says_so


def test_the_probe_sends_no_limit_to_a_kind_that_takes_none():
    kind = replace(KIND, parameters={"temperature": ParameterRule()})
    case = replace(target("m", kind, level="generate"), parameters={"unsupported": "error"})
    assert generating.work_to_prove(case).wired.fields == {}


@pytest.mark.parametrize(
    ("model_id", "parameters", "fields"),
    [
        ("dall-e-2", {}, {"size": "256x256", "response_format": "url"}),
        ("gpt-image-1", {"extra": {"quality": "high"}}, {"size": "1024x1024", "quality": "high"}),
        ("flux", {}, {}),
    ],
)
def test_the_probe_asks_for_the_smallest_picture(model_id, parameters, fields):
    told = {"model": model_id, "prompt": "a red dot", "n": 1}
    assert asked(model_id, "image", template={"system_prompt": "x"}, **parameters) == {**told, **fields}


def test_a_file_is_sent_as_a_form_of_parts():
    body, content_type = encoded(asked("whisper-1", "audio", extra={"language": "de", 'a"\r\nb': [1]}))
    boundary = content_type.partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert content_type.startswith("multipart/form-data; ")
    assert parts[-1] == b"--\r\n"
    heads = [part.partition(b"\r\n\r\n")[0].strip().decode() for part in parts[1:-1]]
    assert heads == [
        'Content-Disposition: form-data; name="language"',
        'Content-Disposition: form-data; name="a%22%0D%0Ab"',
        'Content-Disposition: form-data; name="model"',
        'Content-Disposition: form-data; name="file"; filename="sound.wav"\r\nContent-Type: audio/wav',
    ]
    assert b"RIFF" in parts[-2]
    assert encoded(asked("whisper-1", "audio")) == encoded(asked("whisper-1", "audio"))


# Answers

MESSAGE = {"role": "assistant", "content": "ok"}
USAGE = {"prompt_tokens": 8, "completion_tokens": 2}
PICTURE = "https://x.example/1.png"


def said(body, status=200, *, complete=True, kind="application/json"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {"content-type": kind}, content, complete)


def chat(**choice):
    return {"model": "gpt-4o-2024-08-06", "choices": [choice], "usage": USAGE}


@pytest.mark.parametrize(
    ("model_id", "mode", "body", "reply"),
    [
        (
            *("gpt-4o", "chat", chat(message=MESSAGE, finish_reason="stop")),
            Reply("ok", "gpt-4o-2024-08-06", "stop", 8, 2),
        ),
        (
            *("gpt-4o", "chat", chat(message={"content": None}, finish_reason="length")),
            Reply("", "gpt-4o-2024-08-06", "length", 8, 2),
        ),
        (
            *("gpt-4o", "chat", {"choices": [{"message": {"content": [{"text": "o"}, {"text": "k"}]}}]}),
            Reply("ok"),
        ),
        ("x", "completion", {"choices": [{"text": ""}], "model": "x"}, Reply("", "x")),
        (
            *("o1-pro", "chat"),
            {
                "output": [{"type": "reasoning"}, {"content": [{"type": "output_text", "text": "ok"}]}],
                "status": "completed",
                "usage": {"input_tokens": 3, "output_tokens": 4},
                "error": None,
            },
            Reply("ok", None, "completed", 3, 4),
        ),
        (
            *("o1-pro", "chat"),
            {"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Reply("", None, "max_output_tokens"),
        ),
        ("e", "embedding", {"data": [{"embedding": [0.1]}], "model": "e"}, Reply("", "e", values=[[0.1]])),
        ("r", "rerank", {"results": [{"index": 0, "relevance_score": 1}]}, Reply(values=[(0, 1.0)])),
        ("r", "rerank", [{"index": 0, "score": 1}], Reply(values=[(0, 1.0)])),
        (
            *("m", "moderation", {"results": [{"flagged": False}], "model": "m"}),
            Reply("", "m", values=[{"flagged": False}]),
        ),
        ("i", "image", {"data": [{"url": PICTURE}, {"b64_json": "iVB"}]}, Reply(values=[PICTURE, "iVB"])),
        ("whisper-1", "audio", {"text": ""}, Reply()),
    ],
)
def test_an_answer_of_the_right_shape_is_a_reply(model_id, mode, body, reply):
    assert PROTOCOL.read(work(model_id, mode), said(body)) == reply


def test_files_are_answers_too():
    sound = said(b"\xff\xfb\x90", kind="audio/mpeg")
    assert PROTOCOL.read(work("tts-1", "audio"), sound) == Reply(values=sound.body)
    assert PROTOCOL.read(work("tts-1", "audio"), replace(sound, complete=False)) == Reply(values=sound.body)
    picture = said(b'{"created": 1, "data": [{"b64_json": "iVBOR', complete=False)
    assert PROTOCOL.read(work("i", "image"), picture) == Reply()


@pytest.mark.parametrize(
    ("model_id", "mode", "answer", "outcome"),
    [
        ("gpt-4o", "chat", said({"choices": []}), "bad_response"),
        ("gpt-4o", "chat", said({"error": {"message": "upstream died", "code": 502}}), "bad_response"),
        ("gpt-4o", "chat", said(chat(message=MESSAGE, error={"message": "died"})), "bad_response"),
        ("gpt-4o", "chat", said({"object": "list", "data": []}), "bad_response"),
        ("gpt-4o", "chat", said(chat(text="ok")), "bad_response"),
        ("gpt-4o", "chat", said(b"<html>hello", kind="text/html"), "bad_response"),
        ("gpt-4o", "chat", said(b'{"choices": [{"mess', complete=False), "bad_response"),
        ("tts-1", "audio", said(b"<html>hello", kind="text/html"), "bad_response"),
        ("tts-1", "audio", said({"error": "no"}), "bad_response"),
        ("tts-1", "audio", said(b"", kind="audio/mpeg"), "bad_response"),
        ("i", "image", said(b"<html>" + b"x" * 100, complete=False), "bad_response"),
        ("e", "embedding", said({"data": [{"embedding": []}]}), "bad_response"),
        ("r", "rerank", said({"results": []}), "bad_response"),
        ("gpt-4o", "chat", said({"error": {"message": "bad"}}, 400), "probe_invalid"),
        ("gpt-4o", "chat", said({"error": {"message": "bad"}}, 413), "probe_invalid"),
        ("gpt-4o", "chat", said({"detail": [{"loc": ["body", "x"], "msg": "bad"}]}, 422), "probe_invalid"),
        ("gpt-4o", "chat", said({"error": {"code": "invalid_api_key"}}, 401), "auth_failed"),
        ("gpt-4o", "chat", said({"error": {"code": "model_not_found"}}, 404), "model_not_found"),
        (
            *("gpt-4o", "chat"),
            said({"status": 404, "detail": "Function 'f-1': Not found for account 'a'"}, 404),
            "model_not_found",
        ),
    ],
)
def test_any_other_answer_is_a_finding(model_id, mode, answer, outcome):
    found = PROTOCOL.read(work(model_id, mode), answer)
    assert isinstance(found, Finding)
    assert found.outcome == outcome


def test_an_error_within_a_choice_is_told():
    found = PROTOCOL.read(work(), said(chat(message=MESSAGE, error={"message": "upstream died"})))
    assert found.complaint.message == "upstream died"


@pytest.mark.parametrize(
    ("requested", "answered", "is_same"),
    [
        ("text-embedding-ada-002", "text-embedding-ada-002-v2", True),
        ("gemini-flash-latest", "gemini-2.5-flash-preview-09-2025", True),
        ("gemini-flash-latest", "gemini-2.5-flash-lite", False),
        ("gpt-4o-latest", "gpt-4o-mini", False),
        ("meta/llama-3:free", "meta/llama-3", True),
        ("llama3:8b", "llama3:70b", False),
    ],
)
def test_aliases_that_only_answers_resolve_are_the_same_model(requested, answered, is_same):
    assert same_model(requested, answered) is is_same


def test_a_level_that_proves_nothing_says_why():
    kind = replace(KIND, probes={"reach": Probe()}, unproven={"model": "its list is public"})
    verdict = _not_offered(target("m", kind), "model")
    assert isinstance(verdict, Verdict)
    assert "(its list is public); its probes are: reach, generate" in verdict.detail
