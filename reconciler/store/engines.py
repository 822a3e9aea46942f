"""Engines of our own, with the connections that everything of ours uses; apart from the doors, which also
lead through engines of others.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from reconciler.errors import UsageError
from reconciler.store.session import OPTIONS, checked_url

if TYPE_CHECKING:
    from sqlalchemy import Engine

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def remember(engine: Engine) -> None:
    """Let a child process have connections of its own where an engine's are the parent's."""
    _engines.add(engine)


def _begin_anew() -> None:
    for engine in tuple(_engines):
        # What is in the pool is the parent's, and is left as it is.
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def own_engine(url: str) -> Iterator[Engine]:
    """An engine with a pool of its own, fit for a transaction-pooling proxy; closed at the end.

    A connection that broke while nobody used it is noticed before it is used again; a child process has
    connections of its own. After the end, whoever
    still asks for a connection gets a `UsageError` (`closed`).

    Raises:
        UsageError: The URL is none of PostgreSQL's, or cannot be read.
    """
    from sqlalchemy import create_engine

    plain, is_open = checked_url(url), True

    def connected() -> psycopg.Connection:
        if not is_open:
            hint = "use it inside of the `with` that opened it"
            raise UsageError("The service is closed.", code="closed", hint=hint)
        return psycopg.connect(plain, **OPTIONS)

    engine = create_engine(
        "postgresql+psycopg://",
        # The URL is read by libpq alone, so that nothing of it stands in a message of SQLAlchemy.
        creator=connected,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        # Else every new connection asks what number this type has here.
        use_native_hstore=False,
    )
    remember(engine)
    try:
        yield engine
    finally:
        is_open = False
        engine.dispose()
