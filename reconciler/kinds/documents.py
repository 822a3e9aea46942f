"""The shape of a provider kind as people write it, in our own files and under `kinds:` in theirs. Strict, and
apart from the loader because the JSON Schema of the file format is made from it too.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from reconciler.core.rules import ParameterField

# The headers that carry keys or steer the connection: a document names neither a key nor another host.
_RESERVED_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
    | {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"}
)
_STEERING_HEADERS = _RESERVED_HEADERS - {"authorization", "x-api-key", "api-key", "x-goog-api-key"}


def _checked_url(text: str) -> str:
    """A base URL: http or https, a host, no user, no query."""
    try:
        parts = urlsplit(text)
        is_plain = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        is_plain = False
    is_odd = any(sign in text for sign in "?#\\ ") or not text.isprintable()
    if not is_plain or is_odd or parts.scheme not in {"http", "https"}:
        raise PydanticCustomError("bad-url", "a base URL is https://host/path, without user, key or query")
    return text


def _unreserved(name: str) -> str:
    if name.lower() in _RESERVED_HEADERS:
        raise PydanticCustomError(
            "wrong-value", "this header cannot be set here; keys stand under credentials"
        )
    return name


def _carrier(name: str) -> str:
    if name.lower() in _STEERING_HEADERS:
        raise PydanticCustomError("wrong-value", "a credential cannot be sent in this header")
    return name


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=255)]
CarrierName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$", max_length=255), AfterValidator(_carrier)]
HeaderText = Annotated[str, Field(pattern=r"^[ -~]*$", max_length=255)]
ProbePath = Annotated[str, Field(pattern=r"^(https://\S+|/|/[^/\s?#\\][^\s?#\\]*)?$", max_length=2048)]
EndpointPath = Annotated[str, Field(pattern=r"^/[^/\s?#\\][^\s?#\\]*$", max_length=2048)]
BaseUrl = Annotated[str, Field(max_length=2048), AfterValidator(_checked_url)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=255)]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=255)]
Text = Annotated[str, Field(max_length=1000)]
Mode = Literal["chat", "completion", "embedding", "rerank", "image", "audio", "video", "moderation"]
Level = Literal["reach", "credential", "model", "generate"]
Protocol = Literal[
    "openai", "anthropic", "watsonx", "azure-openai", "bedrock", "cohere", "gemini", "vertex", "ollama"
]
# What an answer alone can mean; that nothing is wrong, or that nothing was asked, no error says.
Verdict = Literal[
    "auth_failed",
    "forbidden",
    "model_not_found",
    "model_withdrawn",
    "quota_exhausted",
    "rate_limited",
    "overloaded",
    "timeout",
    "wrong_region",
    "probe_invalid",
    "unprobeable",
    "bad_response",
]
Tokens = Annotated[int, Field(ge=1)]
HttpStatus = Annotated[int, Field(ge=100, le=599)]


class _Document(BaseModel):
    # Null means unset everywhere, so every optional field takes it.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class CredentialDocument(_Document):
    """One credential of a kind: where its value comes from and how it is sent."""

    env: list[VariableName] | None = Field(
        None, description="Environment variables that may hold it; the first is the default reference."
    )
    required: bool | None = Field(
        None, description="Whether a request makes no sense without it. Default true."
    )
    secret: bool | None = Field(None, description="Whether its value must never be shown. Default true.")
    header: CarrierName | None = Field(
        None, description="The header it is sent in; none where the protocol places it."
    )
    prefix: HeaderText | None = Field(
        None, description="What stands before it in the header, such as `Bearer `."
    )


class DenialDocument(_Document):
    """One place of a success that says no all the same, such as a key that is known and blocked."""

    at: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="The dotted place in the answer, or in the model's entry where the answer is a list."
    )
    equals: Text | bool | int | float = Field(description="What must stand there.")
    outcome: Verdict = Field(description="What it means.")
    message: Text | None = Field(None, description="What it says, for people.")


class ProbeDocument(_Document):
    """One request that proves something about a model."""

    method: Literal["GET", "POST", "HEAD"] | None = Field(None, description="The HTTP method. Default GET.")
    path: ProbePath | None = Field(
        None,
        description="The path below the base URL, or an https URL on another host that credentials may be "
        "sent to; `{model}` stands for the percent-encoded model id.",
    )
    query: dict[str, Text | None] | None = Field(None, description="Query parameters.")
    body: dict[str, JsonValue] | None = Field(
        None, description="A JSON body, in which `{model}` stands for the model id."
    )
    list_at: Text | None = Field(
        None,
        description="Where the answer is a list in which the model must be found: the key that holds it, or "
        "`.` for a bare list.",
    )
    id_field: Text | None = Field(
        None, description="The field that names the model in the answer. Default id."
    )
    authenticated: bool | None = Field(
        None, description="Whether credentials are sent with it; a public answer proves no key. Default true."
    )
    fails: list[DenialDocument] | None = Field(
        None, description="What a success may hold that says no; the first that is there counts."
    )


class EndpointDocument(_Document):
    """Where models of one mode do their work: what the probe `generate` and applications call."""

    mode: Mode = Field(description="The mode that it serves.")
    path: EndpointPath = Field(
        description="The path below the base URL; `{model}` stands for the percent-encoded model id."
    )
    match: list[Text] | None = Field(
        None, description="Shell patterns over the model id, compared in lower case; none for every model."
    )
    shape: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=255)] | None = Field(
        None,
        description="How requests and answers look there, by the protocol's name for it. Default the mode.",
    )
    query: dict[str, Text | None] | None = Field(None, description="Query parameters.")
    model_at: Text | None = Field(
        None,
        description="The dotted place in the answer that names the model that answered; empty where none "
        "does. Default model.",
    )
    streaming: Literal["none", "plain", "usage"] | None = Field(
        None,
        description="Whether answers come bit by bit there: `none`, `plain`, or `usage` where tokens are "
        "counted only if the request asks for it with `stream_options`. Default plain.",
    )


class ParameterDocument(_Document):
    """What a kind takes of one parameter field."""

    wire: Text | None = Field(None, description="Its name in the request, dotted where nested.")
    minimum: float | None = Field(None, description="The least value.")
    maximum: float | None = Field(None, description="The greatest value.")
    exclusive_minimum: bool | None = Field(None, description="Whether the minimum itself is refused.")
    exclusive_maximum: bool | None = Field(None, description="Whether the maximum itself is refused.")
    max_items: Annotated[int, Field(ge=0)] | None = Field(
        None, description="For lists: how many at the most."
    )
    choices: list[Text] | None = Field(None, description="For words: the ones it takes.")
    supported: bool | None = Field(
        None, description="False where the field is not taken; values within a range beside it are harmless."
    )


class RuleDocument(_Document):
    """A rule over several parameter fields."""

    rule: Literal["not-together", "no-effect", "ordered", "requires"] = Field(
        description="`not-together`: at most one of the fields is set. `no-effect`: the fields do nothing "
        "while `when` holds. `ordered`: the first is at most the second. `requires`: the first needs others."
    )
    fields: list[ParameterField] = Field(min_length=1, description="The parameter fields that it speaks of.")
    when: dict[ParameterField, str | bool | int | float | None] | None = Field(
        None, description="Values that must be set for the rule to apply."
    )
    severity: Literal["error", "warning"] | None = Field(
        None, description="`error` refuses the files, `warning` is shown. Default error."
    )
    message: Text | None = Field(None, description="What is wrong; there is a message for each rule.")
    hint: Text | None = Field(None, description="What to write instead; there is a hint for each rule.")


class ErrorDocument(_Document):
    """One line of what a kind's errors mean: every condition that is given must hold."""

    outcome: Verdict = Field(description="What it means.")
    codes: list[Text] | None = Field(
        None, description="The provider's code or error type is one of these, in lower case."
    )
    words: list[Text] | None = Field(None, description="Its message holds one of these, in lower case.")
    statuses: list[HttpStatus] | None = Field(None, description="The HTTP status is one of these.")


