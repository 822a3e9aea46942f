"""What the registry holds, as plain text: its models, one entity in full, and its trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.changes import FieldChange
from reconciler.core.health import Health
from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
from reconciler.core.problem import Place
from reconciler.core.schema_secrets import shareable_fields
from reconciler.report import block, override_text, text
from reconciler.report.escape import printable
from reconciler.report.layout import PLAIN, Cell, Colour, Style, counted, moment, table
from reconciler.report.results_text import applied_counts
from reconciler.report.values import field_line, field_value

_HEADINGS = ("MODEL", "ACTIVE", "STATUS", "LAST VERIFIED", "PARAMETERS", "TEMPLATE", "MANAGED BY")
_STATUSES: Mapping[str, Colour] = {
    "verified": "green",
    "degraded": "yellow",
    "failing": "red",
    "pending": "cyan",
}


_ALL = 1000
# From here on the next larger unit says it as well.
_UNITS = (("s", 1, 120), ("m", 60, 7_200), ("h", 3_600, 172_800), ("d", 86_400, None))


def models(listed: Sequence[ListedModel], style: Style = PLAIN, *, now: datetime | None = None) -> str:
    """The registry's models as a table and their number; with `now`, how long ago each was verified."""
    if not listed:
        return "No models."
    active = sum(model.is_active for model in listed)
    rows = [_model(model, now) for model in listed]
    headings: tuple[str, ...] = _HEADINGS
    if has_overrides(listed):
        headings = (*_HEADINGS, "OVERRIDE")
        rows = [(*row, _override(model, now)) for row, model in zip(rows, listed, strict=True)]
    lines = table(headings, rows, style)
    return "\n".join((*lines, f"{counted(len(listed), 'model')}, {active:,} active."))


def _model(model: ListedModel, now: datetime | None) -> tuple[Cell, ...]:
    return (
        Cell(printable(str(model.address))),
        Cell(activity(model), "" if model.is_active else "dim"),
        Cell(model.status, _STATUSES.get(model.status, "")),
        Cell(since(model.last_verified, now)),
        Cell(printable(str(model.parameters.get("name", "-")))),
        Cell(printable(model.prompt_template or "-")),
        Cell(printable(model.managed_by or "nobody")),
    )


def has_overrides(listed: Sequence[ListedModel]) -> bool:
    """Whether anything is held away from what is stored, so that it needs a column."""
    return any(model.override is not None for model in listed)


def _override(model: ListedModel, now: datetime | None) -> Cell:
    if model.override is None:
        return Cell("-")
    return Cell(override_text.end(model.override.ends_at, now), "yellow")


def since(at: datetime | None, now: datetime | None) -> str:
    """A moment, and how long ago that is where the present is given."""
    ago = "" if at is None or now is None else f" ({_span(max(now - at, timedelta()))} ago)"
    return moment(at) + ago


def _span(span: timedelta) -> str:
    """A span in the largest unit of which there are two at least."""
    seconds = int(span.total_seconds())
    unit, length = next((name, size) for name, size, end in _UNITS if end is None or seconds < end)
    return f"{seconds // length}{unit}"


def activity(model: ListedModel) -> str:
    """Whether a model is usable, and what holds it back where verification does."""
    return "yes" if model.is_active else f"no ({model.hold})" if model.hold else "no"


def entity(found: ShownEntity) -> str:
    """One entity in full."""
    lines = [printable(str(found.address)), *(f"  {name}: {value}" for name, value in _facts(found))]
    lines += [f"  {line}" for line in block.lines({"spec": shareable_fields(found.spec)})]
    if found.used_by:
        lines += [f"  used by {counted(len(found.used_by), 'model')}:"]
        lines += [f"    {printable(name)}" for name in found.used_by]
    return "\n".join(lines)


def _facts(found: ShownEntity) -> Iterator[tuple[str, str]]:
    yield "active", _activity(found)
    if found.override is not None:
        yield from override_text.facts(found.override)
    yield "managed by", _owner(found)
    if found.status is not None:
        outcome = f", last outcome {found.outcome}" if found.outcome else ""
        yield "verification", f"{found.status}{outcome}, last answered well {moment(found.last_verified)}"
        yield "last probe", _last_probe(found)
    if found.detail:
        yield "detail", printable(found.detail)
    for window, one in (found.health or {}).items():
        yield f"last {window}", health(one)
    yield "created", moment(found.created_at)
    yield "updated", moment(found.updated_at)


