"""Which class calls a model: by its provider's kind, where a program or an installed package has a class of
its own for that, or else by the protocol that the kind speaks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import isawaitable, iscoroutine
from typing import ClassVar, Protocol, TypeAlias

from reconciler import kinds
from reconciler.errors import NotFoundError, ProviderConfigError, UsageError
from reconciler.runtime import calling
from reconciler.runtime.async_reader import AsyncProviderConfigReader
from reconciler.runtime.calls import Calls
from reconciler.runtime.providers import OURS, LLMProvider
from reconciler.runtime.recorder import Recorder, recorder_for
from reconciler.runtime.registry import Registry
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.works import means_of
from reconciler.settings import Settings
from reconciler.store.doors import EngineDoor
from reconciler.store.session import connect

logger = logging.getLogger("reconciler")

GROUP = "reconciler.providers"

Config: TypeAlias = ProviderModelConfigResponse
Makes: TypeAlias = Callable[[Config], LLMProvider]


class ConfigSource(Protocol):
    """Where configurations come from: `ProviderConfigService`, `Registry`, `AsyncProviderConfigReader`, or a
    program's own.
    """

    def get_provider_model(self, provider: str, model_id: str) -> Config | Awaitable[Config | None] | None:
        """A model as it is to be used now; `None` where there is none."""


class ProviderFactory:
    """Makes models that can be called of what the registry holds at that moment.

    Args:
        provider_config_service: Where configurations come from. What is asked of their models is counted in
            its database, where it has one; see `ProviderConfigService.usage`.
        settings: What the operator has set; by default what the service was given, else the environment's.
        environ: Where `env:` references are resolved; by default as above.

    >>> model = ProviderFactory(service).create_provider("openai", "gpt-4o")
    >>> type(model).__name__, model.config.parameters.temperature
    ('OpenAIProvider', 0.7)
    """

    _registered: ClassVar[dict[str, Makes]] = {}

    def __init__(
        self,
        provider_config_service: ConfigSource,
        *,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._source = provider_config_service
        if isinstance(provider_config_service, Calls):
            around = provider_config_service._around  # noqa: SLF001 - a service's are its callers' too
            settings = settings or around.settings
            environ = around.environ if environ is None else environ
        self._means = means_of(settings, environ, _recorder_of(provider_config_service))

    @classmethod
    def register(cls, kind: str, provider_class: Makes) -> None:
        """Let a class of the program's own call the models of a kind, in this process.

        It may take the place of ours. Installed packages do the same by the entry point group
        `reconciler.providers`, with the kind as the name, but for the kinds that are ours.

        Args:
            kind: The kind of its providers.
            provider_class: A subclass of `LLMProvider`, or what makes one of a configuration.

        Raises:
            UsageError: It is a class of something else, or cannot be called (`bad-provider`).
        """
        is_other = isinstance(provider_class, type) and not issubclass(provider_class, LLMProvider)
        if is_other or not callable(provider_class):
            raise UsageError(
                f"What is registered for '{kind}' is no subclass of LLMProvider.",
                code="bad-provider",
                hint="subclass it and answer in reply() and pieces()",
            )
        cls._registered[kind] = provider_class

    def create_provider(self, provider: str, model_id: str) -> LLMProvider:
        """A model that can be called, as it is configured now.

        Args:
            provider: The provider's name.
            model_id: The model, as the provider spells it.

        Raises:
            NotFoundError: The registry has no such model.
            StatusError: It is not active.
            ProviderConfigError: Nothing here speaks to its provider (`no-provider`), or what was installed
                for it is broken (`broken-provider`).
            StoreUnavailableError: PostgreSQL did not answer.
        """
        found = self._source.get_provider_model(provider, model_id)
        if isawaitable(found):
            if iscoroutine(found):
                found.close()
            raise UsageError(
                "This source of configurations has to be awaited.",
                code="async-source",
                hint="await acreate_provider() or agenerate()",
            )
        return self._made(found, provider, model_id)

    async def acreate_provider(self, provider: str, model_id: str) -> LLMProvider:
        """The same for coroutines; a service with connections of its own is asked in a thread."""
        ask = self._source.get_provider_model
        found = await asyncio.to_thread(ask, provider, model_id) if self._waits else ask(provider, model_id)
        return self._made(await found if isawaitable(found) else found, provider, model_id)

    def close(self) -> None:
        """Write what was counted."""
        if self._means.recorder is not None:
            self._means.recorder.finish()

    @property
    def _waits(self) -> bool:
        """Whether the source waits for a database; a caller's session is theirs, and stays in its thread."""
        source = self._source
        return isinstance(source, Calls) and isinstance(source._around.door, EngineDoor)  # noqa: SLF001

    def _made(self, config: Config | None, provider: str, model_id: str) -> LLMProvider:
        if config is None:
            raise NotFoundError(
                f"The registry has no model '{model_id}' of a provider '{provider}'.",
                hint="`reconciler list` shows its models",
                provider=provider,
                model_id=model_id,
            )
        config.require_active()
        made = self._maker(config)(config)
        if not isinstance(made, LLMProvider):
            raise _broken(config, f"it makes a {type(made).__name__} and no LLMProvider")
        return made.lend(self._means)

    def _maker(self, config: Config) -> Makes:
        own = self._registered.get(config.kind)
        if own is not None:
            return own
        if (installed := _installed().get(config.kind)) is not None:
            return _loaded(installed, config)
        kind = calling.kind_of(config)
        if kind.protocol in OURS:
            return OURS[kind.protocol]
        speaks = f"speaks '{kind.protocol}'" if kind.protocol else "is no kind that is known here"
        raise ProviderConfigError(
            f"Nothing here calls {config.address}: its provider's kind '{kind.name}' {speaks}.",
            code="no-provider",
            hint="register the provider, or a class for its kind: ProviderFactory.register",
            provider=config.provider_name,
            model_id=config.model_id,
        )


@cache
def _installed() -> dict[str, EntryPoint]:
    """What installed packages offer, by kind; nothing of theirs is imported."""
    found: dict[str, EntryPoint] = {}
    for offered in entry_points(group=GROUP):
        if offered.name in kinds.names():
            logger.warning(
                "%s is ignored: the kind '%s' is ours; ProviderFactory.register may replace it.",
                offered.value,
                offered.name,
            )
        elif found.setdefault(offered.name, offered) != offered:
            logger.warning("%s is ignored: %s has its kind.", offered.value, found[offered.name].value)
    return found


def _loaded(offered: EntryPoint, config: Config) -> Makes:
    try:
        found: Makes = offered.load()
    except (ImportError, AttributeError, SyntaxError, *_ODD) as error:
        raise _broken(config, f"{type(error).__name__}: {error}") from error
    if not callable(found):
        raise _broken(config, f"{offered.value} cannot be called")
    return found


# What else somebody's module may come to while it is imported.
_ODD = (ArithmeticError, AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def _broken(config: Config, why: str) -> ProviderConfigError:
    return ProviderConfigError(
        f"What was installed for the kind '{config.kind}' cannot be used: {why}.",
        code="broken-provider",
        hint="mend or uninstall the package that offers it",
        provider=config.provider_name,
        model_id=config.model_id,
    )


def _recorder_of(source: ConfigSource) -> Recorder | None:
    """What counts the calls of a source's models; nothing where it has no database that is known here."""
    if isinstance(source, Calls):
        door = source._around.door.apart()  # noqa: SLF001 - as above
        return recorder_for(door, door.opened)
    url = source.url if isinstance(source, (Registry, AsyncProviderConfigReader)) else None
    return None if url is None else recorder_for(url, lambda: connect(url))
