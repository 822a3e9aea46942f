"""What programs ask models with: by provider and id, with the configuration that the registry holds at that
moment. One model is asked, once: nothing is routed, and nothing tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from reconciler.runtime.factory import ConfigSource, ProviderFactory
from reconciler.runtime.generation import Generation
from reconciler.runtime.streams import AsyncStream, Put, Stream
from reconciler.settings import Settings


class Generator:
    """Asks the registry's models, with their parameters and in the words of their templates.

    Each call reads the configuration anew, so that a change counts from the next call on. Any number of
    threads and of event loops may share one. What was asked is counted by hour and model in the registry's
    database, but for a reader over a caller's `AsyncSession`; see `ProviderConfigService.usage`.

    Args:
        provider_config_service: Where configurations come from: a `ProviderConfigService`, a `Registry`,
            which answers in a microsecond, or an `AsyncProviderConfigReader` for the asynchronous calls.
        settings: What the operator has set; by default what the service was given, else the environment's.
        environ: Where `env:` references are resolved; by default as above.
        timeout: Seconds for calls that name none, more than 0; by default 600 for whole answers, and 60 for
            each piece of those that come in pieces.

    >>> with Generator(service) as generator:
    ...     generator.generate("openai", "gpt-4o", "Where are the maps?")
    'In the reading room.'
    """

    def __init__(
        self,
        provider_config_service: ConfigSource,
        *,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._factory = ProviderFactory(provider_config_service, settings=settings, environ=environ)
        self._timeout = timeout

    def generate(
        self,
        provider: str,
        model_id: str,
        prompt: str,
        context: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Generation:
        """Ask a model, and wait for its whole answer.

        Args:
            provider: The provider's name.
            model_id: The model, as the provider spells it.
            prompt: The question; the model's template is put around it, and nothing in it is evaluated.
            context: What the answer is to be found in.
            timeout: Seconds that the answer may take, more than 0.

        Raises:
            NotFoundError: The registry has no such model.
            StatusError: It is not active.
            GenerationError: The provider did not do it; `outcome` says why.
            UsageError: The prompt is no text, or the timeout not more than 0.
            StoreUnavailableError: PostgreSQL did not answer.
        """
        model = self._factory.create_provider(provider, model_id)
        return model.generate(prompt, context, timeout=self._within(timeout))

    async def agenerate(
        self,
        provider: str,
        model_id: str,
        prompt: str,
        context: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it comes over one of ours
    ) -> Generation:
        """The same for coroutines; cancelling the task cancels the request."""
        model = await self._factory.acreate_provider(provider, model_id)
        return await model.agenerate(prompt, context, timeout=self._within(timeout))

    def stream(
        self,
        provider: str,
        model_id: str,
        prompt: str,
        context: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Stream:
        """Ask a model, and yield its answer in pieces as they come; the whole is `generation` at the end.

        Leaving the loop early closes the connection.

        Args:
            provider: As for `generate`, and so are the others.
            model_id: The model.
            prompt: The question.
            context: What the answer is to be found in.
            timeout: Seconds that the first piece and every further one may take, more than 0.

        Raises:
            GenerationError: While iterating: the provider did not do it, or broke off.
            ProviderConfigError: What `generate` raises, at once.
        """
        model = self._factory.create_provider(provider, model_id)
        return model.stream(prompt, context, timeout=self._within(timeout))

    def astream(
        self,
        provider: str,
        model_id: str,
        prompt: str,
        context: str | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncStream:
        """The same for coroutines; everything is raised while iterating."""

        async def begin(put: Put) -> Future[None]:
            model = await self._factory.acreate_provider(provider, model_id)
            return model.begin(prompt, context, self._within(timeout))(put)

        return AsyncStream(begin)

    def embed(
        self, provider: str, model_id: str, texts: Sequence[str], *, timeout: float | None = None
    ) -> list[list[float]]:
        """The embeddings of texts, in their order; no template is put around them.

        Args:
            provider: The provider's name.
            model_id: A model whose mode is `embedding`.
            texts: The texts.
            timeout: Seconds that all may take together, more than 0.

        Raises:
            UsageError: The model is no embedding model (`wrong-mode`), or what is given are no texts.
            ProviderConfigError: What `generate` raises.
        """
        model = self._factory.create_provider(provider, model_id)
        return model.embed(texts, timeout=self._within(timeout))

    async def aembed(
        self,
        provider: str,
        model_id: str,
        texts: Sequence[str],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it comes over one of ours
    ) -> list[list[float]]:
        """The same for coroutines."""
        model = await self._factory.acreate_provider(provider, model_id)
        return await model.aembed(texts, timeout=self._within(timeout))

    def close(self) -> None:
        """Write what was counted. Connections close by themselves when nobody can call any more."""
        self._factory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _within(self, timeout: float | None) -> float | None:
        return self._timeout if timeout is None else timeout
