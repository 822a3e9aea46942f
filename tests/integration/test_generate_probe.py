"""The probe `generate` against a real local server: every mode on its own endpoint, refused parameters by
name, models that lie, and nothing kept of what a model writes.
"""

from dataclasses import replace

import pytest
from support.probing import OPENAI, access, target
from support.providers import key
from support.working_providers import WRITTEN, WorkingProviders

from reconciler.core.provider_kind import Endpoint, ParameterRule
from reconciler.service.verification import probe_all

TABLE = {
    "max_new_tokens": ParameterRule(wire="max_completion_tokens"),
    "temperature": ParameterRule(wire="temperature"),
    "top_p": ParameterRule(wire="top_p"),
    "top_k": ParameterRule(wire="top_k"),
    "seed": ParameterRule(wire="seed"),
}
KIND = replace(
    OPENAI,
    parameters=TABLE,
    endpoints=(
        Endpoint("chat", "/responses", match=("gpt-4",), shape="responses"),
        Endpoint("chat", "/nowhere", match=("llama*", "unknown*"), shape="chat"),
        Endpoint("chat", "/chat/completions"),
        Endpoint("completion", "/completions"),
        Endpoint("embedding", "/embeddings"),
        Endpoint("rerank", "/rerank"),
        Endpoint("image", "/images/generations", model_at=""),
        Endpoint("audio", "/audio/speech", match=("tts-*",), shape="speech", model_at=""),
        Endpoint("audio", "/audio/transcriptions", match=("whisper-*",), shape="transcription", model_at=""),
        Endpoint("moderation", "/moderations"),
    ),
)
CHAT = "/openai/v1/chat/completions"


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


def generated(
    fake, model, mode="chat", *, kind=KIND, with_key="", template=None, capabilities=(), **parameters
):
    case = replace(
        target(model, kind, fake.openai, level="generate"),
        mode=mode,
        parameters=parameters,
        template=template,
        capabilities=capabilities,
    )
    (result,) = probe_all([case], access(fake, OPENAI_API_KEY=with_key or key()))
    return result


@pytest.mark.parametrize(
    ("model", "mode", "path"),
    [
        ("gpt-4o", "chat", "chat/completions"),
        ("gpt-4", "chat", "responses"),
        ("gpt-4o", "completion", "completions"),
        ("embedder", "embedding", "embeddings"),
        ("embedder", "rerank", "rerank"),
        ("dall-e-2", "image", "images/generations"),
        ("tts-1", "audio", "audio/speech"),
        ("whisper-1", "audio", "audio/transcriptions"),
        ("embedder", "moderation", "moderations"),
    ],
)
def test_each_mode_works_at_its_own_endpoint(fake, model, mode, path):
    fake.models = (*fake.models, "gpt-4o")
    result = generated(fake, model, mode)
    assert (result.outcome, result.probe, result.http_status) == ("ok", "generate", 200), result.detail
    assert fake.paths() == [f"/openai/v1/{path}"]
    assert f"{fake.host} generated with {model}" in result.detail
    assert result.latency_ms >= 0
    assert WRITTEN not in repr(result)


def test_what_was_written_is_counted_and_not_kept(fake):
    result = generated(fake, "meta/llama-3-8b")
    assert result.detail == f"{fake.host} generated with meta/llama-3-8b (12 tokens)"
    assert result.answered_by == "meta/llama-3-8b"


def test_what_is_sent_is_what_the_model_is_configured_with(fake):
    template = {"system_prompt": "Be {brief}.", "query_prefix": "Q:", "answer_prefix": "{model}"}
    generated(
        fake,
        "gpt-4o-2024-08-06",
        template=template,
        temperature=0.2,
        max_new_tokens=3,
        extra={"user": "{model}"},
        unsupported="drop",
        min_new_tokens=1,
    )
    assert fake.sent(CHAT) == [
        {
            "model": "gpt-4o-2024-08-06",
            "messages": [
                {"role": "system", "content": "Be {brief}."},
                {"role": "user", "content": "Q: Reply with the word ok.\n\n{model}"},
            ],
            "temperature": 0.2,
            "max_completion_tokens": 3,
            "user": "{model}",
        }
    ]


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"temperature": 0.5, "top_p": 0.9}, ("temperature", "top_p")),
        ({"top_k": 5}, ("top_k",)),
        ({"seed": 13}, ("seed",)),
        ({"extra": {"logit_bias": {"1": 2}}}, ("extra.logit_bias",)),
    ],
)
def test_parameters_that_are_refused_are_named(fake, parameters, refused):
    result = generated(fake, "claude-sonnet-4", **parameters)
    assert (result.outcome, result.http_status) == ("probe_invalid", 400)
    assert result.refused_parameters == refused
    assert result.detail.startswith(f"{fake.host} refuses {', '.join(refused)}: ")
    assert key() not in result.detail
    assert not result.is_bad


