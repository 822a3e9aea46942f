"""The tables beside the entities, as SQLAlchemy classes: ownership, sources, runs, verification, the trail.
`tables` offers them all.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from reconciler.core.address import EntityKind
from reconciler.core.changes import Cause
from reconciler.core.outcome import DETAIL_LIMIT, Outcome, Status
from reconciler.core.provider_kind import ProbeLevel
from reconciler.store.table_types import (
    Base,
    Count,
    FalseByDefault,
    Generation,
    Items,
    Key,
    Made,
    Name,
    Total,
)

_KINDS = "kind IN ('provider', 'parameters', 'template', 'model')"
_SHORT_DETAIL = f"length(detail) <= {DETAIL_LIMIT}"


class RegistryRow(Base):
    """The one row that every bulk writer locks, with the generation that each of them raises."""

    __tablename__ = "registry"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    generation: Mapped[Generation]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class ManagedEntity(Base):
    """Who owns an entity, and what was applied to it last."""

    __tablename__ = "managed_entities"

    kind: Mapped[EntityKind] = mapped_column(Text, primary_key=True)
    key: Mapped[Key] = mapped_column(primary_key=True)
    source: Mapped[str]
    spec: Mapped[dict[str, Any]]
    active: Mapped[bool]
    file: Mapped[str]
    line: Mapped[int]
    run: Mapped[int | None] = mapped_column(BigInteger)
    retired: Mapped[FalseByDefault]
    forgotten: Mapped[FalseByDefault]
    # Of the row as an apply left it; see `columns.digest_sql`.
    row_digest: Mapped[int | None] = mapped_column(BigInteger)
    # Of what the files said, so that a run may take it for what they say.
    said_digest: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint(_KINDS, name="kind"),)


class Source(Base):
    """A named owner of entities: where its files come from, and what its last run left behind."""

    __tablename__ = "sources"

    name: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[str]
    overlays: Mapped[Items]
    input_digest: Mapped[str | None]
    state_digest: Mapped[str | None]
    deferred: Mapped[Items]
    warnings: Mapped[Items]
    last_run: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[Made]
    # How many the files describe.
    entities: Mapped[int | None] = mapped_column(Integer)
    # What read them; another one may read the same files differently.
    reader: Mapped[str | None]


class SourceFile(Base):
    """One file of a source as it was read last."""

    __tablename__ = "source_files"

    source: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[Key] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    defines: Mapped[Items]
    refers_to: Mapped[Items]
    problems: Mapped[Items]
    gone: Mapped[FalseByDefault]


class ReconcileRun(Base):
    """One apply that wrote, or one that failed in the database."""

    __tablename__ = "reconcile_runs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str]
    started_at: Mapped[Made]
    finished_at: Mapped[datetime | None]
    succeeded: Mapped[FalseByDefault]
    revision: Mapped[str | None]
    origin: Mapped[str | None]
    actor: Mapped[str | None]
    database_user: Mapped[str] = mapped_column(server_default=text("SESSION_USER"))
    application: Mapped[str | None]
    tool_version: Mapped[str | None]
    summary: Mapped[dict[str, int]] = mapped_column(server_default=text("'{}'"))
    digest: Mapped[str | None]
    generation: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]


class Lease(Base):
    """Who may act alone for a time; the fence number rises with every holder."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str | None]
    fence: Mapped[Generation]
    acquired_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class Override(Base):
    """Fields of an entity that a person holds away from the files for a time."""

    __tablename__ = "overrides"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[EntityKind] = mapped_column(Text)
    key: Mapped[Key]
    fields: Mapped[dict[str, Any]]
    reason: Mapped[str]
    actor: Mapped[str | None]
    starts_at: Mapped[Made]
    ends_at: Mapped[datetime]
    generation: Mapped[Generation]

    __table_args__ = (
        CheckConstraint(_KINDS, name="kind"),
        CheckConstraint("ends_at > starts_at", name="time"),
        Index("overrides_address_idx", "kind", "key", "ends_at"),
    )


