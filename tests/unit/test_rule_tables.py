"""What each kind takes and does not take, as tables: every field of every kind, at the edges of its range."""

import pytest
from support.findings import PLAIN, UNSUPPORTED, found

from reconciler import kinds
from reconciler.core import rules

NAMES = kinds.names()


def each(table):
    """One case for each kind of a table whose first column names several."""
    return [
        pytest.param(kind, *rest, id=f"{kind}-{rest[0]}") for names, *rest in table for kind in names.split()
    ]


HOSTED = "openai azure-openai groq together fireworks deepseek xai openrouter huggingface nvidia"
ALL_BUT_FEW = (
    f"{HOSTED} anthropic ollama openai-compatible gemini vertex bedrock cohere cerebras perplexity vllm "
    "litellm github-models lmstudio"
)
PENALTIES = (
    "openai azure-openai ollama openai-compatible mistral together fireworks deepseek xai openrouter "
    "huggingface nvidia cerebras perplexity vllm litellm github-models lmstudio"
)
TOP_P_TO_1 = (
    "openai azure-openai anthropic ollama gemini vertex bedrock mistral groq together fireworks "
    "deepseek xai huggingface cerebras perplexity litellm github-models lmstudio"
)
ANY_STOPS = (
    "anthropic ollama openai-compatible mistral together openrouter huggingface nvidia perplexity "
    "vllm litellm github-models lmstudio"
)
ANY_SEED = (
    "openai azure-openai ollama openai-compatible gemini vertex groq together fireworks xai "
    "openrouter huggingface nvidia cerebras vllm litellm github-models lmstudio"
)
THREE_FORMATS = (
    "openai azure-openai gemini vertex mistral groq together xai openrouter huggingface nvidia "
    "cerebras github-models"
)
RANGES = [
    (ALL_BUT_FEW, "max_new_tokens", [1, 100_000], [0, -1]),
    ("watsonx mistral", "max_new_tokens", [0, 20], [-1]),
    ("watsonx openai-compatible cerebras vllm", "min_new_tokens", [0, 20], [-1]),
    (f"{HOSTED} watsonx gemini vertex", "temperature", [0, 0.0, 2, 2.0], [-0.01, 2.01]),
    ("anthropic bedrock github-models", "temperature", [0, 0.0, 1, 1.0], [-0.1, 1.1]),
    ("mistral cerebras", "temperature", [0, 1.5], [-0.1, 1.51]),
    ("perplexity", "temperature", [0, 1.99], [-0.1, 2, 2.0]),
    ("ollama openai-compatible cohere vllm litellm lmstudio", "temperature", [0.0, 5.0], [-0.1]),
    (TOP_P_TO_1, "top_p", [0, 0.0, 1, 1.0], [-0.1, 1.1]),
    ("watsonx openai-compatible openrouter nvidia vllm", "top_p", [0.01, 1.0], [0, 0.0, 1.01]),
    ("cohere", "top_p", [0.01, 0.99], [0.0, 0.009, 0.991, 1.0]),
    ("watsonx", "top_k", [1, 100], [0, 101]),
    ("anthropic ollama openrouter lmstudio", "top_k", [0, 500], [-1]),
    ("openai-compatible together vllm litellm", "top_k", [-1, 0, 50], [-2]),
    ("gemini vertex", "top_k", [1, 40], [0]),
    ("cohere", "top_k", [0, 500], [-1, 501]),
    ("fireworks", "top_k", [0, 100], [-1, 101]),
    ("perplexity", "top_k", [0, 2048], [-1, 2049]),
    ("watsonx", "repetition_penalty", [1.0, 2.0], [0.99, 2.01]),
    ("ollama", "repetition_penalty", [0.0, 1.1], [-0.1]),
    ("lmstudio", "repetition_penalty", [0.1, 1.1], [0.0]),
    ("openai-compatible together vllm litellm", "repetition_penalty", [0.01, 3.0], [0.0, -1.0]),
    ("fireworks", "repetition_penalty", [0.0, 2.0], [-0.1, 2.01]),
    ("openrouter", "repetition_penalty", [0.01, 2.0], [0.0, 2.01]),
    (PENALTIES, "frequency_penalty", [-2.0, 2.0], [-2.1, 2.1]),
    (PENALTIES, "presence_penalty", [-2.0, 2.0], [-2.1, 2.1]),
    ("gemini vertex", "frequency_penalty", [-2.0, 1.99], [-2.1, 2, 2.0]),
    ("gemini vertex", "presence_penalty", [-2.0, 1.99], [-2.1, 2, 2.0]),
    ("cohere", "frequency_penalty", [0.0, 1.0], [-0.1, 1.1]),
    ("cohere", "presence_penalty", [0.0, 1.0], [-0.1, 1.1]),
    ("openai azure-openai groq fireworks xai cerebras", "stop_sequences", [[], ["a"] * 4], [["a"] * 5]),
    ("gemini vertex cohere", "stop_sequences", [["a"] * 5], [["a"] * 6]),
    ("watsonx", "stop_sequences", [["a"] * 6], [["a"] * 7]),
    ("deepseek", "stop_sequences", [["a"] * 16], [["a"] * 17]),
    ("bedrock", "stop_sequences", [["a"] * 2500], [["a"] * 2501]),
    (ANY_STOPS, "stop_sequences", [["a"] * 50], []),
    ("watsonx", "seed", [1, 4294967295], [0, 4294967296]),
    ("mistral cohere", "seed", [0, 2**53], [-1]),
    (ANY_SEED, "seed", [-1, 0, 2**53], []),
    (
        "openai azure-openai gemini vertex together deepseek openrouter cerebras litellm",
        "logprobs",
        [True, False, 0, 20],
        [-1, 21],
    ),
    ("fireworks huggingface", "logprobs", [0, 5], [-1, 6]),
    ("xai", "logprobs", [0, 8], [-1, 9]),
    ("cohere", "logprobs", [0, 1], [-1, 2]),
    ("openai-compatible vllm", "logprobs", [True, 0, 20], [-1]),
    ("watsonx", "logprobs", [True, 0, 20], []),
]
FORMATS = ["text", {"type": "json_object"}, {"type": "json_schema"}, {"no": "type"}]
WORDS = [
    (THREE_FORMATS, "response_format", FORMATS, ["xml", {"type": "xml"}]),
    ("cohere deepseek", "response_format", FORMATS[:2], [{"type": "json_schema"}]),
    ("fireworks", "response_format", [*FORMATS, {"type": "grammar"}], ["xml"]),
    ("perplexity", "response_format", [*FORMATS[::2], {"type": "regex"}], ["json_object"]),
    ("lmstudio", "response_format", FORMATS[::2], ["json_object"]),
    ("vllm", "response_format", [*FORMATS, {"type": "structural_tag"}], ["xml"]),
    ("ollama", "response_format", ["json", {"type": "object"}], []),
    ("openai-compatible litellm", "response_format", ["text", {"type": "json_object"}], []),
    ("watsonx", "decoding_method", ["greedy", "sample"], ["beam"]),
    ("ollama", "reasoning_effort", ["low", "high"], ["none", "max"]),
    ("azure-openai openrouter", "reasoning_effort", ["none", "minimal", "xhigh"], ["max", "default"]),
    ("mistral", "reasoning_effort", ["none", "high", "max"], ["default"]),
    ("groq", "reasoning_effort", ["none", "default", "high"], ["minimal", "xhigh"]),
    ("together", "reasoning_effort", ["low", "high"], ["none", "minimal"]),
    ("fireworks cerebras", "reasoning_effort", ["none", "low", "high"], ["minimal", "max"]),
    ("deepseek", "reasoning_effort", ["low", "high", "max"], ["none", "medium"]),
    ("perplexity", "reasoning_effort", ["minimal", "high"], ["none", "xhigh"]),
    ("openai-compatible huggingface vllm litellm", "reasoning_effort", ["low", "whatever"], []),
]


