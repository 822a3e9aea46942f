"""The safety rules: what a plan may not do without being told so, each with its own acknowledgement.

All are judged on the applied state, so that one change cannot remove a protection and what it protected.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Adopt, Change, Conflict, Create, Deactivate, Refusal, Update
from reconciler.core.references import used_by_model
from reconciler.core.state import Applied, Desired, DesiredState, Observed, RegistryState
from reconciler.errors import UsageError

# A plan that switches off more than this share of the active models is suspicious, where there are enough
# of them for a share to mean something.
LARGEST_SHARE = 0.30
FEWEST_MODELS = 10
# A vanished provider with fewer active models than this is an ordinary edit.
FEWEST_VANISHED = 2

ACKNOWLEDGEMENTS = ("deactivate", "provider", "empty", "empty-file", "protected", "moved-source")


def check_acknowledgements(accept: Iterable[str]) -> None:
    """Refuse an acknowledgement that names no rule: raise `UsageError`.

    >>> check_acknowledgements(["deactivate=41", "empty"])
    """
    for given in accept:
        name, equals, value = given.partition("=")
        takes_value = name not in {"empty", "moved-source"}
        is_number = value.isascii() and value.isdigit()
        is_wrong = takes_value != bool(equals and value) or (name == "deactivate" and not is_number)
        if name not in ACKNOWLEDGEMENTS or is_wrong:
            raise UsageError(
                f"--accept {given} names no safety rule.",
                code="bad-acknowledgement",
                hint="use deactivate=N, provider=NAME, empty, empty-file=NAME, protected=ADDRESS or "
                "moved-source",
            )


def refusals(
    changes: Sequence[Change],
    conflicts: Sequence[Conflict],
    desired: DesiredState,
    registry: RegistryState,
    *,
    accept: Iterable[str] = (),
) -> tuple[Refusal, ...]:
    """What stands against these changes and was not acknowledged."""
    accepted = set(accept)
    leaving = [change for change in changes if isinstance(change, Deactivate)]
    found = (
        *_conflicting(conflicts),
        *_moved(desired, registry),
        *_empty(desired, registry),
        *_empty_files(desired, registry),
        *_deactivations(leaving, registry),
        *_vanished_providers(leaving, desired, registry),
        *_protected(leaving, registry, accepted),
        *in_use(changes, leaving, registry.observed),
    )
    return tuple(refusal for refusal in found if not refusal.accept or refusal.accept not in accepted)


def _conflicting(conflicts: Sequence[Conflict]) -> Iterable[Refusal]:
    free = tuple(conflict.address for conflict in conflicts if conflict.owner is None)
    if free:
        yield Refusal(
            "ownership",
            f"{some(free)} {_are(free)} in the database already and nobody manages "
            f"{'it' if len(free) == 1 else 'them'}.",
            accept="--adopt",
            addresses=free,
        )
    owners = defaultdict(list)
    for conflict in conflicts:
        if conflict.owner is not None:
            owners[conflict.owner].append(conflict.address)
    for owner, addresses in sorted(owners.items()):
        message = f"{some(addresses)} {_are(addresses)} managed by the source '{owner}'."
        yield Refusal("ownership", message, addresses=tuple(addresses))


def _moved(desired: DesiredState, registry: RegistryState) -> Iterable[Refusal]:
    before, now = registry.record.identity, desired.identity
    if before is None or not registry.applied:
        return
    if (before.origin, before.overlays) != (now.origin, now.overlays):
        was, comes = (
            " with overlays ".join(filter(None, (identity.origin, ", ".join(identity.overlays))))
            for identity in (before, now)
        )
        yield Refusal(
            "moved-source",
            f"this source was last applied from {was} and now comes from {comes}.",
            accept="moved-source",
        )


def _empty(desired: DesiredState, registry: RegistryState) -> Iterable[Refusal]:
    if not desired.entities:
        managed = sum(1 for applied in registry.applied.values() if applied.active)
        yield Refusal(
            "empty-source",
            f"the directory describes nothing at all; {managed} active entities are managed.",
            accept="empty",
        )


def _empty_files(desired: DesiredState, registry: RegistryState) -> Iterable[Refusal]:
    for name, file in sorted(desired.files.items()):
        before = registry.record.files.get(name)
        if not file.defines and before is not None and before.defines:
            yield Refusal(
                "empty-file",
                f"{name} is empty now and defined {len(before.defines)} entities at the last apply.",
                accept=f"empty-file={name}",
                addresses=before.defines,
            )


def _active_models(registry: RegistryState) -> set[Address]:
    """Managed models that were asked to be active and are."""
    return {
        address
        for address, applied in registry.applied.items()
        if address.kind == "model"
        and applied.active
        and (have := registry.observed.get(address)) is not None
        and have.active
    }


def _deactivations(leaving: Sequence[Deactivate], registry: RegistryState) -> Iterable[Refusal]:
    active = _active_models(registry)
    gone = tuple(change.address for change in leaving if change.address in active)
    if len(active) >= FEWEST_MODELS and len(gone) > LARGEST_SHARE * len(active):
        yield Refusal(
            "deactivations",
            f"{len(gone)} of {len(active)} active models would become inactive, more than "
            f"{LARGEST_SHARE:.0%}.",
            accept=f"deactivate={len(gone)}",
            addresses=gone,
        )


def _vanished_providers(
    leaving: Sequence[Deactivate], desired: DesiredState, registry: RegistryState
) -> Iterable[Refusal]:
    models = Counter(address.provider for address in _active_models(registry))
    for change in leaving:
        kind, name = change.address
        if kind != "provider" or change.address in desired.entities or models[name] < FEWEST_VANISHED:
            continue
        yield Refusal(
            "provider-vanished",
            f"the provider {name} has vanished from the files with {models[name]} active models.",
            accept=f"provider={name}",
            addresses=(change.address,),
        )


def _protected(
    leaving: Sequence[Deactivate], registry: RegistryState, accepted: Collection[str]
) -> Iterable[Refusal]:
    """One refusal a protected provider; naming the provider lifts it, and so does naming all that leaves."""
    groups = defaultdict(list)
    for change in leaving:
        kind, key = change.address
        name = {"provider": key, "model": change.address.provider}.get(kind)
        if name is not None and _is_protected(registry.applied.get(Address("provider", name))):
            groups[name].append(change.address)
    for name, addresses in sorted(groups.items()):
        remaining = [address for address in addresses if f"protected={address}" not in accepted]
        if remaining:
            accept = remaining[0] if len(remaining) == 1 else Address("provider", name)
            yield Refusal(
                "protected",
                f"{some(remaining)} would be deactivated and provider:{name} is protected.",
                accept=f"protected={accept}",
                addresses=tuple(remaining),
            )


def _is_protected(applied: Applied | None) -> bool:
    return applied is not None and bool(applied.spec.get("protected"))


def in_use(
    changes: Sequence[Change], leaving: Sequence[Deactivate], observed: Mapping[Address, Observed]
) -> Iterable[Refusal]:
    """Sets and templates that would go while a model of any owner would still use them."""
    going = {change.address for change in leaving if change.address.kind in {"parameters", "template"}}
    if not going:
        return
    users: dict[Address, list[Address]] = {}
    for model, used in _uses_afterwards(changes, observed):
        if used in going:
            users.setdefault(used, []).append(model)
    for address, models in sorted(users.items()):
        message = f"{address} would be deactivated and {some(models)} still {_use(models)} it."
        yield Refusal("in-use", message, addresses=(address, *sorted(models)))


def _uses_afterwards(
    changes: Sequence[Change], observed: Mapping[Address, Observed]
) -> Iterable[tuple[Address, Address]]:
    """Each model that would be active after the changes, with each set and template it would use."""
    changed = {change.address: change for change in changes if change.address.kind == "model"}
    for address, have in observed.items():
        if address.kind != "model":
            continue
        want = _afterwards(changed[address]) if address in changed else None
        spec, active = (want.spec, want.active) if want else (have.spec, have.active)
        if active and not (address in changed and want is None):
            yield from ((address, used) for used in used_by_model(spec))
    for address, change in changed.items():
        if isinstance(change, Create) and change.desired.active:
            yield from ((address, used) for used in used_by_model(change.desired.spec))


def _afterwards(change: Change) -> Desired | None:
    match change:
        case Create() | Update() | Activate() | Adopt() | Deactivate():
            return change.desired


def some(addresses: Sequence[Address], *, shown: int = 3) -> str:
    """The first few addresses, and how many more there are."""
    names = ", ".join(str(address) for address in sorted(addresses)[:shown])
    more = len(addresses) - shown
    return f"{names} and {more} more" if more > 0 else names


def _are(addresses: Sequence[Address]) -> str:
    return "is" if len(addresses) == 1 else "are"


def _use(addresses: Sequence[Address]) -> str:
    return "uses" if len(addresses) == 1 else "use"
