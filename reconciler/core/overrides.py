"""Overrides: values that a person holds away from the stored ones for a time. They are
joined in where models are read, never written into their rows, so nothing has to be done when one ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from reconciler.core.address import Address
from reconciler.core.changes import FieldChange
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.core.schema_secrets import holds_key, may_hold_key
from reconciler.errors import RegistrationError

# What is held for longer is no incident any more, and belongs into the files.
LONGEST = timedelta(days=30)
LONGEST_REASON = 500
# What may be held of a parameter set; what describes the set may not.
VALUES = frozenset((*PARAMETER_FIELDS, "unsupported", "extra"))
_ORDER = ("is_active", *PARAMETER_FIELDS, "unsupported", "extra", "prompt_template")
_PLACES = {name: place for place, name in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True)
class LiveOverride:
    """One override.

    Attributes:
        id: Its row; of several for one model the highest counts.
        address: The model.
        fields: What is held: `is_active`, `parameters` (values by name, `None` for one that is taken away),
            `prompt_template` (a name, or `None` for none). A field that is absent is not held.
        reason: Why, as a person gave it.
        actor: Who, as the caller claimed.
        starts_at: From when.
        ends_at: Until when.
    """

    id: int
    address: Address
    fields: Mapping[str, Any]
    reason: str
    actor: str | None
    starts_at: datetime
    ends_at: datetime

    def counts_at(self, now: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class ShownOverride(LiveOverride):
    """An override in force, beside the stored values that it stands before.

    Attributes:
        seen_at: When it was read, by the database's clock.
        changes: What it puts in the place of what is stored: `is_active`, parameters by name,
            `prompt_template`.
        hidden: Which of these a plan changes besides, so that its change is not seen before the end.
    """

    seen_at: datetime
    changes: tuple[FieldChange, ...]
    hidden: tuple[str, ...] = ()


class Live(NamedTuple):
    """The overrides in force at a moment, by address: of several for one model the one that counts."""

    now: datetime
    overrides: tuple[LiveOverride, ...]


def parameters_under(values: Mapping[str, Any], override: LiveOverride | None) -> dict[str, Any]:
    """The parameters of a model while an override holds: its values over those of the set, `None` for none.

    >>> parameters_under({"temperature": 0.7, "top_k": 5}, None)
    {'temperature': 0.7, 'top_k': 5}
    """
    held = {} if override is None else override.fields.get("parameters") or {}
    return {name: value for name, value in {**values, **held}.items() if value is not None}


def in_force(overrides: Iterable[LiveOverride], now: datetime) -> dict[Address, LiveOverride]:
    """The override that counts at a moment, by model: the newest of those that hold."""
    newest: dict[Address, LiveOverride] = {}
    for one in sorted(overrides, key=lambda one: one.id):
        if one.counts_at(now):
            newest[one.address] = one
    return newest


def readable(found: Any) -> dict[str, Any]:
    """What a row's fields hold, as far as it can be held: a hand may have written anything.

    >>> readable({"is_active": "no", "parameters": {"top_k": None, "heat": 1}})
    {'parameters': {'top_k': None}}
    """
    if not isinstance(found, Mapping):
        return {}
    fields: dict[str, Any] = {}
    if isinstance(found.get("is_active"), bool):
        fields["is_active"] = found["is_active"]
    if isinstance(held := found.get("parameters"), Mapping):
        fields["parameters"] = {name: value for name, value in held.items() if name in VALUES}
    if "prompt_template" in found and isinstance(found["prompt_template"], (str, type(None))):
        fields["prompt_template"] = found["prompt_template"]
    return fields


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is held, or stored, with the parameters beside the rest, in the order in which it is shown.

    >>> flat({"parameters": {"top_k": 5}, "is_active": False})
    {'is_active': False, 'top_k': 5}
    """
    rest = {name: value for name, value in fields.items() if name != "parameters"}
    found = {**rest, **(fields.get("parameters") or {})}
    return {
        name: found[name] for name in sorted(found, key=lambda name: (_PLACES.get(name, len(_ORDER)), name))
    }


def shown(
    override: LiveOverride, *, now: datetime, stored: Mapping[str, Any], hidden: Iterable[str] = ()
) -> ShownOverride:
    """An override beside the stored values, which are `flat`."""
    return ShownOverride(
        id=override.id,
        address=override.address,
        fields=override.fields,
        reason=override.reason,
        actor=override.actor,
        starts_at=override.starts_at,
        ends_at=override.ends_at,
        seen_at=now,
        changes=tuple(
            FieldChange(name, stored.get(name), value) for name, value in flat(override.fields).items()
        ),
        hidden=tuple(hidden),
    )


def end_of(until: object, *, now: datetime) -> datetime:
    """When an override ends that is set now, in UTC.

    Raises:
        RegistrationError: It would not end at a moment that everybody reads alike, in the future, and within
            30 days.

    >>> end_of(timedelta(hours=2), now=datetime(2026, 3, 1, 23, tzinfo=UTC)).isoformat()
    '2026-03-02T01:00:00+00:00'
    """
    if isinstance(until, timedelta):
        left = until
    elif isinstance(until, datetime) and until.utcoffset() is not None:
        left = until - now
    elif isinstance(until, datetime):
        raise _no_end("until has no time zone", "write datetime(…, tzinfo=UTC), or a timedelta")
    else:
        message = f"until must be a datetime or a timedelta, not {type(until).__name__}"
        raise _no_end(message, "write timedelta(hours=2), or a datetime with a time zone")
    if left <= timedelta():
        raise _no_end("until is in the past", "write a later moment, or how long from now on: timedelta(…)")
    if left > LONGEST:
        message = f"until is more than {LONGEST.days} days away"
        raise _no_end(message, "write an earlier moment, and change for good what owns the model")
    return (now + left).astimezone(UTC)


def _no_end(message: str, hint: str) -> RegistrationError:
    return RegistrationError(f"{message}.", code="bad-until", hint=hint, problems=(message,))


def reason_of(given: object) -> str:
    """A reason as it is kept, without spaces around it.

    Raises:
        RegistrationError: It says nothing or too much, or holds what must not be kept; it is not repeated.

    >>> reason_of(" incident 4711 ")
    'incident 4711'
    """
    text = given.strip() if isinstance(given, str) else ""
    if not text:
        raise _no_reason("reason is missing", "say why, such as: incident 4711")
    if len(text) > LONGEST_REASON:
        message = f"reason has {len(text):,} characters; the most is {LONGEST_REASON}"
        raise _no_reason(message, "say it shorter, and where more is to be read")
    if may_hold_key(text) and holds_key(text):
        raise _no_reason("reason holds something of a key's shape", "leave it out; keys are never stored")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise _no_reason("reason holds a character that no database holds", "leave NUL and surrogates out")
    return text


def _no_reason(message: str, hint: str) -> RegistrationError:
    return RegistrationError(f"{message}.", code="bad-reason", hint=hint, problems=(message,))
