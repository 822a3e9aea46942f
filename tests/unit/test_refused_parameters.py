"""Whose fault a refusal is: complaints as providers word them, and our names of the parameters in them."""

import json

import pytest

from reconciler.core.wire import Wired
from reconciler.protocols.generation import Call
from reconciler.protocols.refusals import names_sent, refused_parameters

CHAT = {
    "max_completion_tokens": "max_new_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop_sequences",
    "seed": "seed",
    "top_logprobs": "logprobs",
    "top_k": "extra.top_k",
    "user": "extra.user",
}
GEMINI = {
    "generationConfig.temperature": "temperature",
    "generationConfig.topK": "top_k",
    "generationConfig.maxOutputTokens": "max_new_tokens",
}
BEDROCK = {"inferenceConfig.temperature": "temperature", "inferenceConfig.topP": "top_p"}
COHERE = {"p": "top_p", "k": "top_k", "frequency_penalty": "frequency_penalty"}
WATSONX = {"parameters.max_new_tokens": "max_new_tokens", "parameters.top_k": "top_k"}
MISTRAL = {"max_tokens": "max_new_tokens", "random_seed": "seed"}


@pytest.mark.parametrize(
    ("body", "sent", "refused"),
    [
        pytest.param({"error": {"param": "temperature"}}, CHAT, ["temperature"], id="openai's own field"),
        pytest.param({"error": {"param": "model"}}, CHAT, [], id="it may name something else"),
        pytest.param(
            {"detail": [{"loc": ["body", "max_tokens"]}, {"loc": ["body", "random_seed"]}]},
            MISTRAL,
            ["max_new_tokens", "seed"],
            id="the places of a schema",
        ),
        pytest.param(
            {"error": {"details": [{"fieldViolations": [{"field": "generation_config.top_k"}]}]}},
            GEMINI,
            ["top_k"],
            id="google's violations",
        ),
        pytest.param({"request": {"param": "seed"}}, CHAT, [], id="a request that is repeated says nothing"),
        pytest.param([[[[[[{"param": "seed"}]]]]]], CHAT, [], id="too deep"),
    ],
)
def test_the_places_made_for_it_count_first(body, sent, refused):
    assert refused_parameters(json.loads(json.dumps(body)), "", sent) == tuple(refused)


@pytest.mark.parametrize(
    ("message", "sent", "refused"),
    [
        (
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            ),
            {"max_tokens": "max_new_tokens"},
            ["max_new_tokens"],
        ),
        (
            "Unsupported parameter: 'stop' is not supported with this model. Use 'temperature' instead.",
            CHAT,
            ["stop_sequences"],
        ),
        ("Unsupported value: 'temperature' does not support 0.2 with this model.", CHAT, ["temperature"]),
        ("Unrecognized request argument supplied: top_k", CHAT, ["extra.top_k"]),
        ("Unrecognized request arguments supplied: top_k, seed", CHAT, ["seed", "extra.top_k"]),
        (
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            CHAT,
            ["temperature", "top_p"],
        ),
        (
            "temperature and top_p cannot both be specified for this model",
            BEDROCK,
            ["temperature", "top_p"],
        ),
        ("`temperature` is deprecated for this model.", CHAT, ["temperature"]),
        (
            "max_tokens: 9000 > 8192, which is the maximum",
            {"max_tokens": "max_new_tokens"},
            ["max_new_tokens"],
        ),
        (
            (
                "Could not finish the message because max_tokens or model output limit was reached. "
                "Please try again with higher max_tokens."
            ),
            CHAT,
            ["max_new_tokens"],
        ),
        ("Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"warm\"", GEMINI, ["temperature"]),
        ("Invalid JSON payload received. Unknown name \"topK\" at 'generation_config'.", GEMINI, ["top_k"]),
        (
            (
                "1 validation error detected: Value '2.0' at 'inferenceConfig.temperature' failed to satisfy "
                "constraint: Member must have value less than or equal to 1"
            ),
            BEDROCK,
            ["temperature"],
        ),
        ("invalid request: p must be between 0.01 and 0.99 inclusive.", COHERE, ["top_p"]),
        ("invalid value for k", COHERE, ["top_k"]),
        ("Json document validation error: max_new_tokens should be >= 1", WATSONX, ["max_new_tokens"]),
        ("parameters.top_k is out of range", WATSONX, ["top_k"]),
        (
            "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'input': {'temperature': 1}}]",
            CHAT,
            ["extra.top_k"],
        ),
        ("logprobs are not supported with this model", CHAT, ["logprobs"]),
        ("the following are not supported parameters: top_p", CHAT, ["top_p"]),
        pytest.param("Stop sending seed money, user!", CHAT, [], id="ordinary words"),
        pytest.param("max_tokens_to_sample is required", CHAT, [], id="a part of a longer name"),
        pytest.param(
            "Unsupported parameter: 'top_k'", GEMINI | {"x": "seed"}, ["top_k"], id="in our spelling"
        ),
        pytest.param("repetition_penalty must be 1", CHAT, [], id="what was not sent is not named"),
        pytest.param("This model's maximum context length is 8192 tokens.", CHAT, [], id="none of them"),
        pytest.param("", CHAT, [], id="no words"),
    ],
)
def test_a_sentence_names_its_parameters(message, sent, refused):
    assert refused_parameters(None, message, sent) == tuple(refused)


def test_they_come_in_the_order_of_the_format_and_extra_last():
    names = {"a": "extra.a_thing", "seed": "seed", "temperature": "temperature"}
    body = {"detail": [{"loc": ["a"]}, {"loc": ["seed"]}, {"loc": ["temperature"]}]}
    assert refused_parameters(body, "", names) == ("temperature", "seed", "extra.a_thing")


def test_only_what_a_call_holds_was_sent():
    wired = Wired(names={"max_completion_tokens": "max_new_tokens", "seed": "seed", "top_p": "top_p"})
    call = Call(
        {"max_tokens": 9, "seed": 0}, "/x", renamed={"max_tokens": "max_new_tokens", "logprobs": "logprobs"}
    )
    assert names_sent(call, wired) == {"max_tokens": "max_new_tokens", "seed": "seed"}


def test_a_long_complaint_is_searched_in_a_moment():
    message = "parameter " * 5_000 + "'" * 50_000 + "x." * 50_000
    assert refused_parameters({"detail": [{"loc": ["x"]}] * 10_000}, message, CHAT) == ()
