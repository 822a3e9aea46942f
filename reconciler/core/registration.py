"""Which changes make the stored rows what programs ask for: pure, over the rows that were read and the wishes
for them. Files have a plan of their own; here nothing goes but what is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Change, Create, Deactivate, Update
from reconciler.core.fields import field_changes, is_same
from reconciler.core.problem import Place
from reconciler.core.provider_kind import DEFAULT_PROBE
from reconciler.core.state import Desired, Observed, Spec

if TYPE_CHECKING:  # what programs ask for is none of a plan's business, and takes pydantic
    from reconciler.core.wishes import Wish

# No file says what programs ask for.
_NOWHERE = Place("", 0, 0)
_NO_VALUES: Spec = {}
# Probes that need no question of the kind's: any answer of the endpoint will do, or the model itself answers.
_WITHOUT_A_QUESTION = frozenset({"reach", "generate"})


class Owner(NamedTuple):
    """Whose files own an entity, and where they say so."""

    source: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the registry holds of everything that wishes speak of, or that would feel them.

    Attributes:
        rows: The rows, of any owner.
        owners: Which addresses files own, those whose row is gone included.
    """

    rows: Mapping[Address, Observed]
    owners: Mapping[Address, Owner]

    def more(self, other: Stored) -> Stored:
        """The same with what was read besides."""
        return Stored({**self.rows, **other.rows}, {**self.owners, **other.owners})


class Fault(NamedTuple):
    """One thing that speaks against a registration.

    Attributes:
        about: What it is: values that a provider does not take, something else that cannot be stored, the
            absence of what is named, or activity.
        message: What is wrong, as one sentence.
        hint: What to do about it, if there is something to do.
        address: What it is about.
        code: The error's code, where it is not the one of all errors of its kind.
    """

    about: Literal["values", "registration", "absence", "status"]
    message: str
    hint: str = ""
    address: Address | None = None
    code: str = ""


def merged(wishes: Iterable[Wish]) -> tuple[dict[Address, Wish], tuple[Fault, ...]]:
    """One wish for each entity, and which of them contradict each other.

    >>> from reconciler.core.wishes import Wish
    >>> both = [Wish(Address("provider", "p"), {"kind": kind}) for kind in ("openai", "xai")]
    >>> merged(both)[1][0].message
    'provider:p is given twice with different values: kind'
    """
    found: dict[Address, Wish] = {}
    faults = []
    for wish in wishes:
        earlier = found.setdefault(wish.address, wish)
        if earlier is wish:
            continue
        differing = _differing(earlier, wish)
        if wish.address.kind == "model":
            faults.append(Fault("registration", f"{wish.address} is given twice", address=wish.address))
        elif differing:
            message = f"{wish.address} is given twice with different values: {', '.join(differing)}"
            faults.append(Fault("registration", message, address=wish.address))
        found[wish.address] = earlier._replace(fields={**earlier.fields, **wish.fields})
    return found, tuple(dict.fromkeys(faults))


def _differing(one: Wish, other: Wish) -> list[str]:
    """What two wishes for one entity say differently; what only one says counts where both are whole."""
    if one.is_whole:
        return [change.path for change in field_changes(one.fields, other.fields)]
    both = one.fields.keys() & other.fields.keys()
    left, right = ({name: wish.fields[name] for name in both} for wish in (one, other))
    return [change.path for change in field_changes(left, right)]


def changes_of(wishes: Iterable[Wish], stored: Stored) -> tuple[Change, ...]:
    """What has to be written; nothing where the rows are as they are asked for."""
    rows = stored.rows
    changes = (_change(wish, rows.get(wish.address)) for wish in wishes)
    return tuple(change for change in changes if change is not None)


