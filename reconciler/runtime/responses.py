"""What the registry answers programs with. Rows are taken as they are: a hand may have written what no schema
would take, and reading must not fail for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from reconciler.core.address import Address, model_address
from reconciler.core.outcome import Outcome, Status
from reconciler.core.requests import ProviderModelConfigBase
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.core.schemas import ParameterFields, TemplateFields
from reconciler.core.state import Hold
from reconciler.errors import StatusError, VerificationError
from reconciler.settings import Settings

Made = TypeVar("Made", bound=BaseModel)


# pydantic's own places, set without its checks.
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


@cache
def _all_fields(schema: type[BaseModel]) -> set[str]:
    """One set for all answers of a schema: a set of its own takes more memory than the answer."""
    return set(schema.model_fields)


def trusted(schema: type[Made], values: dict[str, Any]) -> Made:
    """An answer of a schema with every field given, unchecked; the mapping becomes the answer's own.

    pydantic's own way to do this takes many times as long, and a registry has tens of thousands of rows.
    """
    made = object.__new__(schema)
    object.__setattr__(made, "__dict__", values)
    _set_given(made, _all_fields(schema))
    _set_extra(made, None)
    _set_private(made, None)
    return made


class LLMParametersResponse(ParameterFields):
    """A parameter set as it is stored; see `LLMParametersCreate` for its values.

    Attributes:
        id: Its row.
        name: Its name.
        is_active: Whether it may be used by active models.
        managed_by: The source whose files own it; `None` where code does.
        created_at: When it was made.
        updated_at: When it was last changed.
        used_by: Addresses of the models that use it; empty where nobody asked for them.
        notices: What the caller of a change should know, one sentence each.

    >>> config.parameters.name, config.parameters.values
    ('precise', {'max_new_tokens': 200, 'temperature': 0.7})
    """

    id: int
    name: str
    is_active: bool = True
    managed_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    used_by: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """The parameters that are set, `unsupported` and `extra` included, by our names."""
        names = (*PARAMETER_FIELDS, "unsupported", "extra")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class PromptTemplateResponse(TemplateFields):
    """A prompt template as it is stored; see `PromptTemplateCreate` for its texts.

    Attributes:
        id: Its row.
        name: Its name.
        is_active: Whether it may be used by active models.
        managed_by: The source whose files own it; `None` where code does.
        created_at: When it was made.
        updated_at: When it was last changed.
        used_by: Addresses of the models that use it; empty where nobody asked for them.
        notices: What the caller of a change should know, one sentence each.

    >>> config.prompt_template.query_prefix
    'Question:'
    """

    id: int
    name: str
    is_active: bool = True
    managed_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    used_by: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class ProviderResponse(BaseModel):
    """A provider as it is stored; see `ProviderCreate`.

    Attributes:
        id: Its row.
        name: Its name.
        kind: Its kind.
        is_active: Whether its models may be used.
        managed_by: The source whose files own it; `None` where code does.

    >>> service.get_provider("openai").kind
    'openai'
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    kind: str
    kind_spec: Mapping[str, Any] | None = None
    description: str | None = None
    base_url: str | None = None
    credentials: Mapping[str, str] | str | None = None
    verification: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = {}
    protected: bool = False
    is_active: bool = True
    managed_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class OverrideResponse(BaseModel):
    """Values that stand in a model's place for a time.

    Attributes:
        id: Its row.
        address: The model.
        fields: What is held away from the stored values: `is_active`, `parameters`, `prompt_template`.
        reason: Why, as a person gave it.
        actor: Who, as the caller claimed.
        starts_at: From when.
        ends_at: Until when.

    >>> from datetime import timedelta
    >>> values, hours = {"parameters": {"temperature": 0.0}}, timedelta(hours=2)
    >>> held = service.override_provider_model("openai", "gpt-4o", values, until=hours, reason="drift")
    >>> held.override.reason, held.override.fields
    ('drift', {'parameters': {'temperature': 0.0}})
    """

    model_config = ConfigDict(frozen=True)

    id: int
    address: str
    fields: Mapping[str, Any]
    reason: str
    actor: str | None = None
    starts_at: datetime
    ends_at: datetime


