"""A part of a directory: the files that changed, with all that depends on them. Apart from the whole, so that
nobody takes the one for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.prints import Prints
from reconciler.core.problem import Problem
from reconciler.core.state import DesiredState


class KnownFile(NamedTuple):
    """A file as it was applied: its sha256, hexadecimal, and what it refers to in other files."""

    sha256: str
    refers_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """What was applied last, as far as reading a part needs it.

    Attributes:
        digest: That of all that was applied.
        files: All files of the source.
        problems: Their warnings.
        definers: Tells which files define something of these addresses.
    """

    digest: str
    files: Mapping[str, KnownFile]
    problems: tuple[Problem, ...]
    definers: Callable[[Collection[str]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some files of a directory, read against a basis.

    Attributes:
        state: What these files ask for, the problems of all files, and these files alone.
        prints: Of the whole directory.
        names: What these files define under names that others may use.
        basis_digest: That of the basis.
    """

    state: DesiredState
    prints: Prints
    names: frozenset[str]
    basis_digest: str
