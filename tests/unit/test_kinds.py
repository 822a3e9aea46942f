"""The kinds that are ours, as data: where they are, how they are asked, and what they call things."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler import kinds
from reconciler.core.endpoints import endpoint_of
from reconciler.core.provider_kind import (
    PROBE_LEVELS,
    CredentialRule,
    Denial,
    Endpoint,
    Probe,
)
from reconciler.core.rules import PARAMETER_FIELDS, rules_for, variant_of
from reconciler.errors import UsageError

NAMES = kinds.names()
FOLDER = Path(kinds.__file__).parent
LOCAL = {"ollama", "vllm", "lmstudio", "openai-compatible"}
# The operator or a tenant chooses where these are.
HOSTLESS = LOCAL | {"azure-openai", "litellm"}


def test_all_kinds_are_there():
    hosted = (
        "openai azure-openai anthropic watsonx bedrock vertex gemini mistral cohere groq together fireworks"
    )
    more = "deepseek xai openrouter huggingface nvidia cerebras perplexity github-models litellm"
    assert set(NAMES) == {*hosted.split(), *more.split(), *LOCAL}
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_is_read_once_and_is_ours(name):
    kind = kinds.built_in(name)
    assert kind is kinds.built_in(name)
    assert (kind.name, kind.built_in) == (name, True)
    assert kind.description
    assert kind.parameters


@pytest.mark.parametrize("name", NAMES)
def test_each_file_says_where_its_facts_come_from(name):
    first = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# From ")


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_survives_the_database_but_for_what_is_ours_alone(name):
    kind = kinds.built_in(name)
    spec = kinds.to_spec(kind)
    stored = json.loads(json.dumps(spec, allow_nan=False))
    assert kinds.from_spec(name, stored) == replace(kind, hosts=(), loopback=False, built_in=False)
    assert stored == spec
    assert "null" not in json.dumps(spec)
    assert kinds.to_spec(kinds.from_spec(name, stored)) == spec


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_lie_within_the_kinds_hosts(name):
    kind = kinds.built_in(name)
    assert bool(kind.hosts) == (name not in HOSTLESS)
    urls = [kind.base_url] if kind.base_url else []
    urls += [probe.path for probe in kind.probes.values() if probe.path.startswith("https:")]
    for url in urls:
        parts = urlsplit(url)
        if name in LOCAL:
            assert parts.hostname in {"localhost", "127.0.0.1"}
        else:
            assert (parts.scheme, parts.hostname in kind.hosts, parts.port) == ("https", True, None)
        assert not url.endswith("/")


@pytest.mark.parametrize("name", NAMES)
def test_no_host_is_one_that_tenants_control(name):
    rented = r"\.(s3|elb|execute-api|blob|openai\.azure|storage|run|endpoints\.huggingface|hf)\."
    for host in kinds.built_in(name).hosts:
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", host), "a whole host, no wildcard"
        assert not re.search(rented, f".{host}")


def test_loopback_is_open_to_local_kinds_only():
    assert {name for name in NAMES if kinds.built_in(name).loopback} == LOCAL
    assert {name for name in NAMES if kinds.built_in(name).default_credentials == "none"} == LOCAL


@pytest.mark.parametrize("name", NAMES)
def test_credentials_name_variables_that_may_be_read(name):
    kind = kinds.built_in(name)
    assert kind.credentials
    for rule in kind.credentials.values():
        assert rule.env
        for variable in rule.env:
            assert re.fullmatch(r"[A-Z0-9_]+", variable)
            assert not variable.startswith(("RECONCILER_", "PG"))
            assert not variable.endswith("DATABASE_URL")
    if name in LOCAL:
        assert not any(rule.required for rule in kind.credentials.values())


@pytest.mark.parametrize(
    ("kind", "credential", "expected"),
    [
        ("openai", "api_key", CredentialRule(("OPENAI_API_KEY",), header="Authorization", prefix="Bearer ")),
        ("anthropic", "api_key", CredentialRule(("ANTHROPIC_API_KEY",), header="x-api-key")),
        (
            "watsonx",
            "project_id",
            CredentialRule(
                ("WATSONX_PROJECT_ID", "WX_PROJECT_ID", "WATSONX_INSTANCE_ID"), required=False, secret=False
            ),
        ),
    ],
)
def test_credentials_are_sent_as_the_provider_wants(kind, credential, expected):
    assert kinds.built_in(kind).credentials[credential] == expected


def test_the_first_watsonx_variable_is_the_one_of_the_documentation():
    assert kinds.built_in("watsonx").credentials["api_key"].env[0] == "WATSONX_APIKEY"
    assert kinds.built_in("watsonx").base_url == "https://us-south.ml.cloud.ibm.com"
    assert len(kinds.built_in("watsonx").hosts) == 7
    assert kinds.built_in("anthropic").headers == {"anthropic-version": "2023-06-01"}


POOR = Denial("is_available", False, "quota_exhausted", "the balance does not suffice for a call")
AT_REST = Denial("active", False, "model_withdrawn", "it is listed as no longer active")
BLOCKED = (
    Denial("api_key_blocked", True, "auth_failed", "the key is blocked"),
    Denial("api_key_disabled", True, "auth_failed", "the key is disabled"),
    Denial("team_blocked", True, "forbidden", "the key's team is blocked"),
)


@pytest.mark.parametrize(
    ("kind", "level", "probe"),
    [
        ("openai", "credential", Probe(path="/models")),
        ("openai", "model", Probe(path="/models/{model}")),
        ("anthropic", "model", Probe(path="/v1/models/{model}")),
        ("together", "model", Probe(path="/models", list_at=".")),
        ("openai-compatible", "model", Probe(path="/models", list_at="data")),
        ("ollama", "model", Probe(path="/api/tags", list_at="models", id_field="name")),
        ("openrouter", "credential", Probe(path="/key")),
        ("openrouter", "model", None),
        ("openrouter", "reach", Probe(path="/models", authenticated=False)),
        ("deepseek", "credential", Probe(path="/user/balance", fails=(POOR,))),
        ("deepseek", "model", Probe(path="/models", list_at="data")),
        ("xai", "credential", Probe(path="/api-key", fails=BLOCKED)),
        ("xai", "model", Probe(path="/models/{model}")),
        ("huggingface", "credential", Probe(path="https://huggingface.co/api/whoami-v2")),
        ("huggingface", "model", None),
        ("fireworks", "model", None),
        ("github-models", "credential", None),
        ("github-models", "model", None),
        ("groq", "model", Probe(path="/models/{model}", fails=(AT_REST,))),
        ("mistral", "model", Probe(path="/models/{model}")),
        ("cerebras", "model", Probe(path="/models/{model}")),
        ("litellm", "model", Probe(path="/models", list_at="data")),
        ("vllm", "model", Probe(path="/models", list_at="data")),
        ("lmstudio", "model", Probe(path="/models", list_at="data")),
        ("perplexity", "credential", None),
        ("nvidia", "credential", None),
        ("nvidia", "model", None),
        ("perplexity", "model", None),
        ("watsonx", "credential", Probe(method="POST", path="https://iam.cloud.ibm.com/identity/token")),
    ],
)
def test_probes_ask_what_proves_something(kind, level, probe):
    assert kinds.built_in(kind).probes.get(level) == probe


def test_watsonx_models_are_public_so_their_list_proves_no_key():
    probe = kinds.built_in("watsonx").probes["model"]
    assert (probe.list_at, probe.id_field, probe.authenticated) == ("resources", "model_id", False)
    assert probe.query["version"] == "2024-05-31"


@pytest.mark.parametrize("name", NAMES)
def test_whoever_speaks_a_protocol_that_is_built_can_be_reached(name):
    kind = kinds.built_in(name)
    assert kind.protocol in {"openai", "anthropic", "watsonx", name}
    assert (kind.protocol == "ollama") == (name == "ollama")
    assert not kind.probes["reach"].authenticated


@pytest.mark.parametrize("name", NAMES)
def test_each_level_proves_something_or_says_why_not(name):
    kind = kinds.built_in(name)
    proving = {*kind.probes, *({"generate"} if kind.endpoints else ())}
    assert proving | set(kind.unproven) == set(PROBE_LEVELS) - {"none"}
    assert not proving & set(kind.unproven)
    assert all(re.fullmatch(r"[a-z].{20,150}[^.]", reason) for reason in kind.unproven.values())


SHAPES = {
    "openai": "chat completion embedding rerank image speech transcription moderation responses",
    "azure-openai": "chat completion embedding image speech transcription",
    "anthropic": "chat",
    "bedrock": "chat embedding",
    "cohere": "chat embedding rerank",
    "gemini": "chat embedding",
    "ollama": "chat completion embedding",
    "vertex": "chat embedding anthropic",
    "watsonx": "chat completion embedding rerank",
}
# Endpoints in whose bodies the model has no place.
IN_THE_PATH = {"azure-openai", "bedrock", "gemini", "vertex"}


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_lie_below_the_base_url_and_none_hides_another(name):
    kind = kinds.built_in(name)
    assert "chat" in {endpoint.mode for endpoint in kind.endpoints}
    for place, endpoint in enumerate(kind.endpoints):
        assert re.fullmatch(r"(/[\w.{}:-]+)+", endpoint.path)
        assert ("{model}" in endpoint.path) == (name in IN_THE_PATH)
        assert (endpoint.shape or endpoint.mode) in SHAPES[kind.protocol].split()
        assert endpoint.shape != endpoint.mode
        assert all(pattern == pattern.lower() for pattern in endpoint.match)
        later = [other.mode for other in kind.endpoints[place + 1 :]]
        assert endpoint.match or endpoint.mode not in later, "whatever comes after it is never asked"


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_are_of_the_version_that_the_probes_are_of(name):
    kind = kinds.built_in(name)
    for word in ("version", "api-version"):
        said = {part.query[word] for part in (*kind.probes.values(), *kind.endpoints) if word in part.query}
        assert len(said) <= 1
        if said:
            assert all(word in endpoint.query for endpoint in kind.endpoints)


VERSION = {"version": "2024-05-31"}
DATED = {"api-version": "2024-10-21"}
GOOGLE = "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}"
CLAUDE = "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}"


@pytest.mark.parametrize(
    ("kind", "model_id", "endpoint"),
    [
        ("openai", "gpt-4o", Endpoint("chat", "/chat/completions")),
        ("openai", "text-embedding-3-small", Endpoint("embedding", "/embeddings")),
        ("openai", "gpt-image-1", Endpoint("image", "/images/generations", model_at="")),
        ("openai", "omni-moderation-latest", Endpoint("moderation", "/moderations")),
        ("openai", "gpt-3.5-turbo-instruct", Endpoint("completion", "/completions")),
        (
            "azure-openai",
            "ours",
            Endpoint("chat", "/openai/deployments/{model}/chat/completions", query=DATED),
        ),
        ("anthropic", "claude-opus-4-7", Endpoint("chat", "/v1/messages")),
        ("watsonx", "ibm/granite-4-h", Endpoint("chat", "/ml/v1/text/chat", query=VERSION)),
        ("watsonx", "ibm/granite-4-h", Endpoint("completion", "/ml/v1/text/generation", query=VERSION)),
        ("watsonx", "ibm/slate-30m", Endpoint("embedding", "/ml/v1/text/embeddings", query=VERSION)),
        ("watsonx", "cross-encoder/ms", Endpoint("rerank", "/ml/v1/text/rerank", query=VERSION)),
        ("bedrock", "amazon.nova-pro-v1:0", Endpoint("chat", "/model/{model}/converse", model_at="")),
        ("gemini", "gemini-2.5-pro", Endpoint("chat", "/v1beta/models/{model}:generateContent")),
        ("gemini", "gemini-embedding-001", Endpoint("embedding", "/v1beta/models/{model}:embedContent")),
        ("vertex", "gemini-2.5-pro", Endpoint("chat", f"{GOOGLE}:generateContent")),
        ("vertex", "claude-sonnet-4@20250514", Endpoint("chat", f"{CLAUDE}:rawPredict", shape="anthropic")),
        ("vertex", "text-embedding-005", Endpoint("embedding", f"{GOOGLE}:predict")),
        ("cohere", "command-a-03-2025", Endpoint("chat", "/v2/chat")),
        ("cohere", "embed-v4.0", Endpoint("embedding", "/v2/embed")),
        ("cohere", "rerank-v3.5", Endpoint("rerank", "/v2/rerank")),
        ("ollama", "llama3.2", Endpoint("chat", "/api/chat")),
        ("ollama", "llama3.2", Endpoint("completion", "/api/generate")),
        ("ollama", "nomic-embed-text", Endpoint("embedding", "/api/embed")),
    ],
)
def test_work_is_done_where_the_provider_does_it(kind, model_id, endpoint):
    found = endpoint_of(kinds.built_in(kind), model_id, endpoint.mode)
    assert (found.path, found.shape, found.query) == (endpoint.path, endpoint.shape, endpoint.query)


@pytest.mark.parametrize(
    ("kind", "mode", "shapes"),
    [
        ("openai", "audio", {"tts-1-hd": "speech", "gpt-4o-mini-tts": "speech", "omni-x": None}),
        ("openai", "audio", dict.fromkeys(["whisper-1", "gpt-4o-mini-transcribe"], "transcription")),
        ("groq", "audio", {"playai-tts": "speech", "whisper-large-v3": "transcription"}),
        ("openai-compatible", "audio", {"kokoro": "speech", "Whisper-small": "transcription"}),
        ("mistral", "audio", {"voxtral-mini-latest": "transcription"}),
        ("openai", "chat", dict.fromkeys(["o1-pro", "o3-pro-2025-06-10", "gpt-5.2-pro"], "responses")),
        ("openai", "chat", dict.fromkeys(["gpt-5-codex", "o4-mini-deep-research"], "responses")),
        ("openai", "chat", dict.fromkeys(["o3", "o4-mini", "gpt-5", "gpt-5-nano", "gpt-5-chat-latest"], "")),
        ("watsonx", "chat", {"ibm/granite-13b-instruct-v2": "completion", "meta-llama/llama-3": ""}),
        ("bedrock", "embedding", {"amazon.titan-embed-text-v2:0": "", "twelvelabs.marengo": None}),
        ("vertex", "chat", {"publishers/meta/models/llama-3": None, "mistral-large": None}),
        ("anthropic", "embedding", {"claude-opus-4-7": None}),
        ("huggingface", "embedding", {"BAAI/bge-m3": None}),
        ("perplexity", "image", {"sonar": None}),
    ],
)
def test_a_model_is_spoken_to_in_its_own_shape_or_not_at_all(kind, mode, shapes):
    found = {model_id: endpoint_of(kinds.built_in(kind), model_id, mode) for model_id in shapes}
    assert {model_id: one and one.shape for model_id, one in found.items()} == shapes


@pytest.mark.parametrize(
    ("kind", "model_id", "place"),
    [
        ("openai", "gpt-4o", "model"),
        ("azure-openai", "our-deployment", ""),
        ("anthropic", "claude-sonnet-4-20250514", "model"),
        ("anthropic", "claude-sonnet-4-0", ""),
        ("watsonx", "meta-llama/llama-3", "model_id"),
        ("gemini", "gemini-2.5-pro", "modelVersion"),
        ("gemini", "gemini-flash-latest", ""),
        ("vertex", "claude-sonnet-4@20250514", ""),
        ("cohere", "command-a", ""),
        ("openrouter", "openrouter/auto", ""),
        ("huggingface", "Qwen/Qwen3:together", ""),
        ("github-models", "openai/gpt-4.1", ""),
        ("litellm", "our-alias", ""),
        ("deepseek", "deepseek-chat", ""),
        ("deepseek", "deepseek-v4-pro", "model"),
        ("xai", "grok-4-fast", ""),
        ("xai", "grok-4-0709", "model"),
        ("fireworks", "accounts/fireworks/models/m#accounts/a/deployments/d", ""),
        ("openai-compatible", "my-model", "model"),
        ("ollama", "llama3.2", "model"),
    ],
)
def test_another_name_is_a_mismatch_only_where_answers_repeat_the_name(kind, model_id, place):
    assert endpoint_of(kinds.built_in(kind), model_id, "chat").model_at == place


THINKING = [
    *("openai:gpt-5-mini", "openai:o3", "anthropic:claude-opus-4-7", "gemini:gemini-2.5-flash"),
    *(
        "gemini:gemini-3-pro",
        "vertex:gemini-2.5-pro",
        "vertex:gemini-3-pro",
        "vertex:claude-opus-4-7@default",
    ),
    *("bedrock:us.deepseek.r1-v1:0", "bedrock:openai.gpt-oss-120b-1:0", "watsonx:openai/gpt-oss-120b"),
    *("azure-openai:any", "litellm:any", "mistral:magistral-medium-latest", "cohere:command-a-reasoning"),
    *("groq:openai/gpt-oss-120b", "groq:qwen/qwen3-32b", "groq:deepseek-r1-distill-llama-70b"),
    *("together:deepseek-ai/DeepSeek-R1", "together:Qwen/QwQ-32B", "deepseek:deepseek-reasoner"),
    *("fireworks:accounts/fireworks/models/gpt-oss-20b", "fireworks:accounts/fireworks/models/qwen3-8b"),
    *("deepseek:deepseek-v4-pro", "xai:grok-4-0709", "xai:grok-3-mini", "xai:grok-4.3"),
    *("openrouter:openai/o3", "openrouter:openai/gpt-oss-20b", "openrouter:moonshotai/kimi-k2-thinking"),
    *("huggingface:openai/gpt-oss-20b:groq", "nvidia:openai/gpt-oss-20b", "nvidia:deepseek-ai/deepseek-r1"),
    *("cerebras:gpt-oss-120b", "cerebras:qwen-3-32b", "perplexity:sonar-reasoning-pro"),
    *("github-models:openai/o3", "github-models:microsoft/Phi-4-reasoning", "vllm:Qwen/QwQ-32B"),
    *("openai-compatible:gpt-oss-20b", "ollama:deepseek-r1:8b", "ollama:gpt-oss", "lmstudio:magistral-small"),
]
BRIEF = [
    *("openai:gpt-4o", "openai:gpt-5-chat-latest", "anthropic:claude-sonnet-4-0", "gemini:gemini-2.0-flash"),
    *("vertex:gemini-2.0-flash", "vertex:claude-sonnet-4@20250514", "bedrock:amazon.nova-pro-v1:0"),
    *("watsonx:granite-13b", "watsonx:meta-llama/llama-3", "mistral:mistral-large-latest"),
    *("cohere:command-a-03-2025", "groq:llama-3.3-70b-versatile", "together:deepseek-ai/DeepSeek-V3"),
    *("fireworks:accounts/fireworks/models/deepseek-v3p1", "deepseek:deepseek-chat", "xai:grok-3"),
    *("xai:grok-4-fast-non-reasoning", "openrouter:openai/gpt-4o", "huggingface:meta-llama/Llama-3.3:nitro"),
    *("nvidia:meta/llama-3.3-70b-instruct", "cerebras:llama3.1-8b", "perplexity:sonar"),
    *(
        "github-models:openai/gpt-4.1",
        "vllm:my-model",
        "openai-compatible:my-model",
        "ollama:llama3.2:latest",
    ),
    "lmstudio:llama-3.2-3b-instruct",
]


def tokens_of(model):
    name, _, model_id = model.partition(":")
    kind = kinds.built_in(name)
    variant = variant_of(kind, model_id, "chat")
    return (variant and variant.probe_tokens) or kind.probe_tokens


def test_models_that_think_have_room_for_it_and_others_cost_little():
    # Some providers refuse less than 16, and some take thinking for a part of the answer.
    assert {model: tokens_of(model) for model in THINKING} == dict.fromkeys(THINKING, 512)
    assert {model: tokens_of(model) for model in BRIEF} == dict.fromkeys(BRIEF, 16)
    kinds_tried = {model.partition(":")[0] for model in (*THINKING, *BRIEF)}
    assert kinds_tried == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_lines_about_errors_have_a_condition_and_are_compared_in_lower_case(name):
    for error in kinds.built_in(name).errors:
        assert error.codes or error.words or error.statuses
        assert all(text and text == text.lower() for text in (*error.codes, *error.words))


@pytest.mark.parametrize("name", NAMES)
def test_every_field_that_is_taken_has_a_name_on_the_wire_and_no_two_share_one(name):
    kind = kinds.built_in(name)
    for special in ({}, *(variant.parameters for variant in kind.variants)):
        table = {**kind.parameters, **special}
        wires = [rule.wire for rule in table.values() if rule.supported]
        assert table.keys() <= set(PARAMETER_FIELDS)
        assert all(re.fullmatch(r"\w+(\.\w+)*", wire) for wire in wires)
        assert len(set(wires)) == len(wires)


@pytest.mark.parametrize("name", NAMES)
def test_limits_make_sense_and_variants_have_names(name):
    kind = kinds.built_in(name)
    names = [variant.name for variant in kind.variants]
    assert len(set(names)) == len(names)
    for table in (kind.parameters, *(variant.parameters for variant in kind.variants)):
        for rule in table.values():
            low, high = rule.minimum, rule.maximum
            assert low is None or high is None or low <= high
            assert not (rule.exclusive_minimum and low is None)
            assert not (rule.exclusive_maximum and high is None)
            assert len(set(rule.choices)) == len(rule.choices)


@pytest.mark.parametrize(
    ("kind", "model_id", "wires"),
    [
        ("openai", "gpt-4o", {"max_new_tokens": "max_completion_tokens", "stop_sequences": "stop"}),
        ("azure-openai", "any", {"max_new_tokens": "max_completion_tokens", "logprobs": "top_logprobs"}),
        ("anthropic", "claude-opus-4-8", {"reasoning_effort": "output_config.effort"}),
        ("gemini", "gemini-3-pro", {"reasoning_effort": "generationConfig.thinkingConfig.thinkingLevel"}),
        ("gemini", "gemini-2.5-pro", {"stop_sequences": "generationConfig.stopSequences"}),
        ("vertex", "gemini-2.5-pro", {"top_k": "generationConfig.topK"}),
        ("vertex", "claude-sonnet-4@20250514", {"max_new_tokens": "max_tokens", "top_k": "top_k"}),
        ("bedrock", "amazon.nova-pro-v1:0", {"max_new_tokens": "inferenceConfig.maxTokens"}),
        ("cohere", "command-a", {"top_p": "p", "top_k": "k", "stop_sequences": "stop_sequences"}),
        ("mistral", "mistral-large", {"seed": "random_seed", "max_new_tokens": "max_tokens"}),
        ("groq", "llama-3.3-70b", {"max_new_tokens": "max_completion_tokens"}),
        ("together", "m", {"logprobs": "logprobs"}),
        ("openrouter", "m", {"reasoning_effort": "reasoning.effort"}),
        ("cerebras", "m", {"max_new_tokens": "max_completion_tokens", "min_new_tokens": "min_tokens"}),
        ("ollama", "m", {"max_new_tokens": "options.num_predict", "reasoning_effort": "think"}),
        ("lmstudio", "m", {"repetition_penalty": "repeat_penalty"}),
        ("github-models", "openai/gpt-4.1", {"max_new_tokens": "max_tokens"}),
        ("github-models", "openai/o3", {"max_new_tokens": "max_completion_tokens"}),
        ("watsonx", "granite-13b", {"seed": "parameters.random_seed"}),
        ("watsonx", "meta-llama/llama-3", {"seed": "seed", "max_new_tokens": "max_tokens"}),
    ],
)
def test_fields_are_sent_under_the_providers_own_names(kind, model_id, wires):
    table = rules_for(kinds.built_in(kind), model_id, "chat")
    assert {field: table[field].wire for field in wires} == wires


@pytest.mark.parametrize(
    ("kind", "credential", "variables"),
    [
        ("azure-openai", "api_key", "AZURE_OPENAI_API_KEY AZURE_API_KEY"),
        ("azure-openai", "ad_token", "AZURE_OPENAI_AD_TOKEN AZURE_AD_TOKEN"),
        ("azure-openai", "api_version", "OPENAI_API_VERSION AZURE_API_VERSION"),
        ("bedrock", "api_key", "AWS_BEARER_TOKEN_BEDROCK"),
        ("bedrock", "region", "AWS_REGION AWS_DEFAULT_REGION AWS_REGION_NAME"),
        ("vertex", "project", "GOOGLE_VERTEX_PROJECT VERTEXAI_PROJECT GOOGLE_CLOUD_PROJECT"),
        ("vertex", "location", "GOOGLE_VERTEX_LOCATION VERTEXAI_LOCATION GOOGLE_CLOUD_LOCATION"),
        ("gemini", "api_key", "GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_GENERATIVE_AI_API_KEY"),
        ("cohere", "api_key", "COHERE_API_KEY CO_API_KEY"),
        ("openrouter", "api_key", "OPENROUTER_API_KEY OR_API_KEY"),
        ("huggingface", "api_key", "HF_TOKEN HUGGINGFACE_API_KEY"),
        ("nvidia", "api_key", "NVIDIA_API_KEY NVIDIA_NIM_API_KEY"),
        (
            "together",
            "api_key",
            "TOGETHER_API_KEY TOGETHER_AI_API_KEY TOGETHERAI_API_KEY TOGETHER_AI_TOKEN",
        ),
        ("fireworks", "api_key", "FIREWORKS_API_KEY FIREWORKS_AI_API_KEY FIREWORKS_AI_TOKEN"),
        ("perplexity", "api_key", "PERPLEXITY_API_KEY PERPLEXITYAI_API_KEY"),
        ("vllm", "api_key", "VLLM_API_KEY HOSTED_VLLM_API_KEY"),
        ("lmstudio", "api_key", "LMSTUDIO_API_KEY LM_STUDIO_API_KEY"),
        ("litellm", "api_key", "LITELLM_PROXY_API_KEY LITELLM_API_KEY"),
        ("github-models", "api_key", "GITHUB_TOKEN GITHUB_API_KEY"),
    ],
)
def test_the_variables_of_other_tools_are_known_and_the_providers_own_comes_first(
    kind, credential, variables
):
    assert kinds.built_in(kind).credentials[credential].env == tuple(variables.split())


def test_only_what_is_no_secret_is_called_none():
    open_ones = {
        (name, credential)
        for name in NAMES
        for credential, rule in kinds.built_in(name).credentials.items()
        if not rule.secret
    }
    assert open_ones == {
        *(("openai", "organization"), ("openai", "project"), ("azure-openai", "api_version")),
        *(("watsonx", "project_id"), ("watsonx", "space_id"), ("bedrock", "region")),
        *(("vertex", "project"), ("vertex", "location")),
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("openia", "did you mean openai?"),
        ("Azure_OpenAI", "did you mean azure-openai?"),
        ("../openai", "did you mean openai?"),
        ("zzz", "the kinds are anthropic, "),
    ],
)
def test_an_unknown_kind_names_its_neighbour(name, hint):
    with pytest.raises(UsageError, match="is not a provider kind") as caught:
        kinds.built_in(name)
    assert caught.value.code == "unknown-kind"
    assert caught.value.hint.startswith(hint)


def test_importing_the_kinds_is_light():
    for module in ("__init__", "catalogue", "specs"):
        tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
        at_once = [ast.unparse(step) for step in tree.body if isinstance(step, (ast.Import, ast.ImportFrom))]
        assert not re.search("yaml|pydantic|documents", " ".join(at_once))
