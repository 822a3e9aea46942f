"""What programs ask the registry to store, as schemas: the fields and ranges of the files, under the names of
the Python API. An input that is refused is never repeated in the error, for it may hold a key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from reconciler.core.schema_fields import ModelId, Name, ShortText, Text, Url, Word
from reconciler.core.schema_secrets import holds_key, may_hold_key
from reconciler.core.schemas import (
    Credentials,
    Entity,
    Labels,
    Limits,
    Mode,
    ParameterFields,
    TemplateFields,
    Verification,
)

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Activation = Literal["immediate", "verified"]


class _Request(Entity):
    """Whatever is to be stored: closed, strict, and without anything of a key's shape in its texts."""

    model_config = ConfigDict(hide_input_in_errors=True)

    @model_validator(mode="after")
    def _holds_no_key(self) -> Self:
        for name in self.model_fields_set:
            if name != "credentials" and _has_key(getattr(self, name)):
                raise PydanticCustomError(
                    "literal-secret",
                    "{field} holds something of a key's shape; keys are never stored, write a reference under"
                    " credentials",
                    {"field": name},
                )
        return self

    def given(self) -> dict[str, Any]:
        """The fields that were given, in plain values; `None` stands for what is to be unset."""
        return self.model_dump(include=self.model_fields_set)


def _has_key(value: Any) -> bool:
    match value:
        case str():
            return may_hold_key(value) and holds_key(value)
        case dict():
            return any(_has_key(inner) for inner in value.values())
        case list() | tuple():
            return any(_has_key(inner) for inner in value)
        case _:
            return False


class LLMParametersCreate(_Request, ParameterFields):
    """A parameter set to store under a name, with the ranges of the files; an unset field is left to the
    provider.

    >>> LLMParametersCreate(name="precise", temperature=0.0, max_new_tokens=100).temperature
    0.0
    """

    name: Name


class LLMParametersUpdate(_Request, ParameterFields):
    """What changes in a parameter set: the fields that are given, `None` removing one.

    >>> sorted(LLMParametersUpdate(temperature=None, top_k=5).given().items())
    [('temperature', None), ('top_k', 5)]
    """


class PromptTemplateCreate(_Request, TemplateFields):
    """A prompt template to store under a name; its texts are put together, never formatted or evaluated.

    >>> PromptTemplateCreate(name="qa", query_prefix="Question:").provider is None
    True
    """

    name: Name


class PromptTemplateUpdate(_Request, TemplateFields):
    """What changes in a prompt template: the fields that are given, `None` removing one.

    >>> PromptTemplateUpdate(answer_prefix="Answer:", context_prefix=None).given() == {
    ...     "answer_prefix": "Answer:",
    ...     "context_prefix": None,
    ... }
    True
    """


class ProviderCreate(_Request):
    """A provider to store: an endpoint that serves models.

    Attributes:
        name: Its name.
        kind: What kind it is; by default the name where that is a kind, else `openai-compatible`.
        description: What it is for.
        base_url: The endpoint; by default the kind's.
        credentials: References by name, `env:NAME` or `file:/absolute/path`, or `none`; by default the kind's
            environment variables. Never a key itself.
        verification: How its models are verified.
        labels: Words to find it by.
        protected: Whether a plan that would deactivate it is refused.

    >>> ProviderCreate(name="acme", credentials={"api_key": "env:ACME_API_KEY"}).credentials
    {'api_key': 'env:ACME_API_KEY'}
    """

    name: Name
    kind: Word | None = None
    description: Text | None = None
    base_url: Url | None = None
    credentials: Credentials | None = None
    verification: Verification | None = None
    labels: Labels | None = None
    protected: bool | None = None


class ProviderUpdate(_Request):
    """What changes in a provider: the fields that are given, `None` removing one; see `ProviderCreate`.

    >>> ProviderUpdate(verification={"probe": "reach", "every": "1h"}).verification.probe
    'reach'
    """

    is_active: bool | None = None
    kind: Word | None = None
    description: Text | None = None
    base_url: Url | None = None
    credentials: Credentials | None = None
    verification: Verification | None = None
    labels: Labels | None = None
    protected: bool | None = None


class ProviderModelConfigBase(Entity):
    """What is said of a model in every direction.

    Attributes:
        provider_name: The provider that serves it.
        model_id: The model, as its provider spells it: 1 to 255 characters.
        mode: What it is for, such as `chat`.
        version: Its version, as text.
        limits: How many tokens it takes.
        capabilities: What it can do.
        labels: Words to find it by; values are text.

    >>> ProviderModelConfigBase(provider_name="openai", model_id="gpt-4o", mode="chat").mode
    'chat'
    """

    provider_name: Name
    model_id: ModelId
    mode: Mode = "chat"
    version: ShortText | None = None
    limits: Limits | None = None
    capabilities: list[Word] | None = None
    labels: Labels | None = None


class ProviderModelConfigCreate(_Request, ProviderModelConfigBase):
    """A model to register, with what it is called with.

    Attributes:
        parameters: A set to store, or the name of one that is stored; by default every parameter at the
            provider's own default.
        prompt_template: A template to store, or the name of one that is stored.
        kind: The kind of a provider that is not stored yet; see `ProviderCreate`.
        base_url: Its endpoint.
        credentials: References to its credentials.
        activation: Whether the model is active at once, or after its first successful verification; by
            default what the provider says, else `verified`.

    >>> ProviderModelConfigCreate(provider_name="openai", model_id="gpt-4o", parameters="precise").mode
    'chat'
    """

    parameters: LLMParametersCreate | Word | None = None
    prompt_template: PromptTemplateCreate | Word | None = None
    kind: Word | None = None
    base_url: Url | None = None
    credentials: Credentials | None = None
    activation: Activation | None = None


class ProviderModelConfigUpdate(_Request):
    """What changes in a model: the fields that are given, `None` removing one.

    Attributes:
        is_active: Whether it may be used.
        parameters_id: The row of its parameter set; `parameters` names it instead.
        parameters: The name of its parameter set.
        prompt_template_id: The row of its template; `prompt_template` names it instead.
        prompt_template: The name of its template.
        mode: What it is for.
        version: Its version.
        limits: How many tokens it takes.
        capabilities: What it can do.
        labels: Words to find it by.

    >>> ProviderModelConfigUpdate(is_active=False).given()
    {'is_active': False}
    """

    is_active: bool | None = None
    parameters_id: Id | None = None
    parameters: Word | None = None
    prompt_template_id: Id | None = None
    prompt_template: Word | None = None
    mode: Mode | None = None
    version: ShortText | None = None
    limits: Limits | None = None
    capabilities: list[Word] | None = None
    labels: Labels | None = None


class OverrideValues(_Request):
    """What an override holds for a time in a model's place; what is not given stays as it is.

    Attributes:
        is_active: Whether the model may be used; its provider's activity counts besides.
        parameters: Values over those of its parameter set, `None` for a value that is taken away.
        prompt_template: The name of another template; `None` for none.

    >>> OverrideValues(parameters=LLMParametersUpdate(temperature=0.0)).given()
    {'parameters': {'temperature': 0.0}}
    """

    is_active: bool | None = None
    parameters: LLMParametersUpdate | None = None
    prompt_template: Word | None = None

    def given(self) -> dict[str, Any]:
        """The fields that were given, those of the parameters included."""
        fields = super().given()
        if self.parameters is not None:
            fields["parameters"] = self.parameters.given()
        return fields
