"""What several commands share on their way from options to a call: settings, loading, the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import report
from reconciler.cli import streams
from reconciler.cli.failures import FilesError
from reconciler.errors import ProviderConfigError, SourceError

if TYPE_CHECKING:
    from reconciler.core.problem import Problem
    from reconciler.core.state import DesiredState
    from reconciler.settings import Settings
    from reconciler.source.tree import Tree
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


@contextmanager
def registry_for(directory: Path, chosen: Settings, *, write: bool) -> Iterator[tuple[Verbs, Tree]]:
    """The registry and a directory for it; whatever the database says, bad files are told first, and nothing
    is set up for them.
    """
    from reconciler import wiring

    tree = wiring.tree(directory)
    try:
        with _files_first(tree):
            opening = wiring.open_verbs(
                chosen, say=streams.say, write=write, before_set_up=lambda: tree.state
            )
            with opening as opened:
                yield opened, tree
    except SourceError as error:
        raise FilesError(error.problems, str(directory)) from error


@contextmanager
def _files_first(tree: Tree) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except ProviderConfigError:
        tree.check()
        raise


def tell_warnings(problems: Sequence[Problem], directory: Path, output: streams.Format) -> None:
    """Warnings go to the story where the answer has no place for them."""
    if output == "text" and problems:
        streams.tell(report.text.problems(problems, str(directory), streams.story_style()))


def load(directory: Path, output: streams.Format) -> DesiredState:
    """A directory's valid state."""
    from reconciler import wiring

    desired = wiring.load(directory)
    try:
        wiring.require_valid(desired)
    except SourceError as error:
        raise FilesError(error.problems, str(directory)) from error
    tell_warnings(desired.problems, directory, output)
    return desired