class ModelVerification(Base):
    """What verification says of a model now."""

    __tablename__ = "model_verification"

    model_id: Mapped[int] = mapped_column(
        ForeignKey("provider_model_configs.id", ondelete="CASCADE"), primary_key=True
    )
    status: Mapped[Status] = mapped_column(Text, server_default="unverified")
    outcome: Mapped[Outcome | None] = mapped_column(Text)
    probe: Mapped[ProbeLevel | None] = mapped_column(Text)
    failures: Mapped[Count]
    http_status: Mapped[int | None]
    provider_code: Mapped[str | None]
    answered_by: Mapped[str | None]
    latency_ms: Mapped[int | None]
    retry_after: Mapped[float | None]
    detail: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    next_due: Mapped[datetime | None] = mapped_column(index=True)
    claimed_until: Mapped[datetime | None]
    secret_fingerprint: Mapped[str | None]
    parameters_digest: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "status IN ('unverified', 'pending', 'verified', 'degraded', 'failing', 'unprobeable')",
            name="status",
        ),
        CheckConstraint(_SHORT_DETAIL, name="detail"),
    )


class VerificationBudget(Base):
    """How many probes generated for a source on a day (UTC)."""

    __tablename__ = "verification_budgets"

    source: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[Count]

    __table_args__ = (CheckConstraint("used >= 0", name="used"),)


class VerificationResult(Base):
    """One probe's result, partitioned by time; it outlives its model."""

    __tablename__ = "verification_results"

    id: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('verification_results_id_seq')"))
    at: Mapped[Made]
    model_id: Mapped[int]
    address: Mapped[Key]
    source: Mapped[str | None]
    probe: Mapped[ProbeLevel] = mapped_column(Text)
    outcome: Mapped[Outcome] = mapped_column(Text)
    http_status: Mapped[int | None]
    provider_code: Mapped[str | None]
    answered_by: Mapped[str | None]
    latency_ms: Mapped[int | None]
    retry_after: Mapped[float | None]
    detail: Mapped[str | None]

    __table_args__ = (
        PrimaryKeyConstraint("at", "id"),
        CheckConstraint(_SHORT_DETAIL, name="detail"),
        Index("verification_results_model_idx", "model_id", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )


class ModelUsage(Base):
    """What was asked of a model in an hour, and how it ended; sums, never single calls."""

    __tablename__ = "model_usage"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    provider_name: Mapped[Name] = mapped_column(primary_key=True)
    model_id: Mapped[Name] = mapped_column(primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(Text, primary_key=True)
    calls: Mapped[Total]
    input_tokens: Mapped[Total]
    output_tokens: Mapped[Total]
    latency_ms: Mapped[Total]
    longest_ms: Mapped[Count]

    __table_args__ = tuple(
        CheckConstraint(f"{column} >= 0", name=column)
        for column in ("calls", "input_tokens", "output_tokens", "latency_ms", "longest_ms")
    )


class AuditEvent(Base):
    """One line of the trail, partitioned by time; triggers write it, nobody else does."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('audit_events_id_seq')"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    transaction: Mapped[int] = mapped_column(BigInteger)
    run: Mapped[int | None] = mapped_column(BigInteger)
    source: Mapped[str | None]
    database_user: Mapped[str]
    actor: Mapped[str | None]
    application: Mapped[str | None]
    client: Mapped[str | None] = mapped_column(INET)
    action: Mapped[str]
    address: Mapped[Key]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    cause: Mapped[Cause | None] = mapped_column(Text)
    reason: Mapped[str | None]

    __table_args__ = (
        PrimaryKeyConstraint("at", "id"),
        CheckConstraint(
            "action IN ('insert', 'update', 'delete', 'truncate', 'verify', 'override')", name="action"
        ),
        CheckConstraint("cause IN ('files', 'drift', 'both', 'code')", name="cause"),
        Index("audit_events_address_idx", "address", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
