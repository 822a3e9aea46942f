"""What is held beside a plan: each override with what is stored under it, and with what the plan would change
there without anybody seeing it before the override ends.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.core.address import Address
from reconciler.core.changes import Change
from reconciler.core.overrides import Live, LiveOverride, ShownOverride, flat, shown
from reconciler.core.state import RegistryState, Spec


def beside(
    live: Live | None,
    changes: Sequence[Change],
    registry: RegistryState,
    *,
    ours: Sequence[Container[Address]] = (),
) -> tuple[ShownOverride, ...]:
    """The overrides as a plan shows them.

    Args:
        live: What is in force; `None` where there can be none.
        changes: What the plan would change.
        registry: What the database holds.
        ours: The source's own entities, whose overrides come first.
    """
    if live is None or not live.overrides:
        return ()
    planned = {change.address: change for change in changes}
    found = (_override(one, live.now, registry, planned) for one in live.overrides)
    return tuple(sorted(found, key=lambda one: (not any(one.address in some for some in ours), one.address)))


def _override(
    one: LiveOverride, now: datetime, registry: RegistryState, planned: Mapping[Address, Change]
) -> ShownOverride:
    before, after = (_values(one.address, registry, changes) for changes in ({}, planned))
    hidden = [name for name in flat(one.fields) if before.get(name) != after.get(name)]
    have = registry.observed.get(one.address)
    if have is not None and have.hold is not None:
        # A hold agrees with files that want the model active, and yet it is not.
        before = {**before, "is_active": False}
    return shown(one, now=now, stored=before, hidden=hidden)


def _values(address: Address, registry: RegistryState, planned: Mapping[Address, Change]) -> dict[str, Any]:
    """What the rows of a model and its set say, or would say after these changes."""
    model, active = _entity(address, registry, planned)
    if model is None:
        return {}
    values, _ = _entity(Address("parameters", str(model.get("parameters"))), registry, planned)
    template = model.get("prompt_template")
    return flat({"is_active": active, "parameters": values, "prompt_template": template})


def _entity(
    address: Address, registry: RegistryState, planned: Mapping[Address, Change]
) -> tuple[Spec | None, bool]:
    change, have = planned.get(address), registry.observed.get(address)
    if change is not None and change.desired is not None:
        return change.desired.spec, change.desired.active
    return (None, False) if have is None else (have.spec, have.active and change is None)
