"""The three states that a plan compares: desired (the files), applied (what this source wrote last) and
observed (the database).

A *spec* is an entity's content in canonical form: a mapping with JSON values in which an unset field is
absent, a default is absent (`mode` aside), lists without order are sorted, and numbers that the database
holds as floats are floats. Two specs are equal exactly where nothing would change.

    provider    kind, kind_spec, description, base_url, credentials ("none" or {name: reference}),
                verification, labels, protected (only if true)
    parameters  description, use_case, labels and the parameter fields
    template    provider, description, labels, system_prompt, context_prefix, query_prefix, answer_prefix
    model       parameters, prompt_template, mode, version, limits, capabilities, labels
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reconciler.core.address import Address
from reconciler.core.problem import Place, Problem

if TYPE_CHECKING:
    from reconciler.core.provider_kind import ProviderKind

Spec = Mapping[str, Any]
Hold = Literal["pending", "failing"]


class Desired(NamedTuple):
    """What the files ask of one entity.

    `active` is the entity's own wish and its provider's: a model of an inactive provider is inactive.
    """

    address: Address
    spec: Spec
    active: bool
    place: Place


class Applied(NamedTuple):
    """What this source wrote last about one entity, and where its files said so.

    A `retired` one is known to have left the files: it stays ours and inactive, whatever becomes of its row.
    """

    spec: Spec
    active: bool
    file: str
    line: int
    retired: bool = False


class Observed(NamedTuple):
    """What the database holds of one entity.

    Attributes:
        spec: The canonical spec of the real columns.
        active: `is_active`, or on hold: a hold is verification's and agrees with files that want it active.
        hold: Why it is not usable though it should be, or nothing.
        id: The row's key.
        seen: The row's version (`xmin`), which a write must still find.
        owner: The source that manages it; `None` where nobody does.
    """

    spec: Spec
    active: bool
    hold: Hold | None
    id: int
    seen: str
    owner: str | None


class SourceFile(NamedTuple):
    """One file of the source.

    Attributes:
        sha256: Its digest, hexadecimal.
        defines: The addresses it defines, sorted.
        refers_to: What it names that other files may define, sorted: addresses, and `kind:NAME`.
    """

    sha256: str
    defines: tuple[Address, ...]
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a source comes from: a change of it is suspicious (`moved-source`).

    Attributes:
        origin: The Git remote and the directory within it, or else the directory's own name.
        overlays: The overlays in order, named in the same way.
        revision: The commit, where there is one; not part of what is compared.
    """

    origin: str
    overlays: tuple[str, ...] = ()
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that one directory says.

    Attributes:
        entities: What it asks for.
        files: Its files.
        problems: What was wrong or suspicious in them.
        identity: Where it comes from.
        kinds: The kinds that its providers use.
        reader: What read the files, as `Prints` has it; empty where nothing is known of that.
    """

    entities: Mapping[Address, Desired]
    files: Mapping[str, SourceFile]
    problems: tuple[Problem, ...]
    identity: Identity
    kinds: Mapping[str, ProviderKind] = field(default_factory=dict)
    reader: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many entities there are of each kind, inline ones included."""
        counts = {"provider": 0, "parameters": 0, "template": 0, "model": 0}
        for address in self.entities:
            counts[address.kind] += 1
        return counts


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What the database remembers of a source besides its entities."""

    identity: Identity | None = None
    files: Mapping[str, SourceFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistryState:
    """What the database holds, read in one statement: all rows, ours and not.

    Attributes:
        observed: The rows, of any owner.
        applied: What this source wrote last.
        record: What is remembered of this source besides its entities.
        generation: The registry's generation.
        elsewhere: Who manages an address that has no row any more, where that is another source.
    """

    observed: Mapping[Address, Observed]
    applied: Mapping[Address, Applied]
    record: SourceRecord
    generation: int
    elsewhere: Mapping[Address, str] = field(default_factory=dict)
