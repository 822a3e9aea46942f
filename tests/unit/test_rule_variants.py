"""Models that take other parameters than their kind, and rules over several fields, kind by kind."""

from typing import get_args

import pytest
from support.findings import UNSUPPORTED, found, left_out

from reconciler.core import rules, schemas

REASONING = [
    "o1",
    "o1-mini",
    "o3-pro",
    "o4-mini-deep-research",
    "gpt-5",
    "gpt-5.2-pro",
    "GPT-5-nano",
    "ft:o4-mini:x",
]


@pytest.mark.parametrize("model_id", REASONING)
def test_openai_reasoning_models_take_no_sampling_parameters(model_id):
    given = {
        "temperature": 0.7,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "stop_sequences": ["x"],
        "logprobs": 3,
    }
    assert found("openai", given, model_id) == [
        (name, UNSUPPORTED) for name in rules.PARAMETER_FIELDS if name in given
    ]
    assert found("openai", {"max_new_tokens": 64, "reasoning_effort": "low", "seed": 1}, model_id) == []
    assert found("openai", {"reasoning_effort": "much"}, model_id) == [("reasoning_effort", "wrong-value")]


@pytest.mark.parametrize(
    "model_id", ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "gpt-5.3-chat-latest", "omni-x"]
)
def test_other_openai_models_take_sampling_parameters(model_id):
    assert found("openai", {"temperature": 0.7, "top_p": 0.9, "stop_sequences": ["x"]}, model_id) == []


def test_the_only_temperature_that_a_model_has_is_no_finding():
    assert found("openai", {"temperature": 1}, "o3") == []
    assert found("anthropic", {"temperature": 1.0}, "claude-opus-4-7") == []


