"""What the service reads: models as applications use them; sets, templates and providers by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.collector import paused
from reconciler.runtime import reading
from reconciler.runtime.calls import Calls
from reconciler.runtime.responses import (
    LLMParametersResponse,
    PromptTemplateResponse,
    ProviderModelConfigResponse,
    ProviderRegistryResponse,
    ProviderResponse,
)
from reconciler.store.effective import Statement
from reconciler.store.fetching import Row, fetched


class Reads(Calls):
    """The part of the service that reads; each call sees the registry as of one commit."""

    def get_provider_model(self, provider: str, model_id: str) -> ProviderModelConfigResponse | None:
        """A model as it is to be used now; `None` where the registry has none.

        Its own row, its provider's, its parameters and its template come in one question, with the values
        that an override holds; whether it may be used is in `is_active`.

        Raises:
            UsageError: What is given is no text.
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.

        >>> service.get_provider_model("openai", "gpt-4o").parameters.temperature
        0.7
        """
        return self.get_provider_models([(provider, model_id)])[0]

    def get_provider_models(
        self, models: Iterable[tuple[str, str]]
    ) -> tuple[ProviderModelConfigResponse | None, ...]:
        """Several models by provider and id, in the order given; `None` for each that there is not.

        Raises:
            UsageError: What is given is no pair of texts.
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.
        """
        pairs = reading.pairs(models)
        return reading.placed(pairs, self._rows(reading.found(pairs)))

    def list_providers(
        self,
        *,
        active_only: bool = False,
        provider: str | None = None,
        label: reading.Labels | None = None,
        verified_only: bool = False,
    ) -> ProviderRegistryResponse:
        """The registry's models by provider and id, those that fulfil every condition.

        Args:
            active_only: Only models that may be used now.
            provider: Only this provider's.
            label: Only models with this label: `team=rag`, `team` for any value, or several by name, with
                `None` for any value.
            verified_only: Only models whose last verification succeeded.

        Raises:
            UsageError: A condition is no text.
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.

        >>> [model.model_id for model in service.list_providers(active_only=True, provider="openai")]
        ['gpt-4o']
        """
        asked = reading.listed(
            active_only=active_only, provider=provider, label=label, verified_only=verified_only
        )
        with paused():
            return reading.registry(self._rows(asked))

    def _rows(self, asked: Statement | None) -> list[Row]:
        if asked is None:
            return []
        with self._around.door.opened(reading=True) as connection:
            return fetched(connection, asked)

    def get_parameters(self, name: str) -> LLMParametersResponse | None:
        """A parameter set with the models that use it; `None` where there is none.

        >>> service.get_parameters("precise").used_by
        ('model:openai/gpt-4o',)
        """
        with self._around.door.opened(reading=True) as connection:
            return next(iter(reading.read_parameters(connection, names=[name], with_users=True)), None)

    def list_parameters(self) -> tuple[LLMParametersResponse, ...]:
        """All parameter sets by name, those written with a model included, without their users.

        >>> [one.name for one in service.list_parameters()]
        ['default', 'precise']
        """
        with self._around.door.opened(reading=True) as connection:
            return reading.read_parameters(connection)

    def get_prompt_template(self, name: str) -> PromptTemplateResponse | None:
        """A prompt template with the models that use it; `None` where there is none.

        >>> service.get_prompt_template("rag").context_prefix
        'Context:'
        """
        with self._around.door.opened(reading=True) as connection:
            return next(iter(reading.read_templates(connection, names=[name], with_users=True)), None)

    def list_prompt_templates(self) -> tuple[PromptTemplateResponse, ...]:
        """All prompt templates by name, those written with a model included, without their users.

        >>> [one.name for one in service.list_prompt_templates()]
        ['rag']
        """
        with self._around.door.opened(reading=True) as connection:
            return reading.read_templates(connection)

    def get_provider(self, name: str) -> ProviderResponse | None:
        """A provider by itself; `None` where nobody registered it.

        >>> service.get_provider("openai").is_active
        True
        """
        with self._around.door.opened(reading=True) as connection:
            return next(iter(reading.read_providers(connection, names=[name])), None)

    def list_endpoints(self) -> tuple[ProviderResponse, ...]:
        """All providers by themselves, by name; `list_providers` has their models.

        >>> [(one.name, one.kind) for one in service.list_endpoints()]
        [('openai', 'openai')]
        """
        with self._around.door.opened(reading=True) as connection:
            return reading.read_providers(connection)
