"""What a probe found, as a closed set, and what that means for a model's status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from reconciler.core.address import Address
from reconciler.core.provider_kind import ProbeLevel

Outcome = Literal[
    "ok",
    "auth_failed",
    "forbidden",
    "model_not_found",
    "model_withdrawn",
    "quota_exhausted",
    "rate_limited",
    "overloaded",
    "timeout",
    "unreachable",
    "wrong_region",
    "probe_invalid",
    "unprobeable",
    "bad_response",
    "skipped",
    "secret_missing",
    "refused_host",
    "refused_reference",
    "model_mismatch",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# Only these say that the model, as configured, cannot be used; everything else may pass by itself or says
# nothing about the model.
DEFINITIVE_FAILURES: frozenset[Outcome] = frozenset(
    {"auth_failed", "forbidden", "model_not_found", "model_withdrawn", "model_mismatch"}
)

Status = Literal["unverified", "pending", "verified", "degraded", "failing", "unprobeable"]

# A redacted detail is never longer than this; whole answers are never kept.
DETAIL_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of verifying one model.

    Attributes:
        address: The model.
        outcome: What was found.
        probe: The level that was asked for.
        http_status: The status of the answer that decided, if there was one.
        latency_ms: How long that answer took, in milliseconds.
        detail: A redacted explanation of at most 500 characters, with what to do.
        provider_code: The provider's own error code, if it gave one.
        retry_after: Seconds that the provider asked us to wait.
        answered_by: The model name that answered, where it said so.
        refused_parameters: Our names of the parameters that the provider refused.
        cached: Whether it is an earlier result that still counts; nothing was asked.
    """

    address: Address
    outcome: Outcome
    probe: ProbeLevel
    http_status: int | None = None
    latency_ms: int | None = None
    detail: str = ""
    provider_code: str | None = None
    retry_after: float | None = None
    answered_by: str | None = None
    refused_parameters: tuple[str, ...] = ()
    cached: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether it is definitive and bad: the model cannot be used as it is configured."""
        return self.outcome in DEFINITIVE_FAILURES
