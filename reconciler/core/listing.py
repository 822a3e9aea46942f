"""What the reading verbs answer with: the registry's models, one entity in full, and its trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.core.address import Address
from reconciler.core.health import Health
from reconciler.core.outcome import Outcome, Status
from reconciler.core.overrides import LiveOverride, ShownOverride
from reconciler.core.provider_kind import ProbeLevel
from reconciler.core.state import Hold, Spec


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of the registry.

    Attributes:
        address: Its address.
        kind: Its provider's kind, empty where nobody registered the provider.
        is_active: Whether it is usable: its own activity, or an override's, and its provider's.
        hold: Why it is not active though it should be, or nothing.
        status: What verification says.
        last_verified: When it last answered well.
        parameters: The parameter set's name and values, `name` first, with an override's values.
        prompt_template: The template's name, if it has one, or an override's.
        managed_by: The source that owns it, `None` where nobody does.
        labels: Its labels.
        mode: What it is for: chat, embedding, …
        outcome: The last outcome; `None` before the first probe.
        failures: Definitive failures in a row.
        checked_at: When the last result was recorded.
        override: What is held away from the stored values now.
    """

    address: Address
    kind: str
    is_active: bool
    hold: Hold | None
    status: Status
    last_verified: datetime | None
    parameters: Mapping[str, Any]
    prompt_template: str | None
    managed_by: str | None
    labels: Mapping[str, str]
    mode: str
    outcome: Outcome | None = None
    failures: int = 0
    checked_at: datetime | None = None
    override: LiveOverride | None = None


@dataclass(frozen=True, slots=True)
class ShownEntity:
    """One entity in full.

    Attributes:
        address: Its address.
        spec: What the database holds of it.
        is_active: Its own `is_active`.
        usable: For a model: its own activity, or an override's, and its provider's; else as `is_active`.
        hold: A model's hold.
        managed_by: The source that owns it.
        file: Where its source said so last.
        line: The line there.
        created_at: When the row was made.
        updated_at: When the row was last changed.
        used_by: Models that use it, sorted: for parameters, templates and providers.
        status: For a model, what verification says.
        outcome: For a model, the last outcome.
        detail: For a model, what the last probe said.
        last_verified: For a model, when it last answered well.
        probe: For a model, the level of the last probe.
        checked_at: For a model, when the last result was recorded.
        failures: For a model, definitive failures in a row.
        next_due: For a model, when it is to be probed again; `None` for at once.
        health: For a model, and for a provider over all of its models, health by window.
        override: For a model, what is held away from the stored values now, beside them.
    """

    address: Address
    spec: Spec
    is_active: bool
    usable: bool
    hold: Hold | None
    managed_by: str | None
    file: str | None
    line: int | None
    created_at: datetime
    updated_at: datetime
    used_by: tuple[str, ...] = ()
    status: Status | None = None
    outcome: Outcome | None = None
    detail: str = ""
    last_verified: datetime | None = None
    probe: ProbeLevel | None = None
    checked_at: datetime | None = None
    failures: int | None = None
    next_due: datetime | None = None
    health: Mapping[str, Health] | None = None
    override: ShownOverride | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a monitoring system is told of the registry.

    Attributes:
        models: The models, by provider and id.
        health: Health by window of each model that was probed within the longest one.
        generation: The registry's generation.
        applied: When each source last applied something, by its name.
        budgets: How many probes generated for each source today (UTC), by its name.
    """

    models: tuple[ListedModel, ...]
    health: Mapping[Address, Mapping[str, Health]] = field(default_factory=dict)
    generation: int = 0
    applied: Mapping[str, datetime] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail, written by the database itself.

    Attributes:
        id: Its number; higher is later within one transaction.
        at: When.
        transaction: The database's transaction number.
        run: The run that did it, `None` for what no run did: verification, or a hand edit.
        source: The source that it was done for, `None` for a hand edit.
        database_user: Who was connected.
        actor: Who the caller claimed to be.
        application: The connection's application name.
        client: The client's network address, `None` on a local socket.
        action: `insert`, `update`, `delete`, `truncate`, `verify` for a change of status, or `override`.
        address: What was changed.
        before: The fields before, only those that changed for an update.
        after: The fields after, only those that changed for an update.
        cause: Why a run did it: `files`, `drift` or `both`; or `code`, where a program did.
        reason: What a person gave as the reason.
    """

    id: int
    at: datetime
    transaction: int
    run: int | None
    source: str | None
    database_user: str
    actor: str | None
    application: str | None
    client: str | None
    action: str
    address: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    cause: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded run: an apply that wrote, or one that failed in the database."""

    id: int
    source: str
    started_at: datetime
    finished_at: datetime | None
    succeeded: bool
    revision: str | None
    actor: str | None
    summary: Mapping[str, int]
    digest: str | None
    error: str | None
