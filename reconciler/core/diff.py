"""The three-way comparison of desired, applied and observed: one pure function over addresses.

Every row of its table of cases is a test. Nothing here knows how states are read or changes are written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.core.address import LEVELS, Address
from reconciler.core.changes import (
    Activate,
    Adopt,
    Cause,
    Change,
    Conflict,
    Create,
    Deactivate,
    FieldChange,
    Update,
)
from reconciler.core.fields import field_changes, is_same
from reconciler.core.state import Applied, Desired, Observed


@dataclass(frozen=True, slots=True)
class Diff:
    """What a comparison found.

    Attributes:
        changes: The changes, in the order in which they are made.
        conflicts: Entities of the files that are in the database and not ours.
        noted: Entities that need no change but whose applied state is behind.
        retired: Addresses that left the files and whose rows are inactive already.
        forgotten: Addresses that are neither desired nor observed any more.
        unchanged: How many desired entities need no change.
    """

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    noted: tuple[Desired, ...]
    retired: tuple[Address, ...]
    forgotten: tuple[Address, ...]
    unchanged: int


def diff(
    desired: Mapping[Address, Desired],
    applied: Mapping[Address, Applied],
    observed: Mapping[Address, Observed],
    *,
    elsewhere: Mapping[Address, str] = MappingProxyType({}),
    source: str = "default",
    adopt: bool = False,
) -> Diff:
    """Name every step from what is stored to what the files ask for; the states are by address.

    Args:
        desired: What the files ask for.
        applied: What this source wrote last.
        observed: What the database holds, of any owner.
        elsewhere: Who manages an address that has no row, where that is another source.
        source: The name that this source's rows are owned under.
        adopt: Whether rows that nobody manages become ours.

    >>> diff({}, {}, {}).changes
    ()
    """
    changes, conflicts, noted = list[Change](), list[Conflict](), list[Desired]()
    for address, want in desired.items():
        if address in elsewhere:
            conflicts.append(Conflict(address, elsewhere[address], want))
            continue
        last = applied.get(address)
        step = _wanted(want, last, observed.get(address), source=source, adopt=adopt)
        if isinstance(step, Conflict):
            conflicts.append(step)
        elif step is not None:
            changes.append(step)
        elif _is_behind(want, last):
            noted.append(want)
    vanished = [address for address in applied if address not in desired]
    return Diff(
        changes=ordered([*changes, *_vanished(vanished, applied, observed)]),
        conflicts=tuple(sorted(conflicts)),
        noted=tuple(noted),
        retired=_inactive_already(vanished, applied, observed),
        forgotten=tuple(sorted(address for address in vanished if address not in observed)),
        unchanged=len(desired) - len(changes) - len(conflicts),
    )


def _wanted(
    want: Desired, last: Applied | None, have: Observed | None, *, source: str, adopt: bool
) -> Change | Conflict | None:
    """The step for an entity of the files."""
    if have is None:
        return Create(want.address, "files" if last is None else "drift", want)
    if have.owner == source:
        return _owned(want, last, have)
    if have.owner is None and adopt:
        return Adopt(want.address, "files", _adopted_fields(want, have), want, have)
    return Conflict(want.address, have.owner, want)


def _owned(want: Desired, last: Applied | None, have: Observed) -> Change | None:
    """The step for an entity that is in the files, in the database and ours."""
    same = is_same(want.spec, have.spec)
    if same and want.active == have.active:
        return None
    fields = () if same else field_changes(have.spec, want.spec)
    because = _cause(want, last, have)
    if want.active == have.active:
        return Update(want.address, because, fields, want, have)
    if want.active:
        return Activate(want.address, because, fields, want, have)
    place = want.place
    return Deactivate(want.address, because, fields, want, have, place.file, place.line)


def _cause(want: Desired, last: Applied | None, have: Observed) -> Cause:
    """Who moved: the files away from what was applied, the database away from it, or both."""
    if last is None or last.retired:
        return "files"
    drifted = have.active != last.active or not is_same(have.spec, last.spec)
    if not drifted:
        return "files"
    moved = want.active != last.active or not is_same(want.spec, last.spec)
    return "both" if moved else "drift"


def _adopted_fields(want: Desired, have: Observed) -> tuple[FieldChange, ...]:
    before = {**have.spec, "is_active": have.active}
    return field_changes(before, {**want.spec, "is_active": want.active})


def _is_behind(want: Desired, last: Applied | None) -> bool:
    """Whether the applied state, or the place in the files, differs from what is now desired."""
    if last is None:
        return True
    if (last.file, last.line, last.active) != (want.place.file, want.place.line, want.active):
        return True
    if last.retired:
        return True
    return not is_same(last.spec, want.spec)


def _vanished(
    addresses: Collection[Address], applied: Mapping[Address, Applied], observed: Mapping[Address, Observed]
) -> list[Change]:
    """Deactivations of what the files speak of no more; inactive rows stay ours and untouched."""
    steps: list[Change] = []
    for address in addresses:
        have, last = observed.get(address), applied[address]
        if have is not None and have.active:
            cause: Cause = "files" if last.active else "drift"
            steps.append(Deactivate(address, cause, (), None, have, last.file, last.line))
    return steps


def _inactive_already(
    addresses: Collection[Address], applied: Mapping[Address, Applied], observed: Mapping[Address, Observed]
) -> tuple[Address, ...]:
    """What left the files after a hand had switched it off: no change, and not drift for ever either."""
    return tuple(
        address
        for address in addresses
        if not applied[address].retired and (have := observed.get(address)) is not None and not have.active
    )


def ordered(changes: Collection[Change]) -> tuple[Change, ...]:
    """Changes in the order of doing: what others refer to first, deactivations last and in reverse.

    >>> ordered([])
    ()
    """
    level = {kind: number for number, kind in enumerate(LEVELS)}

    def position(change: Change) -> tuple[bool, int, str]:
        kind, key = change.address
        leaves = isinstance(change, Deactivate)
        return leaves, -level[kind] if leaves else level[kind], key

    return tuple(sorted(changes, key=position))
