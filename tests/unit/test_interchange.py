"""The same configuration in the words of other libraries: their names for our values, a key that shows
nothing of itself, and no key at all where it must not go.
"""

import json
import logging

import pytest
from support.configured import configured, trusting

from reconciler.errors import GenerationError, UsageError
from reconciler.kinds import built_in, names
from reconciler.runtime.interchange import METHODS, PREFIXES

CANARY = "sk-canary-interchange-77aa"
ENVIRON = {"OPENAI_API_KEY": CANARY, "OPENAI_ORG_ID": "org-1", "ANTHROPIC_API_KEY": CANARY}
VALUES = {"max_new_tokens": 100, "temperature": 0.5, "stop_sequences": ["END"], "top_k": 5, "logprobs": 2}
HERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"parameters": VALUES},
            {
                "model": "gpt-4o",
                "max_completion_tokens": 100,
                "temperature": 0.5,
                "stop": ["END"],
                "logprobs": True,
                "top_logprobs": 2,
            },
            id="OpenAI, which takes no top_k",
        ),
        pytest.param(
            {
                "kind": "vllm",
                "base_url": HERE,
                "parameters": {"top_k": 5, "repetition_penalty": 1.1, "seed": 3},
            },
            {"model": "gpt-4o", "seed": 3, "extra_body": {"top_k": 5, "repetition_penalty": 1.1}},
            id="what the SDK does not know",
        ),
        pytest.param(
            {"parameters": {"extra": {"service_tier": "flex", "novel": {"a": 1}}}},
            {"model": "gpt-4o", "service_tier": "flex", "extra_body": {"novel": {"a": 1}}},
            id="extra, known and unknown",
        ),
        pytest.param(
            {"parameters": {"response_format": "json_object"}},
            {"model": "gpt-4o", "response_format": {"type": "json_object"}},
            id="a format as a word",
        ),
        pytest.param(
            {"model": "gpt-5-pro", "parameters": {"max_new_tokens": 9, "reasoning_effort": "high"}},
            {"model": "gpt-5-pro", "max_output_tokens": 9, "reasoning": {"effort": "high"}},
            id="a model of the responses",
        ),
        pytest.param(
            {"mode": "completion", "parameters": {"max_new_tokens": 9, "logprobs": 2}},
            {"model": "gpt-4o", "max_tokens": 9, "logprobs": 2},
            id="completions",
        ),
        pytest.param(
            {"mode": "embedding", "parameters": {"temperature": 1.0, "extra": {"dimensions": 8}}},
            {"model": "gpt-4o", "dimensions": 8},
            id="embeddings",
        ),
        pytest.param(
            {"kind": "azure-openai", "model": "mine", "parameters": {"max_new_tokens": 9}},
            {"model": "mine", "max_completion_tokens": 9},
            id="a deployment of Azure",
        ),
        pytest.param({"template": {"system_prompt": "Be kind."}}, {"model": "gpt-4o"}, id="no template"),
    ],
)
def test_the_arguments_of_the_official_sdk(fields, expected):
    found = configured(**fields).to_openai_kwargs()
    assert found == expected
    json.dumps(found)


@pytest.mark.parametrize("fields", [{"kind": "anthropic"}, {"kind": "watsonx"}, {"mode": "image"}])
def test_what_the_official_sdk_cannot_ask_is_refused(fields):
    with pytest.raises(UsageError) as caught:
        configured(**fields).to_openai_kwargs()
    assert caught.value.code == "wrong-protocol"


def test_what_must_not_be_sent_is_an_error():
    with pytest.raises(GenerationError) as caught:
        configured(parameters={"top_k": 5, "unsupported": "error"}).to_openai_kwargs()
    assert (caught.value.outcome, "top_k" in str(caught.value)) == ("probe_invalid", True)


def test_a_method_takes_nothing_that_it_is_given_by_the_caller():
    assert not [name for name, method in METHODS.items() if method.given & method.taken]


def test_every_kind_of_ours_has_a_name_there_or_speaks_the_protocol_of_openai():
    assert PREFIXES.keys() <= set(names())
    others = set(names()) - PREFIXES.keys()
    assert {built_in(name).protocol for name in others} == {"openai"}


def litellm(environ=ENVIRON, *hosts, **fields):
    return configured(**fields).to_litellm(environ, trusting(*hosts))


