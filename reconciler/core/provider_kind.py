"""What is known of one kind of provider, as values: endpoint, credentials, probes and parameter rules.

Kinds are data (`reconciler/kinds/*.yaml`, and `kinds:` in a user's files); protocols are code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # outcomes are of probes, and probes are of kinds
    from reconciler.core.outcome import Outcome

# From the cheapest to the most expensive; `none` asks nothing.
ProbeLevel = Literal["none", "reach", "credential", "model", "generate"]
PROBE_LEVELS: tuple[ProbeLevel, ...] = ("none", "reach", "credential", "model", "generate")
# Where nobody names another: the strongest that costs nothing.
DEFAULT_PROBE: ProbeLevel = "model"


@dataclass(frozen=True, slots=True)
class CredentialRule:
    """One credential of a kind.

    Attributes:
        env: The environment variables that may hold it; the first is the default reference.
        required: Whether a request without it makes no sense.
        secret: Whether its value must never be shown (a project's id is none).
        header: The header it is sent in, empty where the protocol places it.
        prefix: What stands before it in the header, such as `Bearer `.
    """

    env: tuple[str, ...] = ()
    required: bool = True
    secret: bool = True
    header: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """One place of a success that says no all the same, such as a key that is known and blocked.

    Attributes:
        at: The dotted place in the answer, or in the model's entry where the answer is a list.
        equals: What must stand there: a text, a number, true or false.
        outcome: What it means.
        message: What it says, for people.
    """

    at: str
    equals: str | bool | int | float
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """One line of what a kind's errors mean, read before what its protocol says.

    Every condition that is given must hold; a line without one speaks of nothing.

    Attributes:
        outcome: What it means.
        codes: The provider's code or error type is one of these, in lower case.
        words: Its message holds one of these, in lower case.
        statuses: The HTTP status is one of these.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """One request that proves something.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL; `{model}` is the percent-encoded model id; an absolute URL for
            another of the kind's own hosts.
        query: Query parameters.
        body: A JSON body, in which the text `{model}` stands for the model id.
        list_at: Where the answer is a list in which the model must be found: the key that holds it
            (`data`, `models`, `resources`; `.` for a bare list); empty where the status decides.
        id_field: The field of a list's item, or of a single answer, that names the model.
        authenticated: Whether credentials are sent with it; a public answer proves no key.
        fails: What a success may hold that says no; the first that is there counts.
    """

    method: Literal["GET", "POST", "HEAD"] = "GET"
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    list_at: str = ""
    id_field: str = "id"
    authenticated: bool = True
    fails: tuple[Denial, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where models of one mode do their work: what the probe `generate` and applications call.

    Attributes:
        mode: The mode that it serves: chat, completion, embedding, rerank, image, audio, moderation, video.
        match: Shell patterns over the model id, lower case; empty for every model of the mode.
        path: The path below the base URL; `{model}` is the percent-encoded model id.
        shape: How requests and answers look there, by the protocol's name for it; empty for the mode's own.
        query: Query parameters.
        model_at: The dotted place in the answer that names the model that answered; empty where none does.
        streaming: Whether answers come bit by bit there: `none`, `plain`, or `usage` where tokens are counted
            only if the request asks for it (`stream_options`).
    """

    mode: str
    path: str
    match: tuple[str, ...] = ()
    shape: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    model_at: str = "model"
    streaming: Literal["none", "plain", "usage"] = "plain"


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """What a kind takes of one parameter field.

    Attributes:
        wire: Its name in the request, dotted where nested (`options.num_predict`).
        minimum: The least value; `exclusive_minimum` where it is itself refused.
        maximum: The greatest value; `exclusive_maximum` where it is itself refused.
        max_items: For lists: how many at the most.
        choices: For words: the ones it takes.
        supported: False where the kind does not take the field. A range beside it names the values that are
            harmless, being what the kind does anyway (a reasoning model's temperature of 1).
    """

    wire: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    max_items: int | None = None
    choices: tuple[str, ...] = ()
    supported: bool = True


@dataclass(frozen=True, slots=True)
class CrossRule:
    """A rule over several parameter fields.

    Attributes:
        rule: `not-together` (at most one of `fields` is set), `no-effect` (`fields` do nothing while `when`
            holds), `ordered` (the first field is at most the second), `requires` (the first field needs the
            others to be set).
        fields: The fields it speaks of.
        when: Field values that must hold for the rule to apply.
        severity: `error` refuses the files, `warning` is shown.
        message: What is wrong, for a person.
        hint: What to write instead.
    """

    rule: Literal["not-together", "no-effect", "ordered", "requires"]
    fields: tuple[str, ...]
    when: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["error", "warning"] = "error"
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """Models of a kind that take other parameters, such as OpenAI's reasoning models.

    Attributes:
        name: What they are called in messages.
        match: Shell patterns over the model id, lower case.
        modes: Modes that it is for; empty for all.
        parameters: Rules that replace the kind's, field by field.
        rules: Cross-parameter rules that come on top of the kind's.
        probe_tokens: What the probe `generate` lets them answer at most, where the parameters do not say;
            models that think first need room for that. `None` for the kind's.
    """

    name: str
    match: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterRule] = field(default_factory=dict)
    rules: tuple[CrossRule, ...] = ()
    probe_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One kind of provider.

    Attributes:
        name: Its name, such as `openai`.
        protocol: The protocol that speaks to it: `openai`, `anthropic`, `watsonx`, …
        description: One line for people.
        base_url: The default endpoint; `None` where every provider names its own.
        credentials: Its credentials by name; empty where it needs none.
        default_credentials: `none` where a provider that names no credentials has none; `kind` where the
            kind's own environment variables are meant.
        headers: Headers of every request, such as `anthropic-version`.
        hosts: The hosts that its credentials may be sent to, `*.` for sub-domains; never a host that tenants
            control. A kind defined in a user's files has none.
        loopback: Whether a request without a credential may go to loopback without the operator's word.
        probes: What to ask at each level; a level that is missing proves nothing there.
        unproven: Why a level proves nothing there, by level, for people.
        endpoints: Where models do their work, by mode; the first that fits a model counts. A mode that is
            missing cannot be generated with.
        probe_tokens: What the probe `generate` lets a model answer at most, where its parameters do not say.
        errors: What its errors mean, before what its protocol says; the first that fits counts.
        parameters: Rules by parameter field; `None` where nothing is known and every field is accepted.
        rules: Cross-parameter rules.
        variants: Models with other rules; the first that matches counts.
        built_in: Whether it is ours.
    """

    name: str
    protocol: str
    description: str = ""
    base_url: str | None = None
    credentials: Mapping[str, CredentialRule] = field(default_factory=dict)
    default_credentials: Literal["kind", "none"] = "kind"
    headers: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    loopback: bool = False
    probes: Mapping[str, Probe] = field(default_factory=dict)
    parameters: Mapping[str, ParameterRule] | None = None
    rules: tuple[CrossRule, ...] = ()
    variants: tuple[Variant, ...] = ()
    unproven: Mapping[str, str] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    probe_tokens: int = 16
    errors: tuple[ErrorRule, ...] = ()
    built_in: bool = True