def _last_probe(found: ShownEntity) -> str:
    if found.checked_at is None:
        return "never"
    probe, failures = found.probe or "unknown", counted(found.failures or 0, "failure")
    due = "now" if found.next_due is None else moment(found.next_due)
    return f"{probe} at {moment(found.checked_at)}, {failures} in a row, next due {due}"


def health(one: Health) -> str:
    """The figures of one window: `99.8 % up, p50 84 ms, p95 210 ms, 288 probes`."""
    share = one.uptime_per_mille
    up = "-" if share is None else "100 %" if share == _ALL else f"{share // 10}.{share % 10} %"
    latencies = f"p50 {_milliseconds(one.p50_ms)}, p95 {_milliseconds(one.p95_ms)}"
    return f"{up} up, {latencies}, {counted(one.probes, 'probe')}" if one.probes else "no probes"


def _milliseconds(latency: int | None) -> str:
    return "-" if latency is None else f"{latency:,} ms"


def _activity(found: ShownEntity) -> str:
    held = None if found.override is None else found.override.fields.get("is_active")
    if held is not None:
        unusable = ", but not usable: its provider is inactive" if held and not found.usable else ""
        return f"{'yes' if held else 'no'}, by an override{unusable}"
    if found.hold:
        return f"no, on hold: {found.hold}"
    if found.is_active and not found.usable:
        return "yes, but not usable: its provider is inactive"
    return "yes" if found.is_active else "no"


def _owner(found: ShownEntity) -> str:
    if found.managed_by is None:
        return "nobody"
    place = text.where(Place(found.file, found.line or 0, 0)) if found.file else ""
    return printable(found.managed_by) + (f" ({place})" if place else "")


def history(events: Sequence[Event], runs: Sequence[Run], style: Style = PLAIN) -> str:
    """The trail: the runs, then every recorded change, in the order in which they come."""
    sections = [
        "\n".join((style.paint(title, "bold"), *lines))
        for title, lines in (("Runs", list(map(run_line, runs))), ("Changes", list(_events(events))))
        if lines
    ]
    return "\n\n".join(sections) or "No history."


def run_line(run: Run) -> str:
    """One run on one line."""
    ended = applied_counts(run.summary) if run.succeeded else f"failed: {printable(run.error or 'unknown')}"
    actor = f" by {printable(run.actor)}" if run.actor else ""
    revision = f" at {printable(run.revision[:12])}" if run.revision else ""
    return (
        f"  {moment(run.started_at)}  run {run.id}, source {printable(run.source)}{revision}{actor}: {ended}"
    )


def _events(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        yield event_line(event)
        yield from (f"      {line}" for line in event_fields(event))


def event_line(event: Event) -> str:
    """One event on one line: when, what, and who did it how."""
    parts = (
        event.actor or event.database_user,
        event.application and f"with {event.application}",
        event.client and f"from {event.client}",
        event.cause and event.cause != "code" and f"because of {event.cause}",
    )
    what = override_text.event_part(event) if event.action == "override" else ""
    why = event.reason and f"reason: {override_text.reason(event.reason)}"
    who = ", ".join(part for part in (*(printable(part) for part in parts if part), what, why) if part)
    address = printable(event.address)
    return f"  {moment(event.at)}  {event.action} {address} ({_means(event)}, {who})"


def _means(event: Event) -> str:
    if event.run is not None:
        return f"run {event.run}"
    if event.cause == "code":
        return "by code"
    return "by hand" if event.source is None else "verification"


def event_fields(event: Event) -> list[str]:
    """The fields that an event changed, one a line."""
    if event.action == "override":
        return override_text.event_fields(event)
    before, after = shareable_fields(event.before or {}), shareable_fields(event.after or {})
    changes = [FieldChange(path, before.get(path), after.get(path)) for path in _paths(before, after)]
    return [field_value(change) if event.before is None else field_line(change) for change in changes]


def _paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys((*before, *after)))
