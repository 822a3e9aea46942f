"""The ways in for programs: `open_service`, `open_registry` and `open_reader`. They name the database, start
the embedded server where that is meant, and close at the end what they opened.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.settings import Settings, from_environment
from reconciler.wiring.databases import named_database

if TYPE_CHECKING:
    from reconciler.runtime.async_reader import AsyncProviderConfigReader
    from reconciler.runtime.provider_config import ProviderConfigService
    from reconciler.runtime.registry import Registry
    from reconciler.store.doors import Door

logger = logging.getLogger("reconciler")


@contextmanager
def open_service(url: str | None = None, *, actor: str | None = None) -> Iterator[ProviderConfigService]:
    """Open the registry to read and to change it; the connections are closed at the end.

    An empty database is set up; several programs that open one at the same time all succeed. Each call of the
    service is a transaction of its own, and any number of threads may share it: it keeps up to five
    connections, and opens ten more while they are needed.

    Args:
        url: The database: `postgresql://USER@HOST/DATABASE`, or `embedded` for a private server that runs as
            long as somebody uses it. By default `RECONCILER_DATABASE_URL`.
        actor: Who calls, for the audit trail; recorded as a claim. By default this process's login name.

    Raises:
        UsageError: No database is named (`no-database`), or the URL cannot be read (`bad-database-url`).
        StoreUnavailableError: PostgreSQL did not answer, or refused the user or the password.
        SchemaError: The tables are older than this program, newer, or somebody else's.
        EmbeddedServerError: The private server cannot run.

    >>> with open_service(url, actor="the registration page") as service:
    ...     len(service.list_providers(active_only=True))
    1
    """
    from reconciler.runtime import recorder
    from reconciler.runtime.provider_config import ProviderConfigService
    from reconciler.store.doors import EngineDoor
    from reconciler.store.engines import own_engine

    settings = _settings(url)
    with named_database(settings, logger.info) as place, own_engine(place) as engine:
        door = EngineDoor(engine)
        _set_up(door, place)
        try:
            yield ProviderConfigService.through(door, settings=settings, actor=actor, environ=os.environ)
        finally:
            # A generator that is not closed would find no connection any more.
            recorder.flush(door)


@contextmanager
def open_registry(url: str | None = None, *, poll: float = 1.0) -> Iterator[Registry]:
    """Open a snapshot of all models in this program's memory, which is kept fresh until the end.

    It is for programs that read in every request: a model is there in a microsecond, also while the database
    is down. It needs a registry that is set up already.

    Args:
        url: The database, as `open_service` takes it.
        poll: Seconds between questions, more than 0: the latest that a change is seen. Where PostgreSQL's
            announcements arrive it is seen at once.

    Raises:
        UsageError: No database is named, the URL cannot be read, or `poll` is not more than 0 (`bad-poll`).
        StoreUnavailableError: PostgreSQL did not answer, or refused the user or the password.
        SchemaError: The database holds no registry, or its tables are older or newer than this program.
        EmbeddedServerError: The private server cannot run.

    >>> with open_registry(url) as registry:
    ...     registry.get("openai", "gpt-4o").parameters.temperature
    0.7
    """
    from reconciler.runtime import recorder
    from reconciler.runtime.registry import Registry

    with named_database(_settings(url), logger.info) as place, Registry(place, poll=poll) as registry:
        try:
            yield registry
        finally:
            recorder.flush(place)


@asynccontextmanager
async def open_reader(url: str | None = None) -> AsyncIterator[AsyncProviderConfigReader]:
    """Open the registry for coroutines that read it; the connections are closed at the end.

    Any number of tasks may share it; ten questions are under way at once. It needs a registry that is set up
    already.

    Args:
        url: The database, as `open_service` takes it.

    Raises:
        UsageError: No database is named, or the URL cannot be read.
        StoreUnavailableError: PostgreSQL did not answer, or refused the user or the password.
        SchemaError: The database holds no registry, or its tables are older or newer than this program.
        EmbeddedServerError: The private server cannot run.

    >>> async def temperature():
    ...     async with open_reader(url) as reader:
    ...         return (await reader.get_provider_model("openai", "gpt-4o")).parameters.temperature
    >>> asyncio.run(temperature())
    0.7
    """
    from reconciler.runtime import recorder
    from reconciler.runtime.async_reader import AsyncProviderConfigReader

    with ExitStack() as stack:
        # Starting a server and asking for the tables' revision wait; other tasks go on meanwhile.
        database = named_database(_settings(url), logger.info)
        place = await asyncio.to_thread(stack.enter_context, database)
        await asyncio.to_thread(_require_current, place)
        async with AsyncProviderConfigReader.opened(place) as reader:
            try:
                yield reader
            finally:
                # An embedded server may end after this.
                await asyncio.to_thread(recorder.flush, place)


def _settings(url: str | None) -> Settings:
    """What the operator has set, for the database that is meant."""
    if url is not None and not isinstance(url, str):
        raise UsageError(
            f"The database is named by a text, not by a {type(url).__name__}.",
            code="bad-database-url",
            hint="for a session of your own: ProviderConfigService(session)",
        )
    found = from_environment(os.environ)
    settings = replace(found, database_url=url or found.database_url)
    if settings.database_url is None:
        # A forgotten secret must not succeed against a private database.
        raise UsageError(
            "No database is named.",
            code="no-database",
            hint="give a URL or set RECONCILER_DATABASE_URL: postgresql://USER@HOST/DATABASE, or embedded",
        )
    return settings


def _set_up(door: Door, url: str) -> None:
    """Make our tables where there are none, and go on only with those of this program."""
    from reconciler.store import migrate

    with door.opened() as connection:
        found = migrate.revision(connection)
        if found is None:
            logger.info("Setting up the tables.")
            # Whoever else is about to waits here, and finds them.
            _, found = migrate.upgrade(url)
        migrate.check_current(found)


def _require_current(url: str) -> None:
    from reconciler.store import migrate
    from reconciler.store.session import connect

    with connect(url) as connection:
        migrate.require(connection)
        migrate.check_current(migrate.revision(connection))
