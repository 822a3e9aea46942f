"""The contract for machines: every answer as one JSON document, `"format": 1` first. Fields are only ever
added. All of it is ASCII, so that no terminal takes a value for a command.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from reconciler.core.changes import Change
from reconciler.core.health import Health
from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
from reconciler.core.outcome import Result
from reconciler.core.overrides import LiveOverride, ShownOverride
from reconciler.core.plan import Applied, Plan, action_of
from reconciler.core.problem import Problem, has_errors
from reconciler.core.rehearsal import PlannedProbe, totals
from reconciler.core.schema_secrets import shareable, shareable_fields
from reconciler.errors import ProviderConfigError, SourceError
from reconciler.report import plan_text
from reconciler.report.results_text import all_counts
from reconciler.report.values import presentable

FORMAT = 1


def document(fields: Mapping[str, Any]) -> str:
    """One document, its `format` first; each field has a line and each item of a list its own.

    >>> print(document({"url": "postgresql://"}))
    {
      "format": 1,
      "url": "postgresql://"
    }
    """
    lines = (f"  {_compact(name)}: {_value(value)}" for name, value in {"format": FORMAT, **fields}.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def pretty(value: Any) -> str:
    """A value as it is, indented, with nothing added: for documents that have a format of their own."""
    return json.dumps(value, indent=2)


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)) and value:
        return "[\n    " + ",\n    ".join(map(_compact, value)) + "\n  ]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, default=_plain, allow_nan=False).replace("\x7f", r"\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return moment(value)
    return str(value)


def moment(at: datetime | None) -> str | None:
    """A moment in UTC, as RFC 3339 writes it."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def validation(found: Sequence[Problem], counts: Mapping[str, int]) -> str:
    """The answer of `validate`."""
    return document(
        {
            "valid": not has_errors(found),
            "entities": dict(counts),
            "problems": [problem(one) for one in found],
        }
    )


def problem(one: Problem) -> dict[str, Any]:
    """One problem of the files."""
    return {
        "severity": one.severity,
        "code": one.code,
        **one.place._asdict(),
        "path": one.path,
        "message": one.message,
        "hint": one.hint,
        "related": [{**related.place._asdict(), "message": related.message} for related in one.related],
    }


def plan(found: Plan) -> str:
    """The answer of `plan` and of `drift`."""
    return document(_plan(found))


def _plan(found: Plan) -> dict[str, Any]:
    refusals = [{"rule": one.rule, "message": one.message, "accept": one.accept} for one in found.refusals]
    fields = {
        "source": found.source,
        "revision": found.revision,
        "summary": found.summary,
        "changes": [change(one, found.used_by.get(one.address, 0)) for one in found.changes],
        "deferred": [change(one, found.used_by.get(one.address, 0)) for one in found.deferred],
        "problems": [problem(one) for one in found.problems],
        "refusals": refusals,
        "digest": found.digest,
        "overrides": [shown_override(one) for one in found.overrides],
    }
    if found.verification is None:
        return fields
    return {**fields, "verification": [result(one) for one in found.verification]}


def override(one: LiveOverride) -> dict[str, Any]:
    """One override: what is held of which model, until when, why and by whom."""
    return {
        "address": str(one.address),
        "fields": shareable("fields", one.fields),
        "until": moment(one.ends_at),
        "reason": shareable("reason", one.reason),
        "actor": one.actor,
        "starts_at": moment(one.starts_at),
    }


def shown_override(one: ShownOverride) -> dict[str, Any]:
    """The same with what is stored under it, and which of its fields a plan changes besides."""
    changes = [presentable(change)._asdict() for change in one.changes]
    return {**override(one), "changes": changes, "hidden": list(one.hidden)}


def change(one: Change, used_by: int) -> dict[str, Any]:
    """One change of a plan."""
    place = plan_text.place(one)
    return {
        "action": action_of(one),
        "address": str(one.address),
        "cause": one.cause,
        "fields": [presentable(field)._asdict() for field in one.fields],
        "file": place.file,
        "line": place.line,
        "used_by": used_by,
    }


def applied(done: Applied, failure: ProviderConfigError | None = None) -> str:
    """The answer of `apply`: the plan, what was done and what was found.

    A `failure` after the commit is told beside what was done, for it was done.
    """
    fields = {
        **_plan(done.plan),
        "run": done.run,
        "applied": all_counts(done.counts),
        "verification": [result(one) for one in done.verification],
        "seconds": _seconds(done.seconds),
    }
    if done.plan.verification is not None:
        fields["verified_first"] = [result(one) for one in done.plan.verification]
    return document({**fields, "error": _error(failure)} if failure else fields)


