"""Plans for directories of which little has changed: only the files that did are read, and only the rows that
they speak of. Where the plan could be another one than that of the whole, there is none, and all is compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.changes import Create, Deactivate
from reconciler.core.files import Files
from reconciler.core.options import PlanOptions
from reconciler.core.parts import Basis, Part
from reconciler.core.plan import Plan
from reconciler.core.planning import make_plan, used_by
from reconciler.core.prints import Prints
from reconciler.core.registration import Feeling
from reconciler.core.state import DesiredState, RegistryState
from reconciler.store import observe, registering, remembered
from reconciler.store.remembered import Look, Remembered
from reconciler.store.session import Connection

# Beyond so many rows that were changed by hand nothing is gained.
MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Partial:
    """A plan made of a part, which is that of the whole.

    Attributes:
        plan: The plan.
        desired: What it was made from: what the files that changed ask for, and what others said of rows that
            were changed by hand.
        entities: How many entities all files describe.
    """

    plan: Plan
    desired: DesiredState
    entities: int


@dataclass(frozen=True, slots=True)
class _Ground:
    """What was applied last, and the rows that are not as that left them."""

    last: Remembered
    rows: tuple[Address, ...]


def partial(look: Look, files: Files, options: PlanOptions) -> Partial | None:
    """The plan of a directory of which little has changed, inside one view of the database; else `None`."""
    part = part_of(look, files, options)
    return None if part is None else planned(look, part, options)


def part_of(look: Look, files: Files, options: PlanOptions) -> Part | None:
    """The files that changed since the last apply, inside one view of the database; `None` where they alone
    do not say what the plan is.
    """
    prints, source, connection = files.prints, options.source, look.connection
    if prints is None or (last := _last(look, prints, options)) is None:
        return None
    if last.input_digest == prints.digest:
        state = DesiredState({}, {}, last.problems, prints.identity, reader=prints.reader)
        return Part(state, prints, frozenset(), prints.digest)
    basis = Basis(
        digest=str(last.input_digest),
        files=remembered.files(connection, source),
        problems=last.problems,
        definers=lambda names: remembered.definers(connection, source, names),
    )
    return files.part(basis)


def planned(look: Look, part: Part, options: PlanOptions) -> Partial | None:
    """The plan of a part, inside one view of the database or under the lock; `None` where there was an apply
    since it was read, or the plan depends on more.
    """
    last = _last(look, part.prints, options)
    if last is None or last.input_digest != part.basis_digest:
        return None
    rows = look.rows
    if rows is None or len(rows) > MOST_ROWS:
        return None
    return _planned(look.connection, part, _Ground(last, rows), options)


def _last(look: Look, prints: Prints, options: PlanOptions) -> Remembered | None:
    """What the last apply left behind, if these files can be compared with that."""
    last = look.last
    if last is None or last.input_digest is None or not last.is_whole:
        return None
    # What is held is told in every plan, with values that have to be read; what is left out counts beside it.
    if last.has_overrides or options.no_deactivate:
        return None
    identity = prints.identity
    is_same = (last.reader, last.origin, last.overlays) == (prints.reader, identity.origin, identity.overlays)
    return last if is_same else None


def _planned(connection: Connection, part: Part, ground: _Ground, options: PlanOptions) -> Partial | None:
    source, entities = options.source, part.state.entities
    before = remembered.defined(connection, source, part.state.files)
    names = {str(address) for address in before if address.kind != "model" and "/" not in address.key}
    # What files define no longer is switched off, which the safety rules weigh against everything; what they
    # define under new names, others may define too.
    if names != part.names or not entities.keys() >= before:
        return None
    beside = _with_providers(ground.rows)
    found = _compared(connection, part, beside, options)
    if found is None or _is_lost(found.state, ground.rows):
        return None
    if felt := _felt(connection, found, part, source):
        found = _compared(connection, part, beside | felt, options)
    if found is None or not _is_whole(found.plan):
        return None
    others = len(found.desired.entities) - len(entities)
    plan = replace(
        found.plan,
        unchanged=found.plan.unchanged + ground.last.entities - len(before) - others,
        used_by=_used_by(connection, found),
    )
    return Partial(plan, found.desired, ground.last.entities - len(before) + len(entities))


class _Compared(NamedTuple):
    """A plan for some entities, what it was made from, and what it was compared with."""

    plan: Plan
    desired: DesiredState
    state: RegistryState


def _compared(
    connection: Connection, part: Part, beside: AbstractSet[Address], options: PlanOptions
) -> _Compared | None:
    """A plan for a part, and for what other files said of entities beside it."""
    said = remembered.said(connection, options.source, beside - part.state.entities.keys())
    if said is None:
        return None
    desired = replace(part.state, entities={**said, **part.state.entities})
    state = observe.read_part(connection, options.source, desired.entities.keys())
    return _Compared(make_plan(desired, state, options), desired, state)


def _with_providers(rows: Collection[Address]) -> frozenset[Address]:
    """Rows, and the providers of those that are models: they tell whether a new one has to wait."""
    return frozenset({*rows, *(Address("provider", one.provider) for one in rows if one.kind == "model")})


def _is_lost(state: RegistryState, rows: Collection[Address]) -> bool:
    """Whether a row that others refer to is not there: they may refer to it under another name."""
    return any(address.kind != "model" and address not in state.observed for address in rows)


def _felt(connection: Connection, found: _Compared, part: Part, source: str) -> frozenset[Address]:
    """The source's models, and their providers, that feel what a hand has changed in what they share; those
    of files that changed are there already.
    """
    feeling = _feeling(
        change.address for change in found.plan.changes if change.address not in part.state.entities
    )
    users = registering.read_users(connection, feeling).rows
    return _with_providers([address for address, have in users.items() if have.owner == source])


def _feeling(changed: Iterable[Address]) -> Feeling:
    keys: dict[str, list[str]] = {"provider": [], "parameters": [], "template": [], "model": []}
    for kind, key in changed:
        keys[kind].append(key)
    return Feeling(tuple(keys["provider"]), tuple(keys["parameters"]), tuple(keys["template"]))


def _is_whole(plan: Plan) -> bool:
    """Whether nothing in a plan depends on what it was not made from."""
    noted = plan.bookkeeping
    leaves = any(isinstance(change, Deactivate) for change in plan.changes)
    return not (leaves or plan.refusals or plan.deferred or noted.retired or noted.forgotten)


def _used_by(connection: Connection, found: _Compared) -> dict[Address, int]:
    """How many models use each changed set and template, those that were not looked at included."""
    changed = [change.address for change in found.plan.changes if not isinstance(change, Create)]
    users = registering.read_users(
        connection, _feeling(one for one in changed if one.kind != "provider")
    ).rows
    return used_by(found.plan.changes, replace(found.state, observed={**users, **found.state.observed}))