@pytest.mark.parametrize(
    ("model_id", "refused"),
    [
        ("claude-3-5-haiku-latest", False),
        ("claude-opus-4-0", False),
        ("claude-opus-4-20250514", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-1-20250805", True),
        ("claude-opus-4-5", True),
        ("claude-opus-4-6", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-haiku-4-5", True),
    ],
)
def test_newer_claudes_take_temperature_or_top_p(model_id, refused):
    conflict = [("top_p", "parameter-conflict")] if refused else []
    assert found("anthropic", {"temperature": 0.7, "top_p": 0.9}, model_id) == conflict
    assert found("anthropic", {"temperature": 0.7, "top_k": 5}, model_id) == []
    assert found("anthropic", {"top_p": 0.9}, model_id) == []


@pytest.mark.parametrize(
    "model_id", ["claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-fable-5-1"]
)
def test_the_newest_claudes_take_no_sampling_parameters(model_id):
    given = {"temperature": 0.7, "top_p": 0.9, "top_k": 5}
    assert found("anthropic", given, model_id) == [(name, UNSUPPORTED) for name in given]
    assert found("anthropic", {"reasoning_effort": "max", "max_new_tokens": 9}, model_id) == []


def test_watsonx_minimum_is_at_most_the_maximum():
    assert found("watsonx", {"min_new_tokens": 10, "max_new_tokens": 10}) == []
    bad = {"min_new_tokens": 11, "max_new_tokens": 10}
    assert found("watsonx", bad) == [("min_new_tokens", "parameter-conflict")]
    assert found("openai-compatible", bad) == [("min_new_tokens", "parameter-conflict")]
    assert found("openai-compatible", {"min_new_tokens": 1, "max_new_tokens": 10}) == []


def test_watsonx_sampling_has_no_effect_under_greedy_decoding():
    given = {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "seed": 3}
    greedy = found("watsonx", {**given, "decoding_method": "greedy"})
    assert greedy == [(name, "warning: parameter-conflict") for name in given]
    assert found("watsonx", {**given, "decoding_method": "sample"}) == []


def test_watsonx_chat_takes_what_text_generation_does_not_and_the_reverse():
    llama = "meta-llama/llama-3-3-70b-instruct"
    chat = {"frequency_penalty": 0.1, "response_format": {"type": "json_object"}, "reasoning_effort": "low"}
    text = {"min_new_tokens": 1, "top_k": 5, "decoding_method": "sample"}
    assert found("watsonx", chat, llama) == []
    assert {field for field, _ in found("watsonx", text, llama)} == set(text)
    assert found("watsonx", text, llama, mode="completion") == []
    assert {field for field, _ in found("watsonx", chat, llama, mode="completion")} == set(chat)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("max_new_tokens", [0, 20], [-1]),
        ("temperature", [0.0, 2.0], [-0.1, 2.1]),
        ("top_p", [0.0, 1.0], [-0.1, 1.1]),
        ("repetition_penalty", [0.01, 3.0], [0.0]),
        ("frequency_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("presence_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("stop_sequences", [["a"] * 50], []),
        ("seed", [-1, 0], []),
        ("logprobs", [0, 20], [-1, 21]),
    ],
)
def test_watsonx_chat_has_ranges_of_its_own(field, good, bad):
    llama = "meta-llama/llama-3-3-70b-instruct"
    assert [found("watsonx", {field: value}, llama) for value in good] == [[]] * len(good)
    assert [found("watsonx", {field: value}, llama) for value in bad] == [[(field, "out-of-range")]] * len(
        bad
    )


def test_a_rule_over_fields_that_are_left_out_does_not_speak():
    given = {"min_new_tokens": 11, "max_new_tokens": 10, "decoding_method": "greedy", "temperature": 0.5}
    assert {code for _, code in found("watsonx", given, "meta-llama/llama-3")} == {UNSUPPORTED}


@pytest.mark.parametrize("kind", ["vllm", "cerebras"])
def test_whoever_takes_a_minimum_wants_it_below_the_maximum(kind):
    bad = {"min_new_tokens": 11, "max_new_tokens": 10}
    assert found(kind, bad) == [("min_new_tokens", "parameter-conflict")]
    assert found(kind, {**bad, "min_new_tokens": 10}) == []


PREFIXED = {"vertex": "{}@20260101", "bedrock": "us.anthropic.{}-v1:0"}


@pytest.mark.parametrize("kind", PREFIXED)
@pytest.mark.parametrize(
    "model", ["claude-opus-4-1", "claude-opus-4-5", "claude-sonnet-4-6", "claude-haiku-4-5"]
)
def test_newer_claudes_take_temperature_or_top_p_elsewhere_too(kind, model):
    both = {"temperature": 0.7, "top_p": 0.9}
    assert found(kind, both, PREFIXED[kind].format(model)) == [("top_p", "parameter-conflict")]
    assert found(kind, {"temperature": 0.7, "max_new_tokens": 9}, PREFIXED[kind].format(model)) == []
    assert found(kind, both, PREFIXED[kind].format("claude-sonnet-4")) == []
    assert found(kind, {"temperature": 1.1}, PREFIXED[kind].format(model)) == [
        ("temperature", "out-of-range")
    ]


@pytest.mark.parametrize("kind", PREFIXED)
@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-5", "claude-fable-5"])
def test_the_newest_claudes_take_no_sampling_parameters_elsewhere_either(kind, model):
    assert left_out(kind, PREFIXED[kind].format(model), "temperature top_p top_k")
    assert found(kind, {"temperature": 1, "max_new_tokens": 9}, PREFIXED[kind].format(model)) == []


def test_an_arn_of_bedrock_tells_its_model_and_others_are_not_claude():
    arn = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-4-7"
    assert left_out("bedrock", arn, "temperature top_p")
    assert found("bedrock", {"temperature": 0.7, "top_p": 0.9}, "amazon.nova-2-lite-v1:0") == []


def test_claude_on_vertex_is_asked_in_its_own_words():
    model = "claude-sonnet-4@20250514"
    assert left_out("vertex", model, "frequency_penalty presence_penalty seed logprobs response_format")
    assert left_out("vertex", model, "reasoning_effort")
    assert found("vertex", {"top_k": 0, "stop_sequences": ["a"] * 9}, model) == []
    assert found("vertex", {"reasoning_effort": "max"}, "claude-opus-4-7@default") == []
    assert found("vertex", {"reasoning_effort": "none"}, "claude-opus-4-7@default") == [
        ("reasoning_effort", "wrong-value")
    ]


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
def test_gemini_takes_an_effort_from_3_on(kind):
    assert found(kind, {"reasoning_effort": "minimal"}, "gemini-3-flash-preview") == []
    assert found(kind, {"reasoning_effort": "none"}, "gemini-3.1-pro") == [
        ("reasoning_effort", "wrong-value")
    ]
    assert left_out(kind, "gemini-2.5-pro", "reasoning_effort")


def test_an_azure_deployment_is_not_judged_by_its_name():
    given = {"temperature": 0.7, "top_p": 0.9, "stop_sequences": ["x"], "reasoning_effort": "low"}
    for model_id in ("o3", "gpt-5", "gpt-4o", "prod-chat"):
        assert found("azure-openai", given, model_id) == []


@pytest.mark.parametrize(
    ("kind", "model_id", "efforts"),
    [
        ("groq", "openai/gpt-oss-120b", "low medium high"),
        ("groq", "qwen/qwen3-32b", "none default"),
        ("nvidia", "openai/gpt-oss-20b", "low medium high"),
        ("cerebras", "gpt-oss-120b", "low medium high"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", "low medium high"),
        ("fireworks", "accounts/fireworks/models/minimax-m2p5", "low medium high"),
        ("xai", "grok-3-mini-latest", "low high"),
        ("xai", "grok-4.3", "none low medium high"),
        ("github-models", "openai/o4-mini", "minimal low medium high"),
        ("deepseek", "deepseek-reasoner", "low high max"),
    ],
)
def test_a_model_takes_the_efforts_that_it_knows(kind, model_id, efforts):
    for effort in get_args(schemas.ReasoningEffort):
        expected = [] if effort in efforts.split() else [("reasoning_effort", "wrong-value")]
        assert found(kind, {"reasoning_effort": effort}, model_id) == expected, effort


@pytest.mark.parametrize(
    ("kind", "model_id", "fields"),
    [
        ("xai", "grok-4-0709", "frequency_penalty presence_penalty stop_sequences reasoning_effort"),
        ("xai", "grok-4.20-0309-reasoning", "frequency_penalty presence_penalty stop_sequences"),
        ("xai", "grok-4.3", "frequency_penalty presence_penalty stop_sequences"),
        ("xai", "grok-3-mini", "frequency_penalty presence_penalty stop_sequences"),
        ("xai", "grok-code-fast-1", "frequency_penalty presence_penalty stop_sequences"),
        ("xai", "grok-4-fast-non-reasoning", "reasoning_effort"),
        ("deepseek", "deepseek-reasoner", "temperature top_p frequency_penalty presence_penalty logprobs"),
        (
            "github-models",
            "openai/gpt-5-mini",
            "temperature top_p frequency_penalty presence_penalty stop_sequences",
        ),
        ("github-models", "openai/gpt-5-chat", "reasoning_effort"),
        ("groq", "openai/gpt-oss-20b", "frequency_penalty presence_penalty logprobs"),
    ],
)
def test_what_reasoning_models_do_not_take(kind, model_id, fields):
    assert left_out(kind, model_id, fields)


@pytest.mark.parametrize(
    ("kind", "model_id"),
    [("xai", "grok-3"), ("xai", "grok-4-1-fast-non-reasoning"), ("github-models", "openai/gpt-5-chat")],
)
def test_models_that_do_not_reason_take_what_the_kind_takes(kind, model_id):
    given = {"temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0.1, "stop_sequences": ["x"]}
    assert found(kind, given, model_id) == []


def test_github_takes_the_only_temperature_of_a_reasoning_model():
    assert found("github-models", {"temperature": 1, "max_new_tokens": 64}, "openai/o3") == []


@pytest.mark.parametrize("effort", ["low", "high", "max"])
def test_what_deepseek_ignores_while_it_thinks(effort):
    given = {"temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": 0.1}
    thinking = found("deepseek", {**given, "reasoning_effort": effort}, "deepseek-v4-pro")
    assert thinking == [(name, "warning: parameter-conflict") for name in given]
    assert found("deepseek", given, "deepseek-v4-pro") == []
    assert found("deepseek", {"max_new_tokens": 9, "reasoning_effort": effort}, "deepseek-v4-pro") == []