class ProviderModelConfigResponse(ProviderModelConfigBase):
    """A model as applications use it: its own values, its provider's, and an override's while there is one.

    Attributes:
        id: Its row.
        is_active: Whether it may be used: its own activity, its provider's, and an override's.
        hold: Why it is not active though it should be: `pending` before its first success, `failing` after
            too many failures.
        kind: Its provider's kind, empty where nobody registered the provider.
        kind_spec: The kind's data where it is a user's own.
        base_url: Its provider's endpoint; `None` for the kind's.
        credentials: References to the provider's credentials, `none`, or `None` for the kind's own.
        parameters_id: The row of its parameter set.
        parameters: Its parameter set, with an override's values.
        prompt_template_id: The row of its template.
        prompt_template: Its template, if it has one.
        verification_status: What verification says: `unverified`, `pending`, `verified`, `degraded`,
            `failing` or `unprobeable`.
        verification_outcome: What the last probe found, such as `ok` or `auth_failed`.
        verification_detail: The same as a sentence, without anything secret.
        last_verified: When it last answered well.
        managed_by: The source whose files own it; `None` where code does.
        override: What is held away from the stored values now.
        created_at: When its row was made.
        updated_at: When its row was last changed.
        notices: What the caller of a change should know, one sentence each.

    >>> config.is_active, config.verification_status, config.managed_by
    (True, 'verified', None)
    """

    id: int
    is_active: bool
    hold: Hold | None = None
    kind: str = ""
    kind_spec: Mapping[str, Any] | None = None
    base_url: str | None = None
    credentials: Mapping[str, str] | str | None = None
    parameters_id: int
    parameters: LLMParametersResponse
    prompt_template_id: int | None = None
    prompt_template: PromptTemplateResponse | None = None
    verification_status: Status = "unverified"
    verification_outcome: Outcome | None = None
    verification_detail: str = ""
    last_verified: datetime | None = None
    managed_by: str | None = None
    override: OverrideResponse | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    notices: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """Its address: `model:PROVIDER/MODEL_ID`."""
        return model_address(self.provider_name, self.model_id)

    def require_active(self) -> None:
        """Raise `StatusError` where the model may not be used."""
        if self.is_active:
            return
        why = {"pending": "it waits for its first successful verification", "failing": "it keeps failing"}
        raise StatusError(
            f"{self.address} is not active" + (f": {why[self.hold]}." if self.hold else "."),
            code="inactive",
            hint="see its verification_detail" if self.hold else "it or its provider was deactivated",
            provider=self.provider_name,
            model_id=self.model_id,
        )

    def to_openai_kwargs(self) -> dict[str, Any]:
        """Arguments for the official OpenAI SDK: `client.chat.completions.create(messages=…, **arguments)`.

        They are the model and its parameters as the provider names them, what the SDK does not know under
        `extra_body`; without any key. For a model of another mode they are those of `completions`,
        `embeddings` or `responses`. `provider.openai_client()` is a client that they fit.

        Raises:
            UsageError: The provider does not speak OpenAI's protocol (`wrong-protocol`).
            GenerationError: The provider must not be sent these parameters.
        """
        from reconciler.runtime.interchange import to_openai_kwargs

        return to_openai_kwargs(self)

    def to_litellm(
        self, environ: Mapping[str, str] | None = None, settings: Settings | None = None
    ) -> dict[str, Any]:
        """Arguments for LiteLLM: `litellm.completion(messages=…, **arguments)`.

        They are the model by LiteLLM's name, its endpoint, its parameters, and its key, which is a text that
        shows nothing of itself in a log. Nothing is put in for the prompt template.

        Args:
            environ: Where `env:` references are resolved; by default the environment.
            settings: What the operator has set; by default read from `environ`.

        Raises:
            UsageError: LiteLLM does not know such a provider (`wrong-protocol`).
            GenerationError: A key is missing, or the operator does not allow its host.
        """
        from reconciler.runtime.interchange import to_litellm
        from reconciler.runtime.works import means_of

        return to_litellm(self, means_of(settings, environ).line.access)

    def require_verified(self) -> None:
        """Raise `VerificationError` where the model's last verification did not succeed."""
        if self.verification_status == "verified":
            return
        why = self.verification_detail or "it was never asked"
        raise VerificationError(
            f"{self.address} is {self.verification_status}: {why}",
            outcome=self.verification_outcome,
            provider=self.provider_name,
            model_id=self.model_id,
        )


class ProviderRegistryResponse(BaseModel):
    """The registry's models, by provider and id.

    Attributes:
        providers: The models, each with its provider's name: `registry.providers[0].model_id`.

    >>> registered = service.list_providers()
    >>> len(registered), [model.model_id for model in registered]
    (1, ['gpt-4o'])
    """

    model_config = ConfigDict(frozen=True)

    providers: tuple[ProviderModelConfigResponse, ...]

    def __iter__(self) -> Iterator[ProviderModelConfigResponse]:  # type: ignore[override] # models, not fields
        return iter(self.providers)

    def __len__(self) -> int:
        return len(self.providers)

    def __getitem__(self, place: int) -> ProviderModelConfigResponse:
        return self.providers[place]
