"""Values as the engine would hand them to a report: one of each change, refusals, results and a trail."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.core.address import Address, parse_address
from reconciler.core.changes import (
    Activate,
    Adopt,
    Change,
    Create,
    Deactivate,
    FieldChange,
    Refusal,
    Update,
)
from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
from reconciler.core.outcome import Result
from reconciler.core.plan import Plan
from reconciler.core.problem import Place, Problem, Related
from reconciler.core.state import Desired, Observed

WHEN = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
MODEL = "model:openai/gpt-4o"

# What a file, a database or a provider may hold, and what no terminal and no page may obey.
NASTY = "a\x1b[31m`b`|<script>@team \u202e[x](https://evil.example)\r\nnext\x9b\x7f"


def desired(address: str = MODEL, *, line: int = 12, active: bool = True, **spec: object) -> Desired:
    kind = parse_address(address).kind
    file = "openai.yaml" if kind in {"model", "provider"} else "shared.yaml"
    return Desired(parse_address(address), spec, active=active, place=Place(file, line, 3))


def observed(*, active: bool = True) -> Observed:
    return Observed({}, active=active, hold=None, id=1, seen="7", owner="default")


def create(address: str = MODEL, *, active: bool = True, **spec: object) -> Create:
    chosen = spec or {"mode": "chat", "parameters": "base"}
    return Create(parse_address(address), "files", desired(address, active=active, **chosen))


def update(address: str = "parameters:base", *fields: FieldChange, cause: str = "files") -> Update:
    chosen = fields or (FieldChange("temperature", 0.7, 0.9),)
    return Update(parse_address(address), cause, chosen, desired(address), observed())


def activate(address: str = "model:openai/gpt-4") -> Activate:
    fields = (FieldChange("is_active", before=False, after=True),)
    return Activate(parse_address(address), "both", fields, desired(address), observed(active=False))


def deactivate(address: str = "model:openai/gpt-3", *, gone: bool = True) -> Deactivate:
    fields = (FieldChange("is_active", before=True, after=False),)
    wanted = None if gone else desired(address)
    return Deactivate(parse_address(address), "files", fields, wanted, observed(), "openai.yaml", 30)


def adopt(address: str = "provider:openai") -> Adopt:
    return Adopt(parse_address(address), "files", (), desired(address, line=3), observed())


EVERY_CHANGE = (create(), update(), activate(), adopt(), deactivate())


def plan(
    *changes: Change,
    deferred: tuple[Change, ...] = (),
    refusals: tuple[Refusal, ...] = (),
    problems: tuple[Problem, ...] = (),
    unchanged: int = 42,
    used_by: dict[Address, int] | None = None,
) -> Plan:
    return Plan(
        source="default",
        revision=None,
        changes=changes,
        deferred=deferred,
        unchanged=unchanged,
        refusals=refusals,
        problems=problems,
        used_by=used_by or {},
        digest="d1gest",
    )


TYPO = Problem(
    "error",
    "unknown-field",
    Place("openai.yaml", 7, 9),
    "parameters.base.temperatur",
    "'temperatur' is no field of a parameter set",
    "did you mean temperature?",
    (Related(Place("shared.yaml", 3, 1), "the set starts here"),),
)
UNUSED = Problem(
    "warning", "unused", Place("shared.yaml", 9, 3), "templates.old", "nothing uses template old"
)


def result(address: str = MODEL, outcome: str = "ok", **more: object) -> Result:
    fields = {"http_status": 200, "latency_ms": 84, "detail": "the model answered"} | more
    return Result(parse_address(address), outcome, "model", **fields)


def listed(address: str = MODEL, **more: object) -> ListedModel:
    fields = {
        "kind": "openai",
        "is_active": True,
        "hold": None,
        "status": "verified",
        "last_verified": WHEN,
        "parameters": {"name": "base", "temperature": 0.7},
        "prompt_template": "assistant",
        "managed_by": "default",
        "labels": {"team": "rag"},
        "mode": "chat",
    } | more
    return ListedModel(address=parse_address(address), **fields)


def shown(**more: object) -> ShownEntity:
    fields = {
        "address": parse_address(MODEL),
        "spec": {"parameters": "base", "mode": "chat"},
        "is_active": True,
        "usable": True,
        "hold": None,
        "managed_by": "default",
        "file": "openai.yaml",
        "line": 12,
        "created_at": WHEN,
        "updated_at": WHEN,
        "status": "verified",
        "outcome": "ok",
        "detail": "the model answered",
        "last_verified": WHEN,
    } | more
    return ShownEntity(**fields)


def event(**more: object) -> Event:
    fields = {
        "id": 5,
        "at": WHEN,
        "transaction": 900,
        "run": 17,
        "source": "default",
        "database_user": "llm",
        "actor": "alice",
        "application": "reconciler",
        "client": None,
        "action": "update",
        "address": "parameters:base",
        "before": {"temperature": 0.7},
        "after": {"temperature": 0.9},
        "cause": "files",
        "reason": None,
    } | more
    return Event(**fields)


def run(**more: object) -> Run:
    fields = {
        "id": 17,
        "source": "default",
        "started_at": WHEN,
        "finished_at": WHEN,
        "succeeded": True,
        "revision": "0123456789abcdef",
        "actor": "alice",
        "summary": {"create": 2, "deactivate": 1},
        "digest": "d1gest",
        "error": None,
    } | more
    return Run(**fields)
