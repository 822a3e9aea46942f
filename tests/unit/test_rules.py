"""What each kind has against parameter sets, as a table, and the laws of the checker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import kinds
from reconciler.core import rules
from reconciler.core.provider_kind import CrossRule, ParameterRule, ProviderKind, Variant

WITH_TABLES = ("anthropic", "ollama", "openai", "openai-compatible", "watsonx")
PLAIN = {
    "anthropic": "claude-sonnet-4-0",
    "ollama": "llama3.2:latest",
    "openai": "gpt-4",
    "openai-compatible": "my-model",
    "watsonx": "granite-13b",
}
SPEC_WATSONX = {"max_new_tokens": 100, "temperature": 0.7, "top_k": 50, "top_p": 1.0}
SPEC_OPENAI = {"max_new_tokens": 150, "temperature": 0.9, "top_k": 50, "top_p": 1.0}


def found(kind, parameters, model_id=None, mode="chat"):
    """The findings, as pairs of field and code, warnings marked."""
    findings = rules.check(
        kinds.built_in(kind), model_id=model_id or PLAIN[kind], mode=mode, parameters=parameters
    )
    return [(f.field, f.code if f.severity == "error" else f"warning: {f.code}") for f in findings]


UNSUPPORTED = "warning: unsupported-parameter"


def test_the_specifications_watsonx_example_is_fine():
    assert found("watsonx", SPEC_WATSONX) == []
    assert found("watsonx", SPEC_WATSONX, mode="completion") == []


def test_the_specifications_openai_example_has_one_warning():
    assert found("openai", SPEC_OPENAI) == [("top_k", UNSUPPORTED)]


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        ("openai", "max_new_tokens", [1, 100_000], [0, -1]),
        ("openai", "temperature", [0, 0.0, 2, 2.0], [-0.01, 2.01]),
        ("openai", "top_p", [0.0, 1.0], [-0.1, 1.1]),
        ("openai", "frequency_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("openai", "presence_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("openai", "stop_sequences", [[], ["a"] * 4], [["a"] * 5]),
        ("openai", "seed", [-1, 0, 2**53], []),
        ("openai", "logprobs", [True, False, 0, 20], [-1, 21]),
        ("anthropic", "max_new_tokens", [1], [0]),
        ("anthropic", "temperature", [0.0, 1.0], [-0.1, 1.1]),
        ("anthropic", "top_p", [0.0, 1.0], [-0.1, 1.1]),
        ("anthropic", "top_k", [0, 500], [-1]),
        ("anthropic", "stop_sequences", [["a"] * 50], []),
        ("watsonx", "max_new_tokens", [0, 20], [-1]),
        ("watsonx", "min_new_tokens", [0, 20], [-1]),
        ("watsonx", "temperature", [0.0, 2.0], [-0.1, 2.1]),
        ("watsonx", "top_p", [0.01, 1.0], [0.0, 1.01]),
        ("watsonx", "top_k", [1, 100], [0, 101]),
        ("watsonx", "repetition_penalty", [1.0, 2.0], [0.99, 2.01]),
        ("watsonx", "stop_sequences", [["a"] * 6], [["a"] * 7]),
        ("watsonx", "seed", [1, 4294967295], [0, 4294967296]),
        ("watsonx", "logprobs", [True], []),
        ("ollama", "max_new_tokens", [1], [0]),
        ("ollama", "temperature", [0.0, 5.0], [-0.1]),
        ("ollama", "top_p", [0.0, 1.0], [-0.1, 1.1]),
        ("ollama", "top_k", [0, 500], [-1]),
        ("ollama", "repetition_penalty", [0.0, 1.1], [-0.1]),
        ("ollama", "frequency_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("ollama", "presence_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("ollama", "stop_sequences", [["a"] * 50], []),
        ("ollama", "seed", [0], []),
        ("openai-compatible", "max_new_tokens", [1], [0]),
        ("openai-compatible", "min_new_tokens", [0], [-1]),
        ("openai-compatible", "temperature", [0.0, 5.0], [-0.1]),
        ("openai-compatible", "top_p", [0.01, 1.0], [0.0, 1.1]),
        ("openai-compatible", "top_k", [-1, 0, 50], [-2]),
        ("openai-compatible", "repetition_penalty", [0.01, 3.0], [0.0, -1.0]),
        ("openai-compatible", "frequency_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("openai-compatible", "presence_penalty", [-2.0, 2.0], [-2.1, 2.1]),
        ("openai-compatible", "logprobs", [True, 0, 5], [-1]),
        ("openai-compatible", "seed", [0], []),
        ("openai-compatible", "stop_sequences", [["a"] * 50], []),
    ],
)
def test_ranges_end_where_the_provider_says(kind, field, good, bad):
    for value in good:
        assert found(kind, {field: value}) == [], value
    for value in bad:
        assert found(kind, {field: value}) == [(field, "out-of-range")], value


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        (
            "openai",
            "response_format",
            ["text", {"type": "json_object"}, {"no": "type"}],
            ["xml", {"type": "xml"}],
        ),
        ("watsonx", "decoding_method", ["greedy", "sample"], ["beam"]),
        ("ollama", "reasoning_effort", ["low", "high"], ["extreme"]),
        ("ollama", "response_format", ["json", {"type": "object"}], []),
        ("openai-compatible", "reasoning_effort", ["low", "whatever"], []),
        ("openai-compatible", "response_format", ["text", {"type": "json_object"}], []),
    ],
)
def test_words_are_those_the_provider_knows(kind, field, good, bad):
    for value in good:
        assert found(kind, {field: value}) == []
    for value in bad:
        assert found(kind, {field: value}) == [(field, "wrong-value")]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("openai", "min_new_tokens top_k repetition_penalty decoding_method reasoning_effort"),
        (
            "anthropic",
            (
                "min_new_tokens repetition_penalty frequency_penalty presence_penalty seed decoding_method "
                "reasoning_effort logprobs response_format"
            ),
        ),
        ("watsonx", "frequency_penalty presence_penalty reasoning_effort response_format"),
        ("ollama", "min_new_tokens decoding_method logprobs"),
        ("openai-compatible", "decoding_method"),
    ],
)
def test_what_a_kind_does_not_take(kind, fields):
    table = rules.rules_for(kinds.built_in(kind), PLAIN[kind], "chat")
    taken = {name for name, rule in table.items() if rule.supported}
    assert set(rules.PARAMETER_FIELDS) - taken == set(fields.split())
    for field in fields.split():
        assert found(kind, {field: 1}) == [(field, UNSUPPORTED)]


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


def test_a_rule_over_fields_that_are_left_out_does_not_speak():
    given = {"min_new_tokens": 11, "max_new_tokens": 10, "decoding_method": "greedy", "temperature": 0.5}
    assert {code for _, code in found("watsonx", given, "meta-llama/llama-3")} == {UNSUPPORTED}


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
    for name in kinds.names():
        if name not in WITH_TABLES:
            kind = kinds.built_in(name)
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
any_kind = st.sampled_from(WITH_TABLES).map(kinds.built_in)
model_ids = text | st.sampled_from([*PLAIN.values(), *REASONING, "claude-opus-4-1", "llama"])
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
    kind = ProviderKind("acme", "openai", variants=(Variant("v", match=tuple(match)),))
    rules.variant_of(kind, model_id, "chat")
