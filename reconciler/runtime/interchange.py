"""The same configuration for other libraries: the official SDK's and LiteLLM's arguments, with the values and
under the rules of our own requests. Names of theirs are data here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.core.probe import Access
from reconciler.core.prompt import Prompt
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.wire import wired
from reconciler.errors import UsageError
from reconciler.protocols.azure_openai import is_version
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generating import shape_name, work_of
from reconciler.protocols.keys import opened, spoken_to
from reconciler.protocols.questions import Case
from reconciler.runtime import calling
from reconciler.runtime.responses import ProviderModelConfigResponse

Arguments = dict[str, Any]

OPENAI_PROTOCOLS = ("openai", "azure-openai")


class _Method(NamedTuple):
    """One of the SDK's methods: what the caller gives, and what else it takes by name."""

    given: frozenset[str]
    taken: frozenset[str]


_SAMPLING = ("frequency_penalty", "presence_penalty", "seed", "stop", "temperature", "top_p", "user", "n")
# By the shape of what is asked: `chat.completions`, `completions`, `responses`, `embeddings`.
METHODS: Mapping[str, _Method] = {
    "chat": _Method(
        frozenset({"messages"}),
        frozenset(
            {
                *_SAMPLING,
                *("audio", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens"),
                *("max_tokens", "metadata", "modalities", "parallel_tool_calls", "prediction"),
                *("prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format"),
                *("safety_identifier", "service_tier", "store", "tool_choice", "tools", "top_logprobs"),
                *("verbosity", "web_search_options"),
            }
        ),
    ),
    "completion": _Method(
        frozenset({"prompt"}),
        frozenset({*_SAMPLING, "best_of", "echo", "logit_bias", "logprobs", "max_tokens", "suffix"}),
    ),
    "responses": _Method(
        frozenset({"input", "instructions"}),
        frozenset(
            {
                *("background", "include", "max_output_tokens", "max_tool_calls", "metadata"),
                *("parallel_tool_calls", "reasoning", "safety_identifier", "service_tier", "store"),
                *("temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation"),
                "user",
            }
        ),
    ),
    "embedding": _Method(frozenset({"input"}), frozenset({"dimensions", "encoding_format", "user"})),
}

# What LiteLLM calls a provider; any other that speaks OpenAI's protocol is `openai` to it.
PREFIXES: Mapping[str, str] = {
    "openai": "openai",
    "azure-openai": "azure",
    "anthropic": "anthropic",
    "watsonx": "watsonx",
    "bedrock": "bedrock",
    "vertex": "vertex_ai",
    "gemini": "gemini",
    "mistral": "mistral",
    "cohere": "cohere_chat",
    "groq": "groq",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
    "deepseek": "deepseek",
    "xai": "xai",
    "openrouter": "openrouter",
    "ollama": "ollama_chat",
    "vllm": "hosted_vllm",
    "nvidia": "nvidia_nim",
    "cerebras": "cerebras",
    "perplexity": "perplexity",
    "github-models": "github",
    "lmstudio": "lm_studio",
    "litellm": "litellm_proxy",
}
# What it calls our credentials, by protocol.
_CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "openai": {"api_key": "api_key", "organization": "organization"},
    "azure-openai": {"api_key": "api_key", "ad_token": "azure_ad_token", "api_version": "api_version"},
    "watsonx": {"api_key": "api_key", "project_id": "project_id", "space_id": "space_id"},
    "bedrock": {
        "api_key": "api_key",
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "session_token": "aws_session_token",
        "region": "aws_region_name",
    },
    "vertex": {
        "service_account": "vertex_credentials",
        "project": "vertex_project",
        "location": "vertex_location",
    },
}
_KEY_ALONE = {"api_key": "api_key"}
# What it calls our parameters, where it has a name of its own and makes the provider's of it.
_PARAMETERS = {"max_new_tokens": "max_tokens", "stop_sequences": "stop", "logprobs": "top_logprobs"}
_COMMON = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "reasoning_effort")
# Without any, it would take a key from the environment and send it there.
_NO_KEY = "none"


