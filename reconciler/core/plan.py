"""The plan: what would be done, in order, what stands against it, and what it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.core.address import Address
from reconciler.core.changes import ACTIONS, Change, Refusal

if TYPE_CHECKING:  # a plan without changes is made in no time, and needs none of these
    from reconciler.core.outcome import Result
    from reconciler.core.overrides import ShownOverride
    from reconciler.core.problem import Problem
    from reconciler.core.state import Desired


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What the next apply notes without calling it a change.

    Attributes:
        noted: Entities whose applied state is behind: someone else already made the row right, or the place
            in the files moved.
        retired: Entities that left the files and are inactive already.
        forgotten: Entities that are neither in the files nor in the database any more.
    """

    noted: tuple[Desired, ...] = ()
    retired: tuple[Address, ...] = ()
    forgotten: tuple[Address, ...] = ()

    @property
    def is_due(self) -> bool:
        """Whether there is anything to note."""
        return bool(self.noted or self.retired or self.forgotten)


@dataclass(frozen=True, slots=True)
class Plan:
    """One ordered plan.

    Attributes:
        source: The source's name.
        revision: The commit of the files, where there is one.
        changes: What would be done, in the order of doing.
        deferred: Deactivations left out by `--no-deactivate`.
        unchanged: How many entities of the files need nothing.
        refusals: What stands against it; a plan with refusals is shown and never applied.
        problems: Warnings of the files.
        used_by: How many models use a changed parameter set or template.
        bookkeeping: What is noted without being a change.
        digest: sha256 over the source, the changes and the refusals: same input, same bytes.
        verification: What probing the changed models found before anything was written; `None` where
            nobody asked for that.
        overrides: What is held away from the stored values when the plan is made, of the source's own models
            first, then of others, by address. No part of the digest: it is nothing that a plan changes.
    """

    source: str
    revision: str | None
    changes: tuple[Change, ...]
    deferred: tuple[Change, ...]
    unchanged: int
    refusals: tuple[Refusal, ...]
    problems: tuple[Problem, ...]
    used_by: Mapping[Address, int] = field(default_factory=dict)
    bookkeeping: Bookkeeping = Bookkeeping()
    digest: str = ""
    verification: tuple[Result, ...] | None = None
    overrides: tuple[ShownOverride, ...] = ()

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each action there are, and how many entities need none."""
        counts: dict[str, int] = dict.fromkeys(ACTIONS, 0)
        for kind, number in Counter(map(type, self.changes)).items():
            counts[_word_for(kind)] = number
        return {**counts, "unchanged": self.unchanged}


def action_of(change: Change) -> str:
    """The word for a change: `create`, `update`, `activate`, `deactivate` or `adopt`."""
    return _word_for(type(change))


def _word_for(kind: type[Change]) -> str:
    return kind.__name__.lower()


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did.

    Attributes:
        plan: The plan that was carried out.
        run: The run's number; `None` where there was nothing to do.
        counts: Rows written, by action.
        verification: What the probes found afterwards.
        seconds: How long each stage took: `load`, `plan`, `apply`, `verify`.
        touched: The active models that are worth verifying now: changed themselves, or in what they are
            made of.
    """

    plan: Plan
    run: int | None
    counts: Mapping[str, int]
    verification: tuple[Result, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    touched: frozenset[Address] = frozenset()
