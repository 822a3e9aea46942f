"""What one file says, compactly: entities with the few places that later stages need. The tree of nodes that
they were read from is gone by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from reconciler.core.provider_kind import ProviderKind
from reconciler.source.places import Fault


class Unset:
    """The type of `UNSET`: nothing is said, which is not the same as `null`."""

    def __reduce__(self) -> str:
        # There is one, in every process.
        return "UNSET"


UNSET: Final = Unset()


class SetRecord(NamedTuple):
    """A parameter set or a template as written: own values, `None` where a file says `null`.

    `shape` are the names of its fields in order, and `marks` the places of each name and value: together they
    find a field's place, and nearly all sets share a handful of shapes.
    """

    at: int
    own: Mapping[str, Any]
    extends: str | None
    shape: tuple[str, ...]
    marks: list[int]

    def at_field(self, name: str, *, value: bool = False) -> int:
        """The packed place of a field's name, or of its value; the set's own where it has no such field."""
        if name not in self.shape:
            return self.at
        return self.marks[2 * self.shape.index(name) + value]


class ModelRecord(NamedTuple):
    """A model as written. `parameters` and `template` are a name, a set of its own, `null` or not said."""

    id: str
    at: int
    active: bool
    spec: dict[str, Any]
    parameters: str | SetRecord | Unset | None = UNSET
    parameters_at: int = 0
    template: str | SetRecord | Unset | None = UNSET
    template_at: int = 0


class ProviderRecord(NamedTuple):
    """A provider as written, with its models and the places of what it refers to."""

    name: str
    at: int
    active: bool
    spec: dict[str, Any]
    kind_at: int
    credentials_at: Mapping[str, int]
    parameters: str | None
    parameters_at: int
    template: str | None
    template_at: int
    activation_at: int
    models: list[ModelRecord]


class KindRecord(NamedTuple):
    """A user's kind."""

    at: int
    kind: ProviderKind


@dataclass(slots=True)
class FileRecord:
    """One file: what it defines, what was wrong, and the names that it would define if it were right."""

    name: str
    providers: dict[str, ProviderRecord] = field(default_factory=dict)
    parameters: dict[str, SetRecord] = field(default_factory=dict)
    templates: dict[str, SetRecord] = field(default_factory=dict)
    kinds: dict[str, KindRecord] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    # Names by section, defined here but not readable, with their places.
    declared: dict[str, dict[str, int]] = field(default_factory=dict)
    # Of a file that could not be read to its end: all words that may be names in it.
    words: frozenset[str] = frozenset()
    is_empty: bool = False