def _seconds(stages: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(stages.get(stage, 0.0), 3) for stage in ("load", "plan", "apply", "verify")}


def result(one: Result) -> dict[str, Any]:
    """What verifying one model found."""
    return {
        "address": str(one.address),
        "outcome": one.outcome,
        "probe": one.probe,
        "http_status": one.http_status,
        "latency_ms": one.latency_ms,
        "detail": one.detail,
        "provider_code": one.provider_code,
        "retry_after": one.retry_after,
        "answered_by": one.answered_by,
        "refused_parameters": list(one.refused_parameters),
        "cached": one.cached,
    }


def verification(
    results: Iterable[Result], seconds: float, failure: ProviderConfigError | None = None
) -> str:
    """The answer of `verify`; a `failure` that cut it short is told beside what is known."""
    fields = {"verification": [result(one) for one in results], "seconds": round(seconds, 3)}
    return document({**fields, "error": _error(failure)} if failure else fields)


def rehearsal(planned: Sequence[PlannedProbe]) -> str:
    """The answer of `verify --dry-run`."""
    probes = [
        {
            "address": str(one.address),
            "probe": one.probe,
            "host": one.host,
            "calls": list(one.calls),
            "tokens": one.tokens,
            "reason": one.reason,
        }
        for one in planned
    ]
    return document({"probes": probes, "totals": asdict(totals(planned))})


def models(listed: Iterable[ListedModel]) -> str:
    """The answer of `list`."""
    return document({"models": [_model(model) for model in listed]})


def _model(model: ListedModel) -> dict[str, Any]:
    return {
        "address": str(model.address),
        "provider": model.address.provider,
        "model_id": model.address.model_id,
        "is_active": model.is_active,
        "status": model.status,
        "last_verified": moment(model.last_verified),
        "parameters": shareable_fields(model.parameters),
        "prompt_template": model.prompt_template,
        "managed_by": model.managed_by,
        "kind": model.kind,
        "mode": model.mode,
        "hold": model.hold,
        "labels": shareable("labels", model.labels),
        "outcome": model.outcome,
        "failures": model.failures,
        "checked_at": moment(model.checked_at),
        "override": None if model.override is None else override(model.override),
    }


def entity(found: ShownEntity) -> str:
    """The answer of `show`."""
    return document(
        {
            "address": str(found.address),
            "spec": shareable_fields(found.spec),
            "is_active": found.is_active,
            "usable": found.usable,
            "hold": found.hold,
            "managed_by": found.managed_by,
            "file": found.file,
            "line": found.line,
            "created_at": moment(found.created_at),
            "updated_at": moment(found.updated_at),
            "used_by": list(found.used_by),
            "status": found.status,
            "outcome": found.outcome,
            "detail": found.detail,
            "last_verified": moment(found.last_verified),
            "probe": found.probe,
            "checked_at": moment(found.checked_at),
            "failures": found.failures,
            "next_due": moment(found.next_due),
            "health": None if found.health is None else _windows(found.health),
            "override": None if found.override is None else shown_override(found.override),
        }
    )


def _windows(health: Mapping[str, Health]) -> dict[str, dict[str, Any]]:
    return {name: _health(one) for name, one in health.items()}


def _health(one: Health) -> dict[str, Any]:
    return {
        "uptime": None if one.uptime is None else round(one.uptime, 6),
        "probes": one.probes,
        "p50_ms": one.p50_ms,
        "p95_ms": one.p95_ms,
        "up": one.up,
        "down": one.down,
    }


def history(events: Iterable[Event], runs: Iterable[Run]) -> str:
    """The answer of `history`."""
    return document({"events": [_event(event) for event in events], "runs": [_fields(run) for run in runs]})


def _event(event: Event) -> dict[str, Any]:
    rows = {"before": event.before, "after": event.after}
    shown = {name: None if row is None else shareable_fields(row) for name, row in rows.items()}
    return {**_fields(event), **shown, "reason": shareable("reason", event.reason)}


def _fields(value: Event | Run) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def error(failure: ProviderConfigError) -> str:
    """What any verb answers that fails before its answer; bad files add their problems."""
    return document({"error": _error(failure)})


def _error(failure: ProviderConfigError) -> dict[str, Any]:
    fields: dict[str, Any] = {"code": failure.code, "message": failure.message, "hint": failure.hint or ""}
    if isinstance(failure, SourceError):
        fields["problems"] = [problem(one) for one in failure.problems]
    return fields
