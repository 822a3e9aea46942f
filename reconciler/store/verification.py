"""What verification reads and writes: everything a probe needs comes from the database alone, and its
results go back set-based.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from reconciler.core.address import Address, model_address
from reconciler.core.freshness import Known
from reconciler.core.outcome import Result
from reconciler.core.state import Hold, Spec
from reconciler.core.transitions import VerificationRecord
from reconciler.store import lock
from reconciler.store.claims import STANDING, Claim, Standing, release, standing_of
from reconciler.store.columns import TABLES, spec_sql
from reconciler.store.record import RunContext, announce
from reconciler.store.session import Connection


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
        template: Its prompt template, if it has one.
        capabilities: What it is said to be able to do.
        owner: The source that manages it; `None` where nobody does.
        record: What is known so far.
        known: What its last probe left behind; `None` before the first.
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
    template: Spec | None
    capabilities: tuple[str, ...]
    owner: str | None
    record: VerificationRecord
    known: Known | None
    is_due: bool
    hold: Hold | None

    def standing(self, now: Standing) -> Candidate:
        """The same model as it stands now."""
        return replace(self, record=now.record, known=now.known, hold=now.hold)


_VERIFIABLE = """
FROM provider_model_configs m
LEFT JOIN providers v ON v.name = m.provider_name
"""
_CONDITION = "WHERE (m.is_active OR m.hold IS NOT NULL) AND COALESCE(v.is_active, TRUE)"
_CANDIDATES = f"""
SELECT m.id, m.provider_name, m.model_id, COALESCE(v.kind, ''), v.kind_spec, v.base_url, v.credentials,
       CASE WHEN jsonb_typeof(v.verification) = 'object' THEN v.verification ELSE '{{}}' END, m.mode,
       {spec_sql(TABLES["parameters"])}, t.spec,
       CASE WHEN jsonb_typeof(m.capabilities) = 'array' THEN m.capabilities ELSE '[]' END, e.source,
       k.next_due IS NULL OR k.next_due <= now(), {STANDING}
{_VERIFIABLE}
JOIN llm_parameters r ON r.id = m.parameters_id
LEFT JOIN (SELECT r.id, {spec_sql(TABLES["template"])} AS spec FROM prompt_templates r) t
       ON t.id = m.prompt_template_id
LEFT JOIN model_verification k ON k.model_id = m.id
LEFT JOIN managed_entities e
       ON e.kind = 'model' AND e.key = m.provider_name || '/' || m.model_id AND NOT e.forgotten
{_CONDITION}
ORDER BY m.provider_name, m.model_id
"""


def candidates(connection: Connection) -> tuple[Candidate, ...]:
    """Every model that is active or on hold, of every owner; inactive models are nobody's to probe."""
    return tuple(_candidate(row) for row in connection.execute(_CANDIDATES))


