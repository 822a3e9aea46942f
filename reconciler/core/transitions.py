"""What a probe's result means for a model's status: one pure function over values, apart from the probing
and from the storing, so that a table of cases can state it whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.outcome import DEFINITIVE_FAILURES, Outcome, Result, Status
from reconciler.core.provider_kind import PROBE_LEVELS, ProbeLevel
from reconciler.core.state import Hold

# The cheapest probe whose success refutes a failure: a reachable endpoint says nothing about a key, and a
# good key says nothing about a model.
_REFUTED_BY: dict[Outcome, ProbeLevel] = {"auth_failed": "credential"}
_STRICTEST_REFUTATION: ProbeLevel = "model"

# Faults that do not pass by themselves and do not say that the model cannot be used.
_LASTING: frozenset[Outcome] = frozenset({"quota_exhausted", "wrong_region"})


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


def status_of(stored: Status | None, hold: Hold | None) -> Status:
    """The status of a model: what is stored of it, and whether it waits for its first success.

    A model that waits is `pending` as long as nothing worse is known of it; one that waits no longer, because
    a person or the files let it go, is what it was before.

    >>> status_of(None, "pending"), status_of("pending", None), status_of("failing", "pending")
    ('pending', 'unverified', 'failing')
    """
    status = stored or "unverified"
    if hold == "pending":
        return "pending" if status in {"unverified", "unprobeable"} else status
    return "unverified" if status == "pending" else status


def next_record(
    before: VerificationRecord, result: Result, *, now: datetime, failure_threshold: int
) -> VerificationRecord:
    """What is known after one more result.

    | result | unverified, pending | verified, degraded | failing | unprobeable |
    |---|---|---|---|---|
    | ok | verified | verified | verified | verified |
    | definitive, below the threshold | as before | as before | failing | unprobeable |
    | definitive, at the threshold | failing | failing | failing | failing |
    | lasting: quota, region, refused parameters | as before | degraded | failing | unprobeable |
    | unprobeable | unprobeable; pending stays | as before | failing | unprobeable |
    | every other | as before | as before | failing | unprobeable |

    The threshold is `failure_threshold` (at least 1) definitive failures in a row. Only success and
    definitive failures count in that row; every other outcome is noted and breaks none.

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
    if is_lasting(result) and before.status == "verified":
        return replace(before, status="degraded", outcome=outcome)
    if outcome == "unprobeable" and before.status == "unverified":
        return replace(before, status="unprobeable", outcome=outcome)
    return replace(before, outcome=outcome)


def is_lasting(result: Result) -> bool:
    """Whether a result is a fault that somebody has to mend, though the model itself can be used: an empty
    account, a region that is not served, parameters that the provider refuses.
    """
    refused = result.outcome == "probe_invalid" and bool(result.refused_parameters)
    return refused or result.outcome in _LASTING


def _after_success(before: VerificationRecord, probe: ProbeLevel, now: datetime) -> VerificationRecord:
    """A success verifies, unless the probe was too cheap to refute the failures that are on record."""
    if before.failures and not _refutes(probe, before.outcome):
        return before
    return VerificationRecord(status="verified", failures=0, outcome="ok", last_verified=now)


def _refutes(probe: ProbeLevel, failure: Outcome | None) -> bool:
    needed = _REFUTED_BY.get(failure, _STRICTEST_REFUTATION) if failure else _STRICTEST_REFUTATION
    return PROBE_LEVELS.index(probe) >= PROBE_LEVELS.index(needed)
