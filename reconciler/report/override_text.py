"""Overrides as plain text: what is held, until when, why and by whom, wherever a model is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.changes import FieldChange
from reconciler.core.listing import Event
from reconciler.core.overrides import LiveOverride, ShownOverride, flat
from reconciler.core.schema_secrets import shareable, shareable_fields
from reconciler.report.escape import printable
from reconciler.report.layout import PLAIN, Style
from reconciler.report.values import field_line, presentable, transition
from reconciler.report.values import shown as shown_value

# From here on the next larger unit says it as well.
_UNITS = (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800), ("d", 86_400, None))


def until(at: datetime) -> str:
    """The end of an override in UTC, to the minute where it is a whole one.

    >>> until(datetime(2026, 11, 24, 6, tzinfo=UTC))
    '2026-11-24T06:00Z'
    """
    utc = at.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ" if utc.second else "%Y-%m-%dT%H:%MZ")


def remaining(at: datetime, now: datetime) -> str:
    """How long it still is until then, in the largest unit of which there are two at least.

    >>> remaining(datetime(2026, 11, 24, 6, tzinfo=UTC), datetime(2026, 11, 24, 0, 10, tzinfo=UTC))
    'in 5 h'
    """
    seconds = int(max(at - now, timedelta()).total_seconds())
    unit, length = next((name, size) for name, size, end in _UNITS if end is None or seconds < end)
    return f"in {seconds // length} {unit}"


def end(at: datetime, now: datetime | None) -> str:
    """Until when, and how long that is where the present is given."""
    return f"until {until(at)}" + ("" if now is None else f" ({remaining(at, now)})")


def held(change: FieldChange) -> str:
    """What is held of one field: `temperature 0.7 -> 0.0`; of what is so anyway, the value alone."""
    path, before, after = presentable(change)
    value = shown_value(after) if before == after else transition(before, after)
    return f"{printable(path)} {value}"


def why(one: LiveOverride) -> str:
    """Why, and who: `incident 4711 (by alice)`."""
    by = f" (by {printable(one.actor)})" if one.actor else ""
    return reason(one.reason) + by


def reason(given: str) -> str:
    """A reason for a screen; a hand may have pasted a key into it."""
    return printable(str(shareable("reason", given)))


def hiding(one: ShownOverride, changer: str = "the files") -> str:
    """What a plan changes though nobody sees it before the end; empty where it changes nothing there."""
    if not one.hidden:
        return ""
    verb = "change" if changer.endswith("s") else "changes"
    names = " and ".join(map(printable, one.hidden))
    return f"{changer} {verb} {names} too; the override hides it until {until(one.ends_at)}"


def section(
    found: Sequence[ShownOverride], style: Style = PLAIN, changer: str = "the files"
) -> Iterator[str]:
    """The section of a plan, if there is anything to show in it."""
    if not found:
        return
    lines = [style.paint(f"Overrides ({len(found):,})", "bold")]
    for one in found:
        lines.append(f"  {line(one)}")
        lines += [f"      {note}" for note in (hiding(one, changer),) if note]
    yield "\n".join(lines)


def line(one: ShownOverride) -> str:
    """One override: `model:a/b until 2026-11-24T06:00Z (in 5 h): temperature 0.7 -> 0.0 - why (by whom)`."""
    values = ", ".join(map(held, one.changes))
    return f"{printable(str(one.address))} {end(one.ends_at, one.seen_at)}: {values} - {why(one)}"


def facts(one: ShownOverride) -> Iterator[tuple[str, str]]:
    """What `show` says of it: its end, why and who; then what is stored and what is held in its place."""
    yield "override", f"{end(one.ends_at, one.seen_at)} - {why(one)}"
    yield "held", ", ".join(map(held, one.changes))


# Events of the trail


def event_part(event: Event) -> str:
    """What an event of an override says on its line: until when, and what is held."""
    before, after = event.before or {}, event.after or {}
    if event.after is None:
        return f"taken away: {_values(before)}" if event.before else "taken away"
    if event.before is None:
        return f"until {_moment(after.get('ends_at'))}: {_values(after)}"
    if "ends_at" in after:
        return f"until {_moment(after['ends_at'])} instead of {_moment(before.get('ends_at'))}"
    return ""


def event_fields(event: Event) -> list[str]:
    """What else changed in an override, which takes a hand; one field a line."""
    if event.before is None or event.after is None:
        return []
    before, after = (_rest(row) for row in (event.before, event.after))
    names = dict.fromkeys((*before, *after))
    return [field_line(FieldChange(name, before.get(name), after.get(name))) for name in names]


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shareable_fields(row).items() if name != "ends_at"}


def _values(row: Mapping[str, Any]) -> str:
    fields = row.get("fields")
    if not isinstance(fields, Mapping):
        return shown_value(shareable("fields", fields))
    parameters = fields.get("parameters")
    found = flat(fields) if isinstance(parameters, Mapping) else dict(fields)
    return ", ".join(
        f"{printable(name)} {shown_value(shareable(name, value))}" for name, value in found.items()
    )


def _moment(text: Any) -> str:
    """A time of the trail, which is text; whatever a hand made of it stays as it is."""
    try:
        return until(datetime.fromisoformat(text))
    except (TypeError, ValueError, OverflowError):
        return printable(str(text))