def _candidate(row: Sequence[Any]) -> Candidate:
    model, provider, model_id, kind, kind_spec, base_url, credentials, settings, mode, parameters = row[:10]
    template, capabilities, owner, is_due = row[10:14]
    now = standing_of(row[14:])
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
        template=template,
        capabilities=tuple(map(str, capabilities)),
        owner=owner,
        record=now.record,
        known=now.known,
        is_due=is_due,
        hold=now.hold,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One model's result and what is known after it.

    Attributes:
        model: The model's row.
        result: What was found.
        record: What is known after it.
        next_due: When it is due again; `None` where that stays as it was.
        holds: Whether it is put on hold.
        fingerprint: The fingerprint of the credentials that it was asked with, if one can be made.
        digest: The digest of the question; `None` where there was none.
    """

    model: int
    result: Result
    record: VerificationRecord
    next_due: datetime | None
    holds: bool = False
    fingerprint: str | None = None
    digest: str | None = None


class Moment(NamedTuple):
    """When models were read to be asked about: the registry's generation, and the database's time."""

    generation: int
    at: datetime


def moment(connection: Connection) -> Moment:
    """The present one."""
    row = connection.execute("SELECT generation, clock_timestamp() FROM registry").fetchone()
    assert row is not None
    return Moment(*row)


# What keeps too many models from being put on hold: the findings, how many models are held already, and how
# many there are.
Guard = Callable[[tuple[Finding, ...], int, int], tuple[Finding, ...]]


def write_findings(
    connection: Connection,
    findings: tuple[Finding, ...],
    claim: Claim,
    *,
    at: datetime,
    since: Moment,
    source: str,
    context: RunContext,
    guard: Guard,
    lock_timeout: float,
) -> None:
    """Store results, statuses and times, and let go of the claim, in one transaction.

    Only what is still claimed is stored: a model that somebody else took over gets their result. Nor is what
    was asked about rows that changed after `since`: it says nothing of how they are now. A success
    lifts the hold that waited for it. `last_verified` of the model is a copy for readers; `is_active` changes
    only where a hold is set or lifted. Where a status, a hold or an activity changes, the registry's
    generation is raised once, and those models carry it.

    Raises:
        LockHeldError: Another run held the registry for `lock_timeout` seconds; nothing is stored.
    """

    def attempt() -> None:
        with lock.writing(connection, lock_timeout=lock_timeout) as generation:
            announce(connection, source, context)
            row = connection.execute(_HELD_NOW).fetchone()
            held, models = row or (0, 0)
            _copy(connection, guard(findings, held, models), at)
            connection.execute(_KEPT, [claim.until])
            connection.execute(_LOST, [claim.until])
            connection.execute(_STALE, [*since] * 4)
            connection.execute(_RESULTS, [source])
            if _write_models(connection, generation + 1):
                lock.raise_generation(connection, generation + 1)
            release(connection, claim)

    lock.patiently(attempt, lock_timeout=lock_timeout)


def _copy(connection: Connection, findings: tuple[Finding, ...], at: datetime) -> None:
    connection.execute(_FOUND)
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for finding in findings:
            copy.write_row(_row(finding, at))
    # Else the planner takes it for a handful of rows.
    connection.execute("ANALYZE reconciler_found")


def _write_models(connection: Connection, generation: int) -> bool:
    """Bring statuses, holds and times up to date; whether anything changed that readers must hear of."""
    moved = connection.execute(_MOVED).rowcount
    connection.execute(_STATUSES)
    lifted = connection.execute(_LIFTED, [generation]).rowcount
    held = connection.execute(_HELD, [generation]).rowcount
    connection.execute(_VERIFIED, [generation])
    return moved + lifted + held > 0


# Models that wait for their first success are not active, so they are no part of what a share is taken of.
_HELD_NOW = f"""
SELECT count(*) FILTER (WHERE m.hold = 'failing'),
       count(*) FILTER (WHERE m.is_active OR m.hold = 'failing')
{_VERIFIABLE} {_CONDITION}
"""
_FOUND = """
CREATE TEMPORARY TABLE reconciler_found (
    model_id INTEGER, address TEXT, probe TEXT, outcome TEXT, http_status INTEGER, provider_code TEXT,
    answered_by TEXT, latency_ms INTEGER, retry_after DOUBLE PRECISION, detail TEXT, status TEXT,
    failures INTEGER, at TIMESTAMPTZ, next_due TIMESTAMPTZ, last_verified TIMESTAMPTZ,
    holds BOOLEAN, fingerprint TEXT, digest TEXT, moved BOOLEAN NOT NULL DEFAULT FALSE
) ON COMMIT DROP
"""
_COPY = """
COPY reconciler_found (
    model_id, address, probe, outcome, http_status, provider_code, answered_by, latency_ms, retry_after,
    detail, status, failures, at, next_due, last_verified, holds, fingerprint, digest
) FROM STDIN
"""
# A model that was deleted by hand meanwhile has no verification any more; one that another process took over
# is theirs.
_LOST = """
DELETE FROM reconciler_found f
WHERE NOT EXISTS (SELECT FROM model_verification k WHERE k.model_id = f.model_id AND k.claimed_until = %s)
"""
# Locked first, in the order of claiming, so that nobody takes one over between these statements.
_KEPT = """
SELECT FROM model_verification k
WHERE k.claimed_until = %s AND k.model_id IN (SELECT model_id FROM reconciler_found)
ORDER BY k.model_id FOR UPDATE
"""
# An apply marks rows with its generation, a hand edit with its time.
_STALE = """
DELETE FROM reconciler_found f USING provider_model_configs m
JOIN llm_parameters r ON r.id = m.parameters_id
LEFT JOIN prompt_templates t ON t.id = m.prompt_template_id
LEFT JOIN providers v ON v.name = m.provider_name
WHERE m.id = f.model_id
  AND (m.generation > %s OR m.updated_at > %s OR r.generation > %s OR r.updated_at > %s
       OR t.generation > %s OR t.updated_at > %s OR v.generation > %s OR v.updated_at > %s)
"""
_RESULTS = """
INSERT INTO verification_results (at, model_id, address, source, probe, outcome, http_status, provider_code,
                                  answered_by, latency_ms, retry_after, detail)
SELECT f.at, f.model_id, f.address, %s, f.probe, f.outcome, f.http_status, f.provider_code, f.answered_by,
       f.latency_ms, f.retry_after, f.detail
FROM reconciler_found f JOIN provider_model_configs m ON m.id = f.model_id
"""
# Which statuses change, while the old ones are there to be compared with.
_MOVED = """
UPDATE reconciler_found f SET moved = TRUE
FROM model_verification k WHERE k.model_id = f.model_id AND k.status <> f.status
"""
_STATUSES = """
UPDATE model_verification k SET
    status = f.status, outcome = f.outcome, probe = f.probe, failures = f.failures,
    http_status = f.http_status, provider_code = f.provider_code, answered_by = f.answered_by,
    latency_ms = f.latency_ms, retry_after = f.retry_after, detail = f.detail, checked_at = f.at,
    next_due = COALESCE(f.next_due, k.next_due), secret_fingerprint = f.fingerprint,
    parameters_digest = f.digest
FROM reconciler_found f WHERE f.model_id = k.model_id
"""
_LIFTED = """
UPDATE provider_model_configs m SET hold = NULL, is_active = TRUE, updated_at = now(), generation = %s
FROM reconciler_found f
WHERE m.id = f.model_id AND f.outcome = 'ok' AND f.status = 'verified' AND m.hold IS NOT NULL
"""
_HELD = """
UPDATE provider_model_configs m SET hold = 'failing', is_active = FALSE, updated_at = now(), generation = %s
FROM reconciler_found f
WHERE m.id = f.model_id AND f.holds AND m.is_active AND m.hold IS NULL
"""
# One write of a row for both: what readers must hear of, and the copy of the time, which tells them nothing.
_VERIFIED = """
UPDATE provider_model_configs m SET
    last_verified = f.last_verified,
    generation = CASE WHEN f.moved THEN %s ELSE m.generation END,
    updated_at = CASE WHEN f.last_verified IS DISTINCT FROM m.last_verified THEN now() ELSE m.updated_at END
FROM reconciler_found f
WHERE m.id = f.model_id AND (f.moved OR f.last_verified IS DISTINCT FROM m.last_verified)
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
        finding.fingerprint,
        finding.digest,
    )
