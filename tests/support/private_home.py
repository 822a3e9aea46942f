"""A home of its own for the embedded server, for tests that run the whole program as a person would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.postgres import short_folder

from reconciler.errors import EmbeddedServerError
from reconciler.store import embedded


@contextmanager
def private_home() -> Iterator[Path]:
    """Yield an empty folder for `RECONCILER_HOME`; the server in it is stopped before the folder goes."""
    with short_folder() as home:
        try:
            yield home
        finally:
            with suppress(EmbeddedServerError):
                embedded.stop(home)
