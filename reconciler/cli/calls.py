"""What several commands share on their way from options to a call: settings, loading, the registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli import streams
from reconciler.cli.failures import FilesError
from reconciler.core.state import DesiredState
from reconciler.errors import SourceError
from reconciler.report import text

if TYPE_CHECKING:
    from reconciler.settings import Settings
    from reconciler.wiring import Verbs


def settings(
    database_url: str | None = None,
    source: str | None = None,
    home: Path | None = None,
    lock_timeout: float | None = None,
) -> Settings:
    """The environment's settings with what the command line adds."""
    from reconciler import wiring

    return wiring.settings(database_url=database_url, source=source, home=home, lock_timeout=lock_timeout)


@contextmanager
def registry(chosen: Settings, *, write: bool) -> Iterator[Verbs]:
    """The registry, open; what opening it has to tell goes to the story."""
    from reconciler import wiring

    with wiring.open_verbs(chosen, say=streams.say, write=write) as opened:
        yield opened


def load(directory: Path, output: streams.Format) -> DesiredState:
    """A directory's valid state; its warnings go to the story where the answer has no place for them."""
    from reconciler import wiring

    desired = wiring.load(directory)
    try:
        wiring.require_valid(desired)
    except SourceError as error:
        raise FilesError(error.problems, str(directory)) from error
    if output == "text" and desired.problems:
        streams.tell(text.problems(desired.problems, str(directory), streams.story_style()))
    return desired
