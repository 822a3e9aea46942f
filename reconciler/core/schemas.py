"""The shape of the four entities as people write them, for the files and for the library alike: strict, with
`null` as "unset" everywhere. Ranges and words stand here and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from reconciler.core.schema_fields import (
    INTEGER_LIMIT,
    BigInteger,
    Count,
    Duration,
    Integer,
    ModelId,
    Name,
    Number,
    Reference,
    ShortText,
    Text,
    Tokens,
    Url,
    Word,
)
from reconciler.core.schema_values import EXTRA_SCHEMA, FORMAT_SCHEMA, checked_extra, checked_format

Mode = Literal["chat", "completion", "embedding", "rerank", "image", "audio", "video", "moderation"]
DEFAULT_MODE: Mode = "chat"
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "default"]

# What models are known to be able to do; another word is a warning, for it may be a typing error.
CAPABILITIES = (
    *("audio", "batch", "caching", "citations", "code_execution", "computer_use", "documents", "embeddings"),
    *(
        "fine_tuning",
        "function_calling",
        "image_generation",
        "json_mode",
        "json_schema",
        "logprobs",
        "parallel_tools",
    ),
    *(
        "reasoning",
        "rerank",
        "speech",
        "streaming",
        "structured_output",
        "system_prompt",
        "thinking",
        "tools",
    ),
    *("transcription", "translation", "video", "vision", "web_search"),
)

Extra = Annotated[Any, BeforeValidator(checked_extra), WithJsonSchema(EXTRA_SCHEMA)]
ResponseFormat = Annotated[Any, BeforeValidator(checked_format), WithJsonSchema(FORMAT_SCHEMA)]
Labels = dict[Word, Text | None]


class Entity(BaseModel):
    """What every schema of ours is: strict, closed, frozen, and without numbers that are none."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class ParameterFields(Entity):
    """What a parameter set says, wherever it is written. An unset field means the default of the provider.

    Attributes:
        description: What the set is for.
        use_case: What it is used for, such as `rag`.
        labels: Words to find it by; values are text.
        max_new_tokens: The most tokens of an answer.
        min_new_tokens: The fewest tokens of an answer.
        temperature: How freely words are chosen; 0 is the least.
        top_p: Choose among the likeliest words that make up this share.
        top_k: Choose among this many of the likeliest words.
        repetition_penalty: A factor against repetition; 1 is none.
        frequency_penalty: A malus for words by how often they came.
        presence_penalty: A malus for words that came at all.
        stop_sequences: Texts that end an answer.
        seed: For answers that can be repeated.
        decoding_method: `greedy` takes the likeliest word always, `sample` draws.
        reasoning_effort: How long a reasoning model may think.
        logprobs: For how many of the likeliest words the probabilities are told, 0 to 20.
        response_format: `text`, `json_object`, or a mapping that is passed on, such as a JSON schema.
        unsupported: What becomes of parameters that the kind does not take: `warn` leaves them out with a
            warning, `drop` silently, `error` refuses the files.
        extra: More fields of the request, passed through as they are; a name that would redirect or replace
            the request is refused.
    """

    description: Text | None = None
    use_case: Text | None = None
    labels: Labels | None = None
    max_new_tokens: Count | None = None
    min_new_tokens: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)] | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    top_k: Integer | None = None
    repetition_penalty: Number | None = None
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    stop_sequences: list[Annotated[Text, Field(min_length=1)]] | None = None
    seed: BigInteger | None = None
    decoding_method: Literal["greedy", "sample"] | None = None
    reasoning_effort: ReasoningEffort | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    unsupported: Literal["warn", "drop", "error"] | None = None
    extra: Extra | None = None


class ParameterSet(ParameterFields):
    """Generation parameters under a name in a file, or written where they are used.

    Attributes:
        extends: The set whose values count where this one says nothing; `null` removes one of them.
    """

    extends: Word | None = None