def test_the_arguments_of_litellm_for_openai():
    found = litellm(parameters=VALUES)
    assert found == {
        "model": "openai/gpt-4o",
        "api_base": "https://api.openai.com/v1",
        "api_key": CANARY,
        "organization": "org-1",
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "stop": ["END"],
        "logprobs": True,
        "top_logprobs": 2,
    }


def test_the_arguments_of_litellm_in_its_own_words():
    found = litellm(kind="anthropic", provider="claude", model="claude-sonnet-4", parameters=VALUES)
    assert found == {
        "model": "anthropic/claude-sonnet-4",
        "api_key": CANARY,
        "max_tokens": 100,
        "temperature": 0.5,
        "stop": ["END"],
        "top_k": 5,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "ollama"}, {"model": "ollama_chat/gpt-4o"}),
        (
            {"kind": "ollama", "base_url": "http://127.0.0.1:9"},
            {"model": "ollama_chat/gpt-4o", "api_base": "http://127.0.0.1:9"},
        ),
        (
            {"kind": "openai-compatible", "base_url": HERE},
            {"model": "openai/gpt-4o", "api_base": HERE, "api_key": "none"},
        ),
        (
            {"kind": "lmstudio", "base_url": HERE, "parameters": {"top_k": 5}},
            {
                "model": "lm_studio/gpt-4o",
                "api_base": HERE,
                "api_key": "none",
                "extra_body": {"top_k": 5},
            },
        ),
    ],
)
def test_a_server_without_a_key_gets_none_of_the_environments(fields, expected):
    assert litellm(**fields) == expected


def test_azure_has_its_version_and_watsonx_its_project():
    place = "https://team.openai.azure.com"
    keys = {"AZURE_OPENAI_API_KEY": CANARY, "WATSONX_APIKEY": CANARY, "WATSONX_PROJECT_ID": "p-1"}
    azure = litellm(keys, "team.openai.azure.com", kind="azure-openai", base_url=f"{place}/openai/")
    assert azure == {
        "model": "azure/gpt-4o",
        "api_base": place,
        "api_version": "2024-10-21",
        "api_key": CANARY,
    }
    assert litellm(keys, kind="watsonx", model="ibm/granite") == {
        "model": "watsonx/ibm/granite",
        "api_key": CANARY,
        "project_id": "p-1",
    }


def test_what_is_no_version_stands_in_no_url():
    keys = {"AZURE_OPENAI_API_KEY": CANARY, "OPENAI_API_VERSION": CANARY}
    place = "https://team.openai.azure.com"
    with pytest.raises(UsageError) as caught:
        litellm(keys, "team.openai.azure.com", kind="azure-openai", base_url=place)
    assert (caught.value.code, CANARY in str(caught.value)) == ("bad-version", False)


@pytest.mark.parametrize(
    ("environ", "fields", "outcome"),
    [
        ({}, {}, "secret_missing"),
        (ENVIRON, {"base_url": "https://evil.example/v1"}, "refused_host"),
        (ENVIRON, {"credentials": {"api_key": "env:PGPASSWORD"}}, "refused_reference"),
    ],
)
def test_no_key_is_given_for_a_host_that_may_not_have_it(environ, fields, outcome):
    with pytest.raises(GenerationError) as caught:
        litellm(environ, **fields)
    assert caught.value.outcome == outcome


def test_a_key_shows_nothing_of_itself_in_a_log(caplog):
    found = litellm()
    assert CANARY not in f"{found} {found['api_key']!r} {[found]}"
    logging.getLogger("application").warning("asked with %s", found)
    assert CANARY not in caplog.text
    assert f"Bearer {found['api_key']}" == f"Bearer {CANARY}"


def test_a_kind_of_a_users_own_is_openais_to_it():
    endpoints = [{"mode": "chat", "path": "/chat/completions"}]
    spec = {"protocol": "openai", "base_url": "https://models.example.com/v1", "endpoints": endpoints}
    own = {"kind": "mine", "credentials": {"api_key": "env:MINE_API_KEY"}, "parameters": {"top_k": 5}}
    found = litellm({"MINE_API_KEY": CANARY}, "models.example.com", **own, kind_spec=spec)
    assert found == {
        "model": "openai/gpt-4o",
        "api_base": "https://models.example.com/v1",
        "api_key": CANARY,
        "extra_body": {"top_k": 5},
    }
    with pytest.raises(UsageError):
        litellm(kind="mine", kind_spec={"protocol": "anthropic"})