@pytest.mark.parametrize(
    ("capabilities", "parameters", "outcome", "refused"),
    [
        pytest.param((), {}, "probe_invalid", (), id="no time to think, which is the probe's own fault"),
        pytest.param(("reasoning",), {}, "ok", (), id="room enough"),
        pytest.param(
            ("reasoning",), {"max_new_tokens": 9}, "probe_invalid", ("max_new_tokens",), id="as set"
        ),
    ],
)
def test_a_thinking_model_gets_a_limit_that_it_can_answer_within(
    fake, capabilities, parameters, outcome, refused
):
    result = generated(fake, "thinker", capabilities=capabilities, **parameters)
    assert (result.outcome, result.refused_parameters) == (outcome, refused)


@pytest.mark.parametrize(
    ("model", "outcome", "status"),
    [
        ("lying", "model_mismatch", 200),
        ("gpt-9", "model_not_found", 404),
        ("no-list", "model_not_found", 404),
        ("gated", "forbidden", 403),
        ("gone", "model_withdrawn", 410),
        ("no-quota", "quota_exhausted", 429),
        ("http-500", "overloaded", 500),
        ("error-in-200", "bad_response", 200),
        ("html", "bad_response", 200),
        ("malformed", "bad_response", 200),
        ("huge", "bad_response", 200),
        ("redirect", "bad_response", 307),
        ("reset", "unreachable", None),
        pytest.param("llama3:latest", "unprobeable", 404, id="the model is there, but not the path"),
        pytest.param("unknown", "model_not_found", 404, id="neither is there"),
    ],
)
def test_each_model_gets_its_outcome(fake, model, outcome, status):
    result = generated(fake, model)
    assert (result.outcome, result.http_status) == (outcome, status), result.detail


def test_a_wrong_base_url_blames_no_model(fake):
    case = target("gpt-4", KIND, f"{fake.url}/wrong/v1", level="generate")
    (result,) = probe_all([case], access(fake, OPENAI_API_KEY=key()))
    assert result.outcome == "probe_invalid"


def test_the_answering_model_is_kept(fake):
    assert generated(fake, "lying").answered_by == "some-other-model"
    assert generated(fake, "gpt-4o-2024-08-06").answered_by == "gpt-4o-2024-08-06"


def test_a_bad_key_is_refused_and_never_shown(fake):
    result = generated(fake, "gpt-4", with_key="canary-of-a-bad-key")
    assert result.outcome == "auth_failed"
    assert "canary" not in repr(result)


@pytest.mark.parametrize(
    ("model", "mode", "parameters", "outcome"),
    [
        ("sora", "video", {}, "unprobeable"),
        ("gpt-4", "chat", {"extra": {"api_base": "https://evil.example"}}, "probe_invalid"),
        ("gpt-4", "chat", {"reasoning_effort": "low", "unsupported": "error"}, "probe_invalid"),
    ],
)
def test_what_must_not_or_cannot_be_sent_is_not(fake, model, mode, parameters, outcome):
    result = generated(fake, model, mode, **parameters)
    assert (result.outcome, result.http_status) == (outcome, None)
    assert fake.requests == []


def test_every_model_is_asked_for_itself(fake):
    models = [target(f"gpt-4o-{number}", KIND, fake.openai, level="generate") for number in range(3)]
    fake.models = tuple(case.address.model_id for case in models)
    results = probe_all([*models, *models], access(fake, OPENAI_API_KEY=key()))
    assert [result.outcome for result in results] == ["ok"] * 6
    assert len(fake.sent(CHAT)) == 6