def _change(wish: Wish, have: Observed | None) -> Change | None:
    address = wish.address
    if have is None:
        if wish.initial is None:
            return None
        spec: Spec = {**wish.initial, **wish.fields}
        if None in spec.values():
            spec = {name: value for name, value in spec.items() if value is not None}
        return Create(address, "code", Desired(address, spec, wish.active is not False, _NOWHERE))
    spec = _after(wish, have)
    active = have.active if wish.active is None else wish.active
    # Whoever says that a model is to be used does not wait for what it is held for.
    is_switched = active != have.active or (wish.active is True and have.hold is not None)
    if not is_switched and is_same(spec, have.spec):
        return None
    desired = Desired(address, spec, active, _NOWHERE)
    if not is_switched:
        return Update(address, "code", (), desired, have)
    if active:
        return Activate(address, "code", (), desired, have)
    return Deactivate(address, "code", (), desired, have, _NOWHERE.file, _NOWHERE.line)


def _after(wish: Wish, have: Observed) -> Spec:
    if wish.is_whole:
        return wish.fields
    spec = {name: value for name, value in {**have.spec, **wish.fields}.items() if value is not None}
    if wish.address.kind == "provider" and spec.get("kind") != have.spec.get("kind"):
        spec.pop("kind_spec", None)
    return spec


def missing(wishes: Iterable[Wish], stored: Stored) -> list[Fault]:
    """Which of the entities that are to be changed are not there."""
    return [
        Fault("absence", f"there is no {wish.address}", "register it first", wish.address)
        for wish in wishes
        if wish.initial is None and wish.address not in stored.rows
    ]


def owned(changes: Iterable[Change], stored: Stored) -> list[tuple[Address, Owner]]:
    """What would be edited though files own it, in the order of the changes."""
    owners = stored.owners
    if not owners:
        return []
    return [(change.address, owners[change.address]) for change in changes if change.address in owners]


@dataclass(frozen=True, slots=True)
class Feeling:
    """Whose models would feel changes of what they share.

    Attributes:
        providers: Providers of another kind than before, or whose new models wait no longer.
        parameters: Parameter sets with other values.
        templates: Templates that change.
    """

    providers: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.providers or self.parameters or self.templates)


def felt(changes: Iterable[Change]) -> Feeling:
    """Which changes other models feel than those that are asked for; a new entity has none."""
    keys: dict[str, list[str]] = {"provider": [], "parameters": [], "template": []}
    for change in changes:
        kind, key = change.address
        if isinstance(change, Create) or kind == "model":
            continue
        if kind != "provider" or _has_other_kind(change) or _waits_no_longer(change):
            keys[kind].append(key)
    return Feeling(tuple(keys["provider"]), tuple(keys["parameters"]), tuple(keys["template"]))


def _has_other_kind(change: Change) -> bool:
    before, after = _specs(change)
    return after.get("kind") != before.get("kind")


def _waits_no_longer(change: Change) -> bool:
    before, after = _specs(change)
    return activation_of(before) == "verified" != activation_of(after)


def _specs(change: Change) -> tuple[Spec, Spec]:
    """An entity's values before a change and after; nothing where it is new, or keeps its own."""
    if isinstance(change, Create) or change.desired is None:
        return {}, {}
    return change.observed.spec, change.desired.spec


def activation_of(provider: Spec) -> str | None:
    """When a provider says that its new models become active; `None` where it says nothing."""
    verification = provider.get("verification")
    return verification.get("activation") if isinstance(verification, Mapping) else None


def probe_of(provider: Spec) -> str:
    """What a provider's models are asked."""
    verification = provider.get("verification")
    probe = verification.get("probe") if isinstance(verification, Mapping) else None
    return str(probe or DEFAULT_PROBE)


def let_go(changes: Iterable[Change], stored: Stored) -> tuple[Change, ...]:
    """The changes, and those of models that wait for what their provider asks for no more."""
    changes = tuple(changes)
    providers = {
        change.address.key
        for change in changes
        if change.address.kind == "provider" and _waits_no_longer(change)
    }
    if not providers:
        return changes
    changed = {change.address for change in changes}
    waiting = [
        (address, have)
        for address, have in stored.rows.items()
        if address.kind == "model"
        and address.provider in providers
        and address not in changed
        and (have.hold, have.owner) == ("pending", None)
    ]
    return (*changes, *(activated(address, have) for address, have in waiting))


def activated(address: Address, have: Observed) -> Change:
    """What lets a model go that is on hold."""
    return Activate(address, "code", (), Desired(address, have.spec, True, _NOWHERE), have)
