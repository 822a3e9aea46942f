"""The service that applications call: all of its parts over one way to the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from reconciler.runtime.calls import Surroundings
from reconciler.runtime.endpoints import Endpoints
from reconciler.runtime.models import Models
from reconciler.runtime.overriding import Overriding
from reconciler.runtime.reads import Reads
from reconciler.runtime.sets import ParameterSets
from reconciler.runtime.templates import Templates
from reconciler.runtime.usage import Usage
from reconciler.settings import Settings, from_environment
from reconciler.store.doors import CallersSession, Door, SessionDoor
from reconciler.store.record import run_context


class ProviderConfigService(Reads, Overriding, Models, ParameterSets, Templates, Endpoints, Usage):
    """The registry of providers, models, parameter sets and prompt templates, to read and to change.

    Made over a `Session` it works inside the caller's transaction and neither commits nor rolls it back; a
    call that fails leaves that transaction as it was before. From its first write on, such a transaction
    keeps all other writers of the registry waiting until it ends. `reconciler.open_service` makes one that
    commits each call by itself and may be used by many threads at once.

    Every call either does all that it was asked for or nothing, and raises `ProviderConfigError` and its
    subclasses only. What is written bears the cause `code` and the actor in the audit trail. Rows that files
    own are never changed.

    Args:
        session: The caller's SQLAlchemy session, over `postgresql+psycopg`.
        settings: What the operator has set; by default read from `environ`.
        actor: Who calls, for the trail; recorded as a claim. By default the login name of this process.
        environ: Where settings and `env:` references are resolved; by default the environment.

    >>> from sqlalchemy import create_engine
    >>> from sqlalchemy.orm import Session
    >>> engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    >>> with Session(engine) as session, session.begin():
    ...     ProviderConfigService(session).get_provider_model("openai", "gpt-4o").model_id
    'gpt-4o'
    >>> engine.dispose()
    """

    def __init__(
        self,
        session: CallersSession,
        *,
        settings: Settings | None = None,
        actor: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(_around(SessionDoor(session), settings, actor, environ))

    @classmethod
    def through(
        cls,
        door: Door,
        *,
        settings: Settings | None = None,
        actor: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """A service that reaches the database by a door of its own; see the class for the rest."""
        made = cls.__new__(cls)
        super(ProviderConfigService, made).__init__(_around(door, settings, actor, environ))
        return made


def _around(
    door: Door, settings: Settings | None, actor: str | None, environ: Mapping[str, str] | None
) -> Surroundings:
    environ = os.environ if environ is None else environ
    context = run_context()
    return Surroundings(
        door=door,
        settings=from_environment(environ) if settings is None else settings,
        environ=environ,
        context=context if actor is None else replace(context, actor=actor),
    )
