"""What a plan is made of: the closed set of changes, and what stands against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from reconciler.core.address import Address
from reconciler.core.state import Desired, Observed

# files: the files ask for it; drift: the database was changed behind our back; both: each moved away;
# code: a program asked for it, and never a plan of files.
Cause = Literal["files", "drift", "both", "code"]
Action = Literal["create", "update", "activate", "deactivate", "adopt"]
ACTIONS: tuple[Action, ...] = ("create", "update", "activate", "deactivate", "adopt")


class FieldChange(NamedTuple):
    """One field's value before and after; `None` is unset. `path` is dotted: `labels.team`."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Create:
    """The entity is in the files and not in the database."""

    address: Address
    cause: Cause
    desired: Desired

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """Every field that is set; derived, for a first apply creates tens of thousands."""
        return tuple(FieldChange(name, None, value) for name, value in sorted(self.desired.spec.items()))


@dataclass(frozen=True, slots=True)
class Update:
    """The entity's content changes; its activity does not."""

    address: Address
    cause: Cause
    fields: tuple[FieldChange, ...]
    desired: Desired
    observed: Observed


@dataclass(frozen=True, slots=True)
class Activate:
    """The entity becomes active, and whatever else differs changes with it."""

    address: Address
    cause: Cause
    fields: tuple[FieldChange, ...]
    desired: Desired
    observed: Observed


@dataclass(frozen=True, slots=True)
class Deactivate:
    """The entity becomes inactive: its files say so (`desired` is given) or speak of it no more."""

    address: Address
    cause: Cause
    fields: tuple[FieldChange, ...]
    desired: Desired | None
    observed: Observed
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """A row that nobody manages becomes ours, with the fields that change (`is_active` among them)."""

    address: Address
    cause: Cause
    fields: tuple[FieldChange, ...]
    desired: Desired
    observed: Observed


Change: TypeAlias = Create | Update | Activate | Deactivate | Adopt


class Conflict(NamedTuple):
    """The files ask for an entity that is in the database and not ours; `owner` is `None` where nobody's."""

    address: Address
    owner: str | None
    desired: Desired


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that stands against a plan.

    Attributes:
        rule: Its stable name: `deactivations`, `provider-vanished`, `empty-source`, `empty-file`,
            `protected`, `moved-source`, `in-use`, `ownership`.
        message: What would happen.
        accept: What to pass to `--accept`, or `--adopt`; empty where nothing lifts it.
        addresses: What it speaks of.
    """

    rule: str
    message: str
    accept: str = ""
    addresses: tuple[Address, ...] = ()
