"""What a probe's result means for a model's status: one pure function over values, apart from the probing
and from the storing, so that a table of cases can state it whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.outcome import DEFINITIVE_FAILURES, Outcome, Result, Status
from reconciler.core.provider_kind import PROBE_LEVELS, ProbeLevel

# The cheapest probe whose success refutes a failure: a reachable endpoint says nothing about a key, and a
# good key says nothing about a model.
_REFUTED_BY: dict[Outcome, ProbeLevel] = {"auth_failed": "credential"}
_STRICTEST_REFUTATION: ProbeLevel = "model"


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """What is known of one model's verification.

    Attributes:
        status: What verification says of it.
        failures: Definitive failures in a row, at least 0.
        outcome: The last outcome; `None` before the first probe.
        last_verified: When it last answered well.
    """

    status: Status = "unverified"
    failures: int = 0
    outcome: Outcome | None = None
    last_verified: datetime | None = None


def next_record(
    before: VerificationRecord, result: Result, *, now: datetime, failure_threshold: int
) -> VerificationRecord:
    """What is known after one more result.

    Success verifies. A definitive failure counts, and makes the model `failing` once there are
    `failure_threshold` (at least 1) of them in a row. What cannot be probed becomes `unprobeable` only where
    nothing was known. Every other outcome is transient: it is noted, changes no status and breaks no row.

    >>> from datetime import UTC, datetime
    >>> from reconciler.core.address import model_address
    >>> good = Result(model_address("openai", "gpt-4o"), "ok", "model")
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> next_record(VerificationRecord(), good, now=at, failure_threshold=3).status
    'verified'
    """
    outcome = result.outcome
    if outcome == "ok":
        return _after_success(before, result.probe, now)
    if outcome in DEFINITIVE_FAILURES:
        failures = before.failures + 1
        status: Status = "failing" if failures >= failure_threshold else before.status
        return replace(before, status=status, failures=failures, outcome=outcome)
    if outcome == "unprobeable" and before.status == "unverified":
        return replace(before, status="unprobeable", outcome=outcome)
    return replace(before, outcome=outcome)


def _after_success(before: VerificationRecord, probe: ProbeLevel, now: datetime) -> VerificationRecord:
    """A success verifies, unless the probe was too cheap to refute the failures that are on record."""
    if before.failures and not _refutes(probe, before.outcome):
        return before
    return VerificationRecord(status="verified", failures=0, outcome="ok", last_verified=now)


def _refutes(probe: ProbeLevel, failure: Outcome | None) -> bool:
    needed = _REFUTED_BY.get(failure, _STRICTEST_REFUTATION) if failure else _STRICTEST_REFUTATION
    return PROBE_LEVELS.index(probe) >= PROBE_LEVELS.index(needed)
