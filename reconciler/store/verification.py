"""What verification reads and writes: everything a probe needs comes from the database alone, and its
results go back set-based.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.core.address import Address, model_address
from reconciler.core.outcome import Result
from reconciler.core.state import Hold, Spec
from reconciler.core.transitions import VerificationRecord
from reconciler.store import lock
from reconciler.store.columns import TABLES, spec_sql
from reconciler.store.record import RunContext, announce
from reconciler.store.session import Connection

# The probes are already paid for: rather wait for a long apply than lose what they found.
LOCK_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model that may be verified.

    Attributes:
        id: The model's row.
        address: The model.
        kind: Its provider's kind, empty where nobody registered the provider.
        kind_spec: The kind's data where it is a user's own.
        base_url: The provider's endpoint; `None` for the kind's.
        credentials: The provider's references, `none`, or `None` for the kind's.
        verification: The provider's settings for verification.
        mode: What the model is for.
        parameters: Its parameter set.
        record: What is known so far.
        is_due: Whether its time has come.
        hold: Why it is not active though it should be, or nothing.
    """

    id: int
    address: Address
    kind: str
    kind_spec: Spec | None
    base_url: str | None
    credentials: Any
    verification: Mapping[str, Any]
    mode: str
    parameters: Spec
    record: VerificationRecord
    is_due: bool
    hold: Hold | None


_CANDIDATES = f"""
SELECT m.id, m.provider_name, m.model_id, COALESCE(v.kind, ''), v.kind_spec, v.base_url, v.credentials,
       CASE WHEN jsonb_typeof(v.verification) = 'object' THEN v.verification ELSE '{{}}' END, m.mode,
       {spec_sql(TABLES["parameters"])},
       COALESCE(k.status, 'unverified'), COALESCE(k.failures, 0), k.outcome, m.last_verified,
       k.next_due IS NULL OR k.next_due <= now(), m.hold
FROM provider_model_configs m
LEFT JOIN providers v ON v.name = m.provider_name
JOIN llm_parameters r ON r.id = m.parameters_id
LEFT JOIN model_verification k ON k.model_id = m.id
WHERE (m.is_active OR m.hold IS NOT NULL) AND COALESCE(v.is_active, TRUE)
ORDER BY m.provider_name, m.model_id
"""


def candidates(connection: Connection) -> tuple[Candidate, ...]:
    """Every model that is active or on hold, of every owner; inactive models are nobody's to probe."""
    return tuple(_candidate(row) for row in connection.execute(_CANDIDATES))


def _candidate(row: Sequence[Any]) -> Candidate:
    model, provider, model_id, kind, kind_spec, base_url, credentials, settings, mode, parameters = row[:10]
    status, failures, outcome, last_verified, is_due, hold = row[10:]
    return Candidate(
        id=model,
        address=model_address(provider, model_id),
        kind=kind,
        kind_spec=kind_spec,
        base_url=base_url,
        credentials=credentials,
        verification=settings,
        mode=mode,
        parameters=parameters,
        record=VerificationRecord(status, failures, outcome, last_verified),
        is_due=is_due,
        hold=hold,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One model's result, what is known after it, when it is due again, and whether it is put on hold."""

    model: int
    result: Result
    record: VerificationRecord
    next_due: datetime
    holds: bool = False


def write_findings(
    connection: Connection, findings: Iterable[Finding], *, at: datetime, source: str, context: RunContext
) -> None:
    """Store results, statuses and times in one transaction; a success lifts the hold that waited for it.

    `last_verified` of the model is a copy for readers; `is_active` changes only where a hold is set or
    lifted, and then the registry's generation is raised.
    """
    with lock.writing(connection, lock_timeout=LOCK_TIMEOUT):
        announce(connection, source, context)
        connection.execute(_FOUND)
        with connection.cursor() as cursor, cursor.copy("COPY found FROM STDIN") as copy:
            for finding in findings:
                copy.write_row(_row(finding, at))
        connection.execute(_RESULTS, [source])
        connection.execute(_STATUSES)
        switched = connection.execute(_LIFTED).rowcount + connection.execute(_HELD).rowcount
        connection.execute(_VERIFIED)
        if switched:
            connection.execute("UPDATE registry SET generation = generation + 1 WHERE id = 1")


_FOUND = """
CREATE TEMPORARY TABLE found (
    model_id INTEGER, address TEXT, probe TEXT, outcome TEXT, http_status INTEGER, provider_code TEXT,
    answered_by TEXT, latency_ms INTEGER, retry_after DOUBLE PRECISION, detail TEXT, status TEXT,
    failures INTEGER, at TIMESTAMPTZ, next_due TIMESTAMPTZ, last_verified TIMESTAMPTZ,
    holds BOOLEAN
) ON COMMIT DROP
"""
# A model that was deleted by hand meanwhile has no verification any more.
_RESULTS = """
INSERT INTO verification_results (at, model_id, address, source, probe, outcome, http_status, provider_code,
                                  answered_by, latency_ms, retry_after, detail)
SELECT f.at, f.model_id, f.address, %s, f.probe, f.outcome, f.http_status, f.provider_code, f.answered_by,
       f.latency_ms, f.retry_after, f.detail
FROM found f JOIN provider_model_configs m ON m.id = f.model_id
"""
_STATUSES = """
INSERT INTO model_verification AS k (model_id, status, outcome, probe, failures, http_status, provider_code,
                                     answered_by, latency_ms, retry_after, detail, checked_at, next_due)
SELECT f.model_id, f.status, f.outcome, f.probe, f.failures, f.http_status, f.provider_code, f.answered_by,
       f.latency_ms, f.retry_after, f.detail, f.at, f.next_due
FROM found f JOIN provider_model_configs m ON m.id = f.model_id
ON CONFLICT (model_id) DO UPDATE SET
    status = EXCLUDED.status, outcome = EXCLUDED.outcome, probe = EXCLUDED.probe,
    failures = EXCLUDED.failures,
    http_status = EXCLUDED.http_status, provider_code = EXCLUDED.provider_code,
    answered_by = EXCLUDED.answered_by, latency_ms = EXCLUDED.latency_ms, retry_after = EXCLUDED.retry_after,
    detail = EXCLUDED.detail, checked_at = EXCLUDED.checked_at, next_due = EXCLUDED.next_due
"""
_LIFTED = """
UPDATE provider_model_configs m SET hold = NULL, is_active = TRUE
FROM found f
WHERE m.id = f.model_id AND f.outcome = 'ok' AND f.status = 'verified' AND m.hold IS NOT NULL
"""
_HELD = """
UPDATE provider_model_configs m SET hold = 'failing', is_active = FALSE
FROM found f
WHERE m.id = f.model_id AND f.holds AND m.is_active AND m.hold IS NULL
"""
_VERIFIED = """
UPDATE provider_model_configs m SET last_verified = f.last_verified
FROM found f
WHERE m.id = f.model_id AND f.last_verified IS DISTINCT FROM m.last_verified
"""


def _row(finding: Finding, at: datetime) -> tuple[Any, ...]:
    result, record = finding.result, finding.record
    return (
        finding.model,
        str(result.address),
        result.probe,
        result.outcome,
        result.http_status,
        result.provider_code,
        result.answered_by,
        result.latency_ms,
        result.retry_after,
        result.detail,
        record.status,
        record.failures,
        at,
        finding.next_due,
        record.last_verified,
        finding.holds,
    )