@pytest.mark.parametrize(("kind", "field", "good", "bad"), each(RANGES))
def test_ranges_end_where_the_provider_says(kind, field, good, bad):
    for value in good:
        assert found(kind, {field: value}) == [], value
    for value in bad:
        assert found(kind, {field: value}) == [(field, "out-of-range")], value


@pytest.mark.parametrize(("kind", "field", "good", "bad"), each(WORDS))
def test_words_are_those_the_provider_knows(kind, field, good, bad):
    for value in good:
        assert found(kind, {field: value}) == []
    for value in bad:
        assert found(kind, {field: value}) == [(field, "wrong-value")]


NOT_TAKEN = {
    "anthropic": (
        "min_new_tokens repetition_penalty frequency_penalty presence_penalty seed decoding_method "
        "reasoning_effort logprobs response_format"
    ),
    "azure-openai": "min_new_tokens top_k repetition_penalty decoding_method",
    "bedrock": (
        "min_new_tokens top_k repetition_penalty frequency_penalty presence_penalty seed decoding_method "
        "reasoning_effort logprobs response_format"
    ),
    "cerebras": "top_k repetition_penalty decoding_method",
    "cohere": "min_new_tokens repetition_penalty decoding_method reasoning_effort",
    "deepseek": "min_new_tokens top_k repetition_penalty seed decoding_method",
    "fireworks": "min_new_tokens decoding_method",
    "gemini": "min_new_tokens repetition_penalty decoding_method reasoning_effort",
    "github-models": "min_new_tokens top_k repetition_penalty decoding_method reasoning_effort logprobs",
    "groq": (
        "min_new_tokens top_k repetition_penalty frequency_penalty presence_penalty decoding_method logprobs"
    ),
    "huggingface": "min_new_tokens top_k repetition_penalty decoding_method",
    "litellm": "min_new_tokens decoding_method",
    "lmstudio": "min_new_tokens decoding_method reasoning_effort logprobs",
    "mistral": "min_new_tokens top_k repetition_penalty decoding_method logprobs",
    "nvidia": "min_new_tokens top_k repetition_penalty decoding_method reasoning_effort logprobs",
    "ollama": "min_new_tokens decoding_method logprobs",
    "openai": "min_new_tokens top_k repetition_penalty decoding_method reasoning_effort",
    "openai-compatible": "decoding_method",
    "openrouter": "min_new_tokens decoding_method",
    "perplexity": "min_new_tokens repetition_penalty seed decoding_method logprobs",
    "together": "min_new_tokens decoding_method",
    "vertex": "min_new_tokens repetition_penalty decoding_method reasoning_effort",
    "vllm": "decoding_method",
    "watsonx": "frequency_penalty presence_penalty reasoning_effort response_format",
    "xai": "min_new_tokens top_k repetition_penalty decoding_method reasoning_effort",
}


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_kind_does_not_take(kind):
    fields = NOT_TAKEN[kind].split()
    table = rules.rules_for(kinds.built_in(kind), PLAIN[kind], "chat" if kind != "watsonx" else "completion")
    taken = {name for name, rule in table.items() if rule.supported}
    assert set(rules.PARAMETER_FIELDS) - taken == set(fields)
    for field in fields:
        assert found(kind, {field: 1}) == [(field, UNSUPPORTED)]


@pytest.mark.parametrize("kind", NAMES)
def test_every_field_of_every_kind_is_in_a_table_above(kind):
    tried = {field for names, field, *_ in (*RANGES, *WORDS) if kind in names.split()}
    assert sorted(tried) == sorted(set(rules.PARAMETER_FIELDS) - set(NOT_TAKEN[kind].split()))
