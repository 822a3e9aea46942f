"""The composition root: settings become connections, and the rooms are put together. The only reader of the
environment; everything heavy is imported where it is used, for start-up is part of every run.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.settings import Settings, from_environment
from reconciler.wiring.databases import current, embedded_stop, embedded_url, open_verbs, upgrade
from reconciler.wiring.verbs import Verbs

if TYPE_CHECKING:
    from reconciler.core.state import DesiredState
    from reconciler.source.tree import Tree

__all__ = [
    "Verbs",
    "current",
    "embedded_stop",
    "embedded_url",
    "json_schema",
    "load",
    "open_verbs",
    "rendered",
    "require_valid",
    "settings",
    "tree",
    "upgrade",
]


def settings(
    *,
    database_url: str | None = None,
    source: str | None = None,
    home: Path | None = None,
    lock_timeout: float | None = None,
) -> Settings:
    """The environment's settings, with what a caller gives in their place."""
    found = from_environment(os.environ)
    return replace(
        found,
        database_url=database_url or found.database_url,
        source=source or found.source,
        home=home or found.home,
        lock_timeout=found.lock_timeout if lock_timeout is None else lock_timeout,
    )


def load(directory: Path) -> DesiredState:
    """What a directory asks for, its problems included.

    Raises:
        UsageError: There is no such directory.
    """
    from reconciler.source.load import load as load_directory

    return load_directory(directory)


def tree(directory: Path) -> Tree:
    """A directory whose files are only read where something has changed.

    Raises:
        UsageError: There is no such directory.
    """
    from reconciler.source.tree import Tree

    return Tree(directory)


def require_valid(state: DesiredState) -> None:
    """Raise `SourceError` where the files have errors."""
    from reconciler.source.load import require_valid as require

    require(state)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file format."""
    from reconciler.source.schema import json_schema as schema

    return schema()


def rendered(state: DesiredState) -> dict[str, Any]:
    """The resolved desired state as JSON."""
    from reconciler.source.render import rendered as render

    return render(state)
