"""The registry's tables as SQLAlchemy classes, for programs that read or embed the registry through the ORM.

`Base.metadata.create_all(engine)` on an empty database makes what the migrations make, triggers and all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, FetchedValue, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from reconciler.core.state import Hold
from reconciler.store import ddl
from reconciler.store.record_tables import (
    AuditEvent,
    Lease,
    ManagedEntity,
    ModelUsage,
    ModelVerification,
    Override,
    ReconcileRun,
    RegistryRow,
    Source,
    SourceFile,
    VerificationBudget,
    VerificationResult,
)
from reconciler.store.table_types import (
    JSON,
    Base,
    FalseByDefault,
    Generation,
    Labels,
    LongName,
    Made,
    Name,
    Touched,
    TrueByDefault,
    newer_than,
)

__all__ = [
    "AuditEvent",
    "Base",
    "LLMParameters",
    "Lease",
    "ManagedEntity",
    "ModelUsage",
    "ModelVerification",
    "Override",
    "PromptTemplate",
    "Provider",
    "ProviderModelConfig",
    "ReconcileRun",
    "RegistryRow",
    "Source",
    "SourceFile",
    "VerificationBudget",
    "VerificationResult",
]


class Provider(Base):
    """A registered endpoint; its models name it, and are usable only while it is active."""

    __tablename__ = "providers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(unique=True)
    kind: Mapped[Name]
    kind_spec: Mapped[dict[str, Any] | None]
    description: Mapped[str | None]
    base_url: Mapped[str | None]
    credentials: Mapped[dict[str, str] | str | None] = mapped_column(JSON)
    verification: Mapped[dict[str, Any] | None]
    labels: Mapped[Labels]
    protected: Mapped[FalseByDefault]
    is_active: Mapped[TrueByDefault]
    generation: Mapped[Generation]
    created_at: Mapped[Made]
    updated_at: Mapped[Touched]


class LLMParameters(Base):
    """A set of generation parameters; an unset one is left to the provider.

    >>> from sqlalchemy import select
    >>> print(select(LLMParameters.name).where(LLMParameters.temperature > 1))
    SELECT llm_parameters.name...
    """

    __tablename__ = "llm_parameters"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[LongName]
    description: Mapped[str | None]
    use_case: Mapped[str | None]
    labels: Mapped[Labels]
    max_new_tokens: Mapped[int | None]
    min_new_tokens: Mapped[int | None]
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    top_k: Mapped[int | None]
    repetition_penalty: Mapped[float | None]
    frequency_penalty: Mapped[float | None]
    presence_penalty: Mapped[float | None]
    stop_sequences: Mapped[list[str] | None]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    decoding_method: Mapped[str | None]
    reasoning_effort: Mapped[str | None]
    logprobs: Mapped[int | None]
    response_format: Mapped[dict[str, Any] | str | None] = mapped_column(JSON)
    unsupported: Mapped[str | None]
    extra: Mapped[dict[str, Any] | None]
    is_active: Mapped[TrueByDefault]
    generation: Mapped[Generation]
    created_at: Mapped[Made]
    updated_at: Mapped[Touched]

    __table_args__ = (
        CheckConstraint("max_new_tokens >= 1", name="max_new_tokens"),
        CheckConstraint("min_new_tokens >= 0", name="min_new_tokens"),
        CheckConstraint("unsupported IN ('warn', 'drop', 'error')", name="unsupported"),
        newer_than("llm_parameters"),
    )


class PromptTemplate(Base):
    """The fixed texts around a prompt; they are put together, never evaluated.

    >>> PromptTemplate(name="qa", query_prefix="Question:").query_prefix
    'Question:'
    """

    __tablename__ = "prompt_templates"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[LongName]
    provider: Mapped[Name | None]
    description: Mapped[str | None]
    labels: Mapped[Labels]
    system_prompt: Mapped[str | None]
    context_prefix: Mapped[str | None]
    query_prefix: Mapped[str | None]
    answer_prefix: Mapped[str | None]
    is_active: Mapped[TrueByDefault]
    generation: Mapped[Generation]
    created_at: Mapped[Made]
    updated_at: Mapped[Touched]


class ProviderModelConfig(Base):
    """A provider's model, with what it is called with. Usable where it and its provider are active.

    >>> from sqlalchemy import select
    >>> print(select(ProviderModelConfig.model_id).where(ProviderModelConfig.is_active))
    SELECT provider_model_configs.model_id...
    """

    __tablename__ = "provider_model_configs"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[Name]
    provider_name: Mapped[Name]
    is_active: Mapped[TrueByDefault]
    last_verified: Mapped[datetime | None]
    parameters_id: Mapped[int] = mapped_column(ForeignKey(LLMParameters.id, ondelete="CASCADE"), index=True)
    prompt_template_id: Mapped[int | None] = mapped_column(ForeignKey(PromptTemplate.id), index=True)
    mode: Mapped[str] = mapped_column(server_default="chat")
    version: Mapped[str | None]
    limits: Mapped[dict[str, int] | None]
    capabilities: Mapped[list[str] | None]
    labels: Mapped[Labels]
    # Cleared by a trigger where `is_active` is set.
    hold: Mapped[Hold | None] = mapped_column(Text, server_onupdate=FetchedValue())
    generation: Mapped[Generation]
    created_at: Mapped[Made]
    updated_at: Mapped[Touched]

    parameters: Mapped[LLMParameters] = relationship(lazy="joined", innerjoin=True)
    prompt_template: Mapped[PromptTemplate | None] = relationship(lazy="joined")

    __table_args__ = (
        UniqueConstraint("provider_name", "model_id"),
        CheckConstraint("hold IN ('pending', 'failing')", name="hold"),
        CheckConstraint("hold IS NULL OR NOT is_active", name="hold_inactive"),
        newer_than("provider_model_configs"),
    )


ddl.attach(Base.metadata)
