"""The files of one run, as the engine asks for them: their fingerprints first, and what they say only where
it is needed.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from reconciler.core.parts import Basis, Part
from reconciler.core.prints import Prints
from reconciler.core.state import DesiredState


class Files(Protocol):
    """A directory that may not have been read yet."""

    @property
    def prints(self) -> Prints | None:
        """Its fingerprints; `None` where they are not known."""

    @property
    def state(self) -> DesiredState:
        """What it asks for.

        Raises:
            SourceError: The files have errors.
        """

    def part(self, basis: Basis) -> Part | None:
        """What of it has changed; `None` where that cannot be told without the rest."""


class Loaded(NamedTuple):
    """Files that have been read, whose values are compared in any case."""

    state: DesiredState
    prints: Prints | None = None

    def part(self, basis: Basis) -> Part | None:  # noqa: ARG002 it is read already
        """Everything is known: nothing is gained by a part."""
        return None


def as_files(files: Files | DesiredState) -> Files:
    """The same, whether it has been read or not."""
    return Loaded(files) if isinstance(files, DesiredState) else files