class TemplateFields(Entity):
    """The fixed parts of a prompt. They are put together as they are, never formatted or evaluated.

    Attributes:
        provider: The only provider that may use it.
        description: What it is for.
        labels: Words to find it by; values are text.
        system_prompt: What the model is told first.
        context_prefix: What stands before the context.
        query_prefix: What stands before the question.
        answer_prefix: What stands before the answer.
    """

    provider: Word | None = None
    description: Text | None = None
    labels: Labels | None = None
    system_prompt: Text | None = None
    context_prefix: Text | None = None
    query_prefix: Text | None = None
    answer_prefix: Text | None = None


class Template(TemplateFields):
    """A prompt template under a name in a file, or written where it is used.

    Attributes:
        extends: The template whose values count where this one says nothing.
    """

    extends: Word | None = None


class Verification(Entity):
    """How a provider's models are verified.

    Attributes:
        probe: What is asked: nothing, whether the endpoint answers, whether the key is good, whether the
            model exists, or whether it generates.
        every: How often, such as `1h`.
        timeout: How long a probe may take, such as `10s`.
        activation: Whether a new model is active at once, or once it was verified.
        failure_threshold: How many definitive failures in a row count as a failure.
        on_failure: Whether a failing model is only marked, or deactivated.
        budget: How many probes a day may generate, for each source; 0 allows none. Default 200.
    """

    probe: Literal["none", "reach", "credential", "model", "generate"] | None = None
    every: Duration | None = None
    timeout: Duration | None = None
    activation: Literal["immediate", "verified"] | None = None
    failure_threshold: Count | None = None
    on_failure: Literal["mark", "deactivate"] | None = None
    budget: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)] | None = None


class Limits(Entity):
    """How many tokens a model takes.

    Attributes:
        context: In all.
        input: In the request.
        output: In the answer.
    """

    context: Tokens | None = None
    input: Tokens | None = None
    output: Tokens | None = None


def _form(value: Any) -> str | None:
    if isinstance(value, (dict, BaseModel)):
        return "<inline>"
    return "<name>" if isinstance(value, str) else None


Parameters = Annotated[
    Annotated[Word, Tag("<name>")] | Annotated[ParameterSet, Tag("<inline>")], Discriminator(_form)
]
PromptTemplate = Annotated[
    Annotated[Word, Tag("<name>")] | Annotated[Template, Tag("<inline>")], Discriminator(_form)
]


class Model(Entity):
    """One model of a provider.

    Attributes:
        active: Whether it may be used. Default true.
        parameters: The name of a parameter set, or one written here.
        prompt_template: The name of a template, or one written here.
        mode: What the model is for. Default `chat`.
        version: The model's version, as text.
        limits: How many tokens it takes.
        capabilities: What it can do.
        labels: Words to find it by; values are text.
    """

    active: bool | None = None
    parameters: Parameters | None = None
    prompt_template: PromptTemplate | None = None
    mode: Mode | None = None
    version: ShortText | None = None
    limits: Limits | None = None
    capabilities: list[Word] | None = None
    labels: Labels | None = None


def _credentials_form(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<references>"
    return "<none>" if isinstance(value, str) else None


Credentials = Annotated[
    Annotated[Literal["none"], Tag("<none>")] | Annotated[dict[Name, Reference | None], Tag("<references>")],
    Discriminator(_credentials_form),
]


class Provider(Entity):
    """An endpoint that serves models, with all of its models.

    Attributes:
        kind: What kind of provider it is, such as `openai`; one of ours or of `kinds`.
        description: What it is for.
        base_url: The endpoint; by default the kind's.
        credentials: Where the secrets are, by name: `env:NAME` or `file:/absolute/path`; `none` for an
            endpoint without a key. By default the kind's environment variables.
        active: Whether it and its models may be used. Default true.
        protected: Whether a plan that would deactivate it or one of its models is refused. Default false.
        labels: Words to find it by; values are text.
        parameters: The parameter set of its models that name none.
        prompt_template: The template of its models that name none.
        verification: How its models are verified.
        models: Its models by id.
    """

    kind: Word
    description: Text | None = None
    base_url: Url | None = None
    credentials: Credentials | None = None
    active: bool | None = None
    protected: bool | None = None
    labels: Labels | None = None
    parameters: Word | None = None
    prompt_template: Word | None = None
    verification: Verification | None = None
    models: dict[ModelId, Model | None] | None = None


MODES: tuple[str, ...] = get_args(Mode)
