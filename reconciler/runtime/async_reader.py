"""The registry for request handlers that do not wait: reads only, with the answers of the service. What is
asked and how rows become answers stands in `reading`; here is only who waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Self

from reconciler.runtime import reading
from reconciler.runtime.responses import ProviderModelConfigResponse, ProviderRegistryResponse
from reconciler.store.async_doors import (
    AsyncDoor,
    AsyncEngineDoor,
    AsyncSessionDoor,
    CallersAsyncSession,
    async_engine,
)


class AsyncReads:
    """What can be read by a door that does not wait."""

    def __init__(self, door: AsyncDoor, url: str | None = None) -> None:
        self._door = door
        self._url = url

    @property
    def url(self) -> str | None:
        """The database, where the connections are the reader's own; it may hold a password."""
        return self._url

    async def get_provider_model(self, provider: str, model_id: str) -> ProviderModelConfigResponse | None:
        """A model as it is to be used now; `None` where the registry has none.

        Raises:
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.
        """
        return (await self.get_provider_models([(provider, model_id)]))[0]

    async def get_provider_models(
        self, models: Iterable[tuple[str, str]]
    ) -> tuple[ProviderModelConfigResponse | None, ...]:
        """Several models by provider and id, in the order given; `None` for each that there is not.

        Raises:
            UsageError: What is given is no pair of texts.
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.
        """
        pairs = reading.pairs(models)
        asked = reading.found(pairs)
        return reading.placed(pairs, await self._door.fetched(asked) if asked else ())

    async def list_providers(
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
            label: Only models with this label: `team=rag`, `team` for any value, or several by name.
            verified_only: Only models whose last verification succeeded.

        Raises:
            UsageError: A condition is no text.
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.
        """
        asked = reading.listed(
            active_only=active_only, provider=provider, label=label, verified_only=verified_only
        )
        return reading.registry(await self._door.fetched(asked) if asked else [])


class AsyncProviderConfigReader(AsyncReads):
    """Reads the registry from coroutines; `ProviderConfigService` answers the same.

    Made over an `AsyncSession` it reads inside the caller's transaction, ends nothing of theirs, and is used
    by one task at a time as their session is. `reconciler.open_reader` makes one with connections of its own,
    for any number of tasks at once; each call then sees the registry as of one commit.

    Args:
        session: The caller's SQLAlchemy session, over `postgresql+psycopg`.

    >>> import asyncio
    >>> async def names():
    ...     async with open_reader(url) as reader:
    ...         return [model.model_id for model in await reader.list_providers()]
    >>> asyncio.run(names())
    ['gpt-4o']
    """

    def __init__(self, session: CallersAsyncSession) -> None:
        super().__init__(AsyncSessionDoor(session))

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, *, connections: int = 10, patience: float = 30.0) -> AsyncIterator[Self]:
        """A reader with connections of its own, closed at the end.

        Args:
            url: The database, `postgresql://…`.
            connections: How many calls may be under way at once, at least 1; others wait.
            patience: Seconds that they wait before they fail, more than 0.

        Raises:
            UsageError: The URL is none of PostgreSQL's, or cannot be read.
        """
        async with async_engine(url, connections=connections, patience=patience) as engine:
            made = cls.__new__(cls)
            AsyncReads.__init__(made, AsyncEngineDoor(engine), url)
            yield made
