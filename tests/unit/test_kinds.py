"""The kinds that are ours, as data: where they are, how they are asked, and what they call things."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler import kinds
from reconciler.core.provider_kind import (
    CredentialRule,
    Probe,
)
from reconciler.core.rules import PARAMETER_FIELDS, rules_for
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
        ("deepseek", "credential", Probe(path="/user/balance")),
        ("deepseek", "model", Probe(path="/models", list_at="data")),
        ("xai", "credential", Probe(path="/api-key")),
        ("xai", "model", Probe(path="/models/{model}")),
        ("huggingface", "credential", Probe(path="https://huggingface.co/api/whoami-v2")),
        ("huggingface", "model", None),
        ("fireworks", "model", None),
        ("github-models", "credential", None),
        ("github-models", "model", None),
        ("groq", "model", Probe(path="/models/{model}")),
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
    assert not kind.probes["reach"].authenticated


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
