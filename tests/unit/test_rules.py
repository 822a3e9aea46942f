"""What the checker makes of a kind's tables and rules, what it says about it, and its laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.findings import PLAIN, UNSUPPORTED, found

from reconciler import kinds
from reconciler.core import rules
from reconciler.core.provider_kind import CrossRule, ParameterRule, ProviderKind, Variant

SPEC_WATSONX = {"max_new_tokens": 100, "temperature": 0.7, "top_k": 50, "top_p": 1.0}
SPEC_OPENAI = {"max_new_tokens": 150, "temperature": 0.9, "top_k": 50, "top_p": 1.0}


def test_the_specifications_watsonx_example_is_fine():
    assert found("watsonx", SPEC_WATSONX) == []
    assert found("watsonx", SPEC_WATSONX, mode="completion") == []


def test_the_specifications_openai_example_has_one_warning():
    assert found("openai", SPEC_OPENAI) == [("top_k", UNSUPPORTED)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("warn", [("top_k", UNSUPPORTED)]),
        ("drop", []),
        ("error", [("top_k", "unsupported-parameter")]),
    ],
)
def test_the_set_says_what_becomes_of_unsupported_fields(policy, expected):
    assert found("openai", {"top_k": 50, "unsupported": policy}) == expected


def test_what_is_no_parameter_is_not_looked_at():
    spec = {"description": "d", "use_case": "rag", "labels": {"a": "b"}, "extra": {"top_k": 1}, "seed": None}
    assert found("openai", spec) == []


def test_what_is_found_is_in_the_order_of_the_fields():
    given = {"top_k": 5, "stop_sequences": ["a"] * 5, "temperature": 3.0, "max_new_tokens": 0}
    assert [field for field, _ in found("openai", given)] == [
        *("max_new_tokens", "temperature", "top_k", "stop_sequences")
    ]


def messages(kind, parameters, model_id="m", mode="chat"):
    findings = rules.check(kinds.built_in(kind), model_id=model_id, mode=mode, parameters=parameters)
    return [(finding.message, finding.hint) for finding in findings]


@pytest.mark.parametrize(
    ("kind", "model_id", "parameters", "message", "hint"),
    [
        (
            "openai",
            "gpt-4",
            {"temperature": 9},
            "temperature is 9.0; openai takes at most 2.0",
            "write a value from 0.0 to 2.0",
        ),
        (
            "watsonx",
            "granite-13b",
            {"top_p": 0.0},
            "top_p is 0.0; watsonx text generation models take more than 0.0",
            "write a value of more than 0.0 and at most 1.0",
        ),
        (
            "watsonx",
            "granite-13b",
            {"top_k": 500},
            "top_k is 500; watsonx text generation models take at most 100",
            "write a value from 1 to 100",
        ),
        (
            "openai",
            "o3",
            {"temperature": 0.7},
            "temperature is 0.7; openai reasoning models take only 1.0; it is left out of requests",
            "remove temperature, or write unsupported: drop to leave it out silently",
        ),
        (
            "watsonx",
            "llama",
            {"top_k": 5, "unsupported": "error"},
            "watsonx chat models take no top_k",
            "remove top_k, or write mode: completion, which takes it",
        ),
        (
            "openai",
            "gpt-4",
            {"stop_sequences": ["a"] * 6},
            "stop_sequences has 6 entries; openai takes at most 4",
            "leave out 2 of them",
        ),
        (
            "watsonx",
            "granite-13b",
            {"decoding_method": "beam"},
            "decoding_method is beam; watsonx text generation models take greedy, sample",
            "write one of greedy, sample",
        ),
        (
            "anthropic",
            "claude-opus-4-1",
            {"temperature": 0.5, "top_p": 0.5},
            "claude models from opus 4.1 on take only one of temperature and top_p",
            "remove top_p or temperature",
        ),
        (
            "watsonx",
            "granite-13b",
            {"decoding_method": "greedy", "seed": 5},
            "seed has no effect with decoding_method: greedy",
            "remove seed, or decoding_method",
        ),
        (
            "perplexity",
            "sonar",
            {"temperature": 2},
            "temperature is 2.0; perplexity takes less than 2.0",
            "write a value of at least 0.0 and less than 2.0",
        ),
        (
            "cohere",
            "command-a",
            {"top_p": 1.0},
            "top_p is 1.0; cohere takes at most 0.99",
            "write a value from 0.01 to 0.99",
        ),
        (
            "fireworks",
            "gpt-oss-20b",
            {"reasoning_effort": "none"},
            "reasoning_effort is none; models that cannot but reason take low, medium, high",
            "write one of low, medium, high",
        ),
        (
            "deepseek",
            "deepseek-v4-pro",
            {"reasoning_effort": "max", "top_p": 0.9},
            "top_p has no effect with reasoning_effort: max",
            "remove top_p, or reasoning_effort",
        ),
        (
            "openai-compatible",
            "m",
            {"min_new_tokens": 5, "max_new_tokens": 4},
            "min_new_tokens is 5; the most is max_new_tokens, which is 4",
            "lower min_new_tokens, or raise max_new_tokens",
        ),
    ],
)
def test_messages_say_what_is_wrong_and_what_to_write(kind, model_id, parameters, message, hint):
    assert messages(kind, parameters, model_id) == [(message, hint)]


REQUIRES = ProviderKind("acme", "openai", rules=(CrossRule("requires", ("top_p", "temperature", "seed")),))


def test_a_field_may_require_others():
    def check(parameters):
        return rules.check(REQUIRES, model_id="m", mode="chat", parameters=parameters)

    assert check({"seed": 1}) == check({"top_p": 0.5, "temperature": 1.0, "seed": 1}) == ()
    (finding,) = check({"top_p": 0.5, "seed": 1})
    assert finding[:4] == ("top_p", "parameter-conflict", "error", "top_p needs temperature")
    assert finding.hint == "set temperature"


def test_a_kinds_own_words_come_first():
    rule = CrossRule("not-together", ("top_p", "seed"), severity="warning", message="not both", hint="choose")
    kind = ProviderKind("acme", "openai", rules=(rule,))
    (finding,) = rules.check(kind, model_id="m", mode="chat", parameters={"top_p": 0.5, "seed": 1})
    assert finding == ("seed", "parameter-conflict", "warning", "not both", "choose")


def test_a_kind_without_a_table_accepts_everything():
    anything = dict.fromkeys(rules.PARAMETER_FIELDS, -99)
    kind = ProviderKind("acme", "openai")
    assert rules.check(kind, model_id="m", mode="chat", parameters=anything) == ()
    assert rules.rules_for(kind, "m", "chat") is None


def test_an_empty_table_accepts_nothing():
    kind = ProviderKind("acme", "openai", parameters={})
    (finding,) = rules.check(kind, model_id="m", mode="chat", parameters={"seed": 1})
    assert finding.code == "unsupported-parameter"


def test_a_variant_may_speak_where_the_kind_is_silent():
    variant = Variant(
        "acme small models", match=("small-*",), parameters={"seed": ParameterRule(supported=False)}
    )
    kind = ProviderKind("acme", "openai", variants=(variant,))
    assert rules.check(kind, model_id="big", mode="chat", parameters={"seed": 1}) == ()
    (finding,) = rules.check(kind, model_id="small-1", mode="chat", parameters={"seed": 1, "top_k": 1})
    assert finding.field == "seed"


def test_the_first_variant_that_matches_counts():
    first, second = Variant("a", match=("m*",), modes=("completion",)), Variant("b", match=("M1", "*-x"))
    kind = ProviderKind("acme", "openai", variants=(first, second))
    cases = {
        ("m1", "completion"): first,
        ("m1", "chat"): second,
        ("a-X", "chat"): second,
        ("zz", "chat"): None,
    }
    assert {key: rules.variant_of(kind, *key) for key in cases} == cases


text = st.text("aM*1[]!-_.\n", max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | text
values = scalars | st.lists(scalars, max_size=8) | st.dictionaries(st.sampled_from(["type", "x"]), scalars)
any_kind = st.sampled_from(kinds.names()).map(kinds.built_in)
model_ids = text | st.sampled_from([*PLAIN.values(), "gpt-5", "o3", "claude-opus-4-1", "llama"])
modes = st.sampled_from(["chat", "completion", "embedding", "nonsense"])
fields = st.sampled_from([*rules.PARAMETER_FIELDS, "unsupported", "extra", "labels", "unknown"])


@settings(max_examples=60)
@given(any_kind, model_ids, modes, st.dictionaries(fields, values))
def test_check_always_answers(kind, model_id, mode, parameters):
    for finding in rules.check(kind, model_id=model_id, mode=mode, parameters=parameters):
        assert finding.field in parameters
        assert finding.message
        assert finding.hint


@settings(max_examples=60)
@given(any_kind, model_ids, modes, st.dictionaries(fields, values))
def test_dropping_means_silence_and_refusing_means_errors(kind, model_id, mode, parameters):
    def unsupported(policy):
        asked = {**parameters, "unsupported": policy}
        findings = rules.check(kind, model_id=model_id, mode=mode, parameters=asked)
        return [(f.field, f.severity) for f in findings if f.code == "unsupported-parameter"]

    assert unsupported("drop") == []
    assert unsupported("error") == [(field, "error") for field, _ in unsupported("warn")]


@given(st.lists(text, max_size=4), text)
def test_any_pattern_can_be_asked(match, model_id):
    variant = Variant("v", match=tuple(match))
    kind = ProviderKind("acme", "openai", variants=(variant,))
    found = rules.variant_of(kind, model_id, "chat")
    assert found == variant or (match and found is None)
