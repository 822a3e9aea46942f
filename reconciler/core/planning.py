"""Making the plan: the comparison, what is left out of it, what stands against it, and its digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from reconciler.core.address import Address
from reconciler.core.changes import Change, Deactivate
from reconciler.core.diff import Diff, diff
from reconciler.core.options import PlanOptions
from reconciler.core.overrides import Live
from reconciler.core.overriding import beside
from reconciler.core.plan import Bookkeeping, Plan
from reconciler.core.plan_digest import plan_digest
from reconciler.core.policy import check_acknowledgements, refusals
from reconciler.core.problem import Place
from reconciler.core.references import used_by_model
from reconciler.core.state import Desired, DesiredState, RegistryState


def make_plan(
    desired: DesiredState, registry: RegistryState, options: PlanOptions, live: Live | None = None
) -> Plan:
    """What `apply` would do with these files on this database, beside the overrides that are `live`.

    Raises:
        UsageError: An acknowledgement names no safety rule.
    """
    check_acknowledgements(options.accept)
    found = diff(
        desired.entities,
        registry.applied,
        registry.observed,
        elsewhere=registry.elsewhere,
        source=options.source,
        adopt=options.adopt,
    )
    changes, deferred = _deferred(found.changes, defer=options.no_deactivate)
    against = refusals(changes, found.conflicts, desired, registry, accept=options.accept)
    plan = Plan(
        source=options.source,
        revision=desired.identity.revision,
        changes=changes,
        deferred=deferred,
        unchanged=found.unchanged,
        refusals=against,
        problems=desired.problems,
        used_by=used_by(changes, registry),
        bookkeeping=Bookkeeping(found.noted, found.retired, found.forgotten),
        overrides=beside(live, changes, registry, ours=(registry.applied, desired.entities)),
    )
    return replace(plan, digest=plan_digest(plan))


def make_drift(registry: RegistryState, *, source: str, live: Live | None = None) -> Plan:
    """What would bring the database back to what was applied, whatever the files say by now."""
    wanted = {
        address: Desired(address, last.spec, last.active, Place(last.file, last.line, 1))
        for address, last in registry.applied.items()
        if not last.retired and (last.active or address in registry.observed)
    }
    found: Diff = diff(wanted, registry.applied, registry.observed, source=source)
    plan = Plan(
        source=source,
        revision=None,
        changes=found.changes,
        deferred=(),
        unchanged=found.unchanged,
        refusals=(),
        problems=(),
        used_by=used_by(found.changes, registry),
        overrides=beside(live, found.changes, registry, ours=(registry.applied,)),
    )
    return replace(plan, digest=plan_digest(plan))


def _deferred(changes: Sequence[Change], *, defer: bool) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    if not defer:
        return tuple(changes), ()
    kept = tuple(change for change in changes if not isinstance(change, Deactivate))
    return kept, tuple(change for change in changes if isinstance(change, Deactivate))


def used_by(changes: Sequence[Change], registry: RegistryState) -> dict[Address, int]:
    """How many models will use each changed set and template, those of other owners included."""
    shared = {change.address for change in changes if change.address.kind in {"parameters", "template"}}
    if not shared:
        return {}
    specs: dict[Address, Mapping[str, Any]] = {
        address: have.spec for address, have in registry.observed.items() if address.kind == "model"
    }
    for change in changes:
        if change.address.kind == "model" and change.desired is not None:
            specs[change.address] = change.desired.spec
    counts = Counter(chain.from_iterable(map(used_by_model, specs.values())))
    return {address: counts[address] for address in shared}


def touched(plan: Plan, desired: DesiredState) -> frozenset[Address]:
    """The models that an apply touched: their own row, or what they are made of."""
    changed = {change.address for change in plan.changes if change.desired is not None}
    return frozenset(
        address
        for address, entity in desired.entities.items()
        if address.kind == "model"
        and entity.active
        and (
            address in changed
            or Address("provider", address.provider) in changed
            or any(used in changed for used in used_by_model(entity.spec))
        )
    )