class VariantDocument(_Document):
    """Models of a kind that take other parameters."""

    name: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description="What they are called in messages, in the plural."
    )
    match: list[Text] | None = Field(
        None, description="Shell patterns over the model id, compared in lower case; none for every model."
    )
    modes: list[Mode] | None = Field(None, description="The modes that it is for; none for all.")
    parameters: dict[ParameterField, ParameterDocument | None] | None = Field(
        None, description="Rules that replace the kind's, field by field."
    )
    rules: list[RuleDocument] | None = Field(None, description="Rules that come on top of the kind's.")
    probe_tokens: Tokens | None = Field(
        None,
        description="What the probe `generate` lets them answer at most; models that think need room.",
    )


class KindDocument(_Document):
    """A kind of provider: how to reach it, how to ask it, and which parameters it takes.

    Hosts that its credentials may be sent to are the operator's to name, not a file's.
    """

    protocol: Protocol = Field(description="The protocol that speaks to it.")
    description: Text | None = Field(None, description="One line for people.")
    base_url: BaseUrl | None = Field(None, description="The default endpoint.")
    credentials: dict[FieldName, CredentialDocument | None] | None = Field(
        None, description="Its credentials by name."
    )
    default_credentials: Literal["kind", "none"] | None = Field(
        None, description="`none` where a provider that names no credentials has none. Default kind."
    )
    headers: dict[Annotated[HeaderName, AfterValidator(_unreserved)], HeaderText | None] | None = Field(
        None, description="Headers of every request; no keys."
    )
    probes: dict[Level, ProbeDocument | None] | None = Field(
        None, description="What to ask at each level; a level that is missing proves nothing."
    )
    parameters: dict[ParameterField, ParameterDocument | None] | None = Field(
        None,
        description="Rules by parameter field; a field that is missing is one that the kind does not take. "
        "Without a table every field is accepted.",
    )
    rules: list[RuleDocument] | None = Field(None, description="Rules over several fields.")
    variants: list[VariantDocument] | None = Field(
        None, description="Models with other rules; the first that matches counts."
    )
    unproven: dict[Level, Text | None] | None = Field(
        None, description="Why a level proves nothing there, by level, for people."
    )
    endpoints: list[EndpointDocument] | None = Field(
        None,
        description="Where models do their work, by mode; the first that fits a model counts. A mode that is "
        "missing cannot be generated with.",
    )
    probe_tokens: Tokens | None = Field(
        None,
        description="What the probe `generate` lets a model answer at most, where its parameters do not say. "
        "Default 16.",
    )
    errors: list[ErrorDocument] | None = Field(
        None, description="What its errors mean, before what its protocol says; the first that fits counts."
    )


class BuiltInKindDocument(KindDocument):
    """One of our own kinds, which says more than a user's may."""

    hosts: list[str] | None = Field(None, description="The hosts that its credentials may be sent to.")
    loopback: bool | None = Field(None, description="Whether loopback needs no word of the operator.")
