"""The service by both of its doors, over a test's database, with a fake provider that the operator trusts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy
from sqlalchemy.orm import Session
from support import providers

from reconciler.runtime.provider_config import ProviderConfigService
from reconciler.settings import Settings
from reconciler.store.doors import EngineDoor
from reconciler.store.session import sqlalchemy_url

DOORS = ("engine", "session")
ACTOR = "an application"


def settings(fake: providers.FakeProviders | None = None, **more: object) -> Settings:
    """What an operator has set who trusts the fake provider."""
    hosts = () if fake is None else (fake.host,)
    return Settings(allowed_hosts=hosts, fingerprint_key="k" * 20, **more)


def environ(**more: str) -> dict[str, str]:
    """An environment with a key that the fake provider takes."""
    return {"OPENAI_API_KEY": providers.key(), **more}


@contextmanager
def engine_of(url: str, **options: object) -> Iterator[sqlalchemy.Engine]:
    """An engine of the test's own."""
    engine = sqlalchemy.create_engine(sqlalchemy_url(url), **options)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def through_engine(
    url: str, fake: providers.FakeProviders | None = None, *, actor: str = ACTOR, **more: object
) -> Iterator[ProviderConfigService]:
    """A service that commits each call by itself."""
    with engine_of(url) as engine, by_itself(engine, fake, actor=actor, **more) as service:
        yield service


@contextmanager
def by_itself(
    engine: sqlalchemy.Engine,
    fake: providers.FakeProviders | None = None,
    *,
    actor: str = ACTOR,
    **more: object,
) -> Iterator[ProviderConfigService]:
    """A service that commits each call by itself, with connections of an engine."""
    yield ProviderConfigService.through(
        EngineDoor(engine), settings=settings(fake, **more), actor=actor, environ=environ()
    )


@contextmanager
def through_session(
    url: str, fake: providers.FakeProviders | None = None, *, actor: str = ACTOR, **more: object
) -> Iterator[ProviderConfigService]:
    """A service inside a transaction that is committed at the end."""
    with engine_of(url) as engine, within(engine, fake, actor=actor, **more) as service:
        yield service


@contextmanager
def within(
    engine: sqlalchemy.Engine,
    fake: providers.FakeProviders | None = None,
    *,
    actor: str = ACTOR,
    **more: object,
) -> Iterator[ProviderConfigService]:
    """A service inside a transaction of an engine, that is committed at the end."""
    with Session(engine) as session:
        yield ProviderConfigService(session, settings=settings(fake, **more), actor=actor, environ=environ())
        session.commit()


@contextmanager
def opened(
    url: str, door: str, fake: providers.FakeProviders | None = None, **more: object
) -> Iterator[ProviderConfigService]:
    """A service by the door of that name."""
    way = {"engine": through_engine, "session": through_session}[door]
    with way(url, fake, **more) as service:
        yield service


def generation(connection: psycopg.Connection) -> int:
    """The registry's generation."""
    row = connection.execute("SELECT generation FROM registry").fetchone()
    assert row is not None
    return row[0]


def trail(connection: psycopg.Connection) -> list[tuple]:
    """What the trail says: action, address, cause, actor, source and run of each event, in their order."""
    return connection.execute(
        "SELECT action, address, cause, actor, source, run FROM audit_events ORDER BY id"
    ).fetchall()