class HiddenText(str):
    """A secret that a library wants as a text: it is one, but for what a log or a traceback shows of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[secret]'"


def to_openai_kwargs(config: ProviderModelConfigResponse) -> Arguments:
    """What the official SDK's method is called with besides what is asked; see the response's method."""
    kind = calling.kind_of(config)
    if kind.protocol not in OPENAI_PROTOCOLS:
        raise wrong_protocol(config, kind)
    shape, body = _composed(config, kind)
    method = METHODS.get(shape)
    if method is None:
        raise wrong_protocol(config, kind)
    kept = {name: value for name, value in body.items() if name not in method.given and name != "model"}
    known = {name: value for name, value in kept.items() if name in method.taken}
    beside = {name: value for name, value in kept.items() if name not in method.taken}
    return {"model": config.model_id, **known, **({"extra_body": beside} if beside else {})}


def to_litellm(config: ProviderModelConfigResponse, access: Access) -> Arguments:
    """What LiteLLM is called with besides what is asked; see the response's method."""
    kind = calling.kind_of(config)
    prefix = PREFIXES.get(kind.name) if kind.built_in else None
    if prefix is None and kind.protocol != "openai":
        raise wrong_protocol(config, kind)
    case = opened(calling.target_for(config, calling.WHOLE_ANSWER), access)
    if isinstance(case, Verdict):
        raise calling.failure(config, case)
    return {
        "model": f"{prefix or 'openai'}/{config.model_id}",
        **_place(config, kind, case),
        **_keys(kind, case),
        **_parameters(config, kind),
    }


def wrong_protocol(config: ProviderModelConfigResponse, kind: ProviderKind) -> UsageError:
    """The error where a library cannot speak to a model."""
    return UsageError(
        f"{config.address} is not spoken to in OpenAI's protocol: its provider is of the kind {kind.name},"
        f" and its mode is {config.mode}.",
        code="wrong-protocol",
        hint="Generator speaks to it",
        provider=config.provider_name,
        model_id=config.model_id,
    )


def version_of(case: Case) -> str | None:
    """The dated version that a provider's endpoints are called at, where they have one.

    Raises:
        UsageError: What the provider names is none (`bad-version`).
    """
    named = case.credentials.get("api_version")
    if named is not None:
        # It goes into a URL, where nothing may stand that could be a key.
        if not is_version(named.reveal()):
            raise UsageError(f"{named.source} holds no version such as 2024-10-21.", code="bad-version")
        return named.reveal()
    dated = (endpoint.query.get("api-version") for endpoint in case.target.kind.endpoints)
    return next((version for version in dated if version), None)


def _composed(config: ProviderModelConfigResponse, kind: ProviderKind) -> tuple[str, Mapping[str, Any]]:
    """The shape and the body of a request that asks nothing."""
    spoken = spoken_to(calling.target_for(config, calling.WHOLE_ANSWER))
    if isinstance(spoken, Verdict):
        raise calling.failure(config, spoken)
    work = work_of(
        kind,
        model_id=config.model_id,
        mode=config.mode,
        prompt=Prompt(""),
        parameters=config.parameters.values,
        defaults=spoken.wires,
    )
    if isinstance(work, Verdict):
        raise calling.failure(config, work)
    call = spoken.compose(work)
    if isinstance(call, Verdict):
        raise calling.failure(config, call)
    return shape_name(work.endpoint), call.body


def _place(config: ProviderModelConfigResponse, kind: ProviderKind, case: Case) -> Arguments:
    """Where the provider is, unless LiteLLM knows that by itself."""
    known = kind.built_in and config.base_url in {None, kind.base_url} and kind.protocol != "openai"
    place: Arguments = {} if known else {"api_base": case.base_url.rstrip("/")}
    if kind.protocol == "azure-openai" and (version := version_of(case)):
        place["api_version"] = version
    return place


def _keys(kind: ProviderKind, case: Case) -> Arguments:
    names = _CREDENTIALS.get(kind.protocol, _KEY_ALONE)
    rules = kind.credentials
    keys: Arguments = {}
    for name, secret in case.credentials.items():
        if name in names:
            is_plain = name in rules and not rules[name].secret
            keys[names[name]] = secret.reveal() if is_plain else HiddenText(secret.reveal())
    if kind.protocol == "openai" and "api_key" not in keys:
        keys["api_key"] = _NO_KEY
    return keys


def _parameters(config: ProviderModelConfigResponse, kind: ProviderKind) -> Arguments:
    if kind.protocol in OPENAI_PROTOCOLS and _composed(config, kind)[0] == "chat":
        chosen = to_openai_kwargs(config)
        return {name: value for name, value in chosen.items() if name != "model"}
    return _translated(config, kind)


def _translated(config: ProviderModelConfigResponse, kind: ProviderKind) -> Arguments:
    """Parameters for LiteLLM to translate: those that the kind takes, under its own names."""
    values = config.parameters.values
    fields = wired(kind, model_id=config.model_id, mode=config.mode, parameters=values)
    arguments: Arguments = {}
    for wire, name in fields.names.items():
        if name in values:
            own = name if name in _COMMON else wire.rpartition(".")[2]
            arguments[_PARAMETERS.get(name, own)] = values[name]
    if "top_logprobs" in arguments:
        arguments["logprobs"] = True
    return {**arguments, **fields.extra}
