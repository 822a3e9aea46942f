"""One directory during one run: its fingerprints, which say whether anything changed, and what it says, which
is only read where something did.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from reconciler.core import collector
from reconciler.core.prints import Prints
from reconciler.source import files, git
from reconciler.source.load import load, reader_of_files, require_directory, require_valid

if TYPE_CHECKING:
    from reconciler.core.parts import Basis, Part
    from reconciler.core.state import DesiredState, Identity


class Tree:
    """A directory of files.

    Args:
        directory: The directory.

    Attributes:
        seconds: How long reading it has taken so far.

    Raises:
        UsageError: It does not exist (`no-such-directory`) or is a file (`not-a-directory`).
    """

    def __init__(self, directory: Path) -> None:
        require_directory(directory)
        self._directory = directory
        self.seconds = 0.0
        self._found: dict[str, files.Found] = {}

    @cached_property
    def prints(self) -> Prints | None:
        """The fingerprints; `None` where a file cannot be read, which `state` tells."""
        began = perf_counter()
        try:
            return self._prints()
        except files.UnreadableError:
            return None
        finally:
            self.seconds += perf_counter() - began

    def _prints(self) -> Prints | None:
        listing = files.find(self._directory)
        if listing.faults:
            return None
        self._found = {one.name: one for one in listing.files}
        if len(self._found) != len(listing.files):
            # Two names that cannot be told apart once they can be printed.
            return None
        found = {name: hashlib.sha256(files.read(one)).hexdigest() for name, one in self._found.items()}
        return Prints(found, self._identity, reader_of_files())

    @cached_property
    def _identity(self) -> Identity:
        return git.identity(self._directory)

    @cached_property
    def state(self) -> DesiredState:
        """What the directory asks for.

        Raises:
            SourceError: The files have errors; all of them.
        """
        began = perf_counter()
        found = load(self._directory, identity=self._identity)
        self.seconds += perf_counter() - began
        require_valid(found)
        return found

    def part(self, basis: Basis) -> Part | None:
        """What the files ask for that changed since they were applied, and those that depend on them; `None`
        where that cannot be told without all of them.
        """
        from reconciler.source.part import read_part

        if self.prints is None:
            return None
        began = perf_counter()
        try:
            with collector.paused():
                return read_part(self.prints, basis, lambda name: files.read(self._found[name]))
        except files.UnreadableError:
            return None
        finally:
            self.seconds += perf_counter() - began

    def check(self) -> None:
        """Raise `SourceError` where the files have errors."""
        assert self.state is not None
