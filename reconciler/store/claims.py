"""Claims: who probes a model holds it for a time, so that processes side by side ask each model once, and a
process that dies holds nothing for long. Times are the database's own: the clocks of machines differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reconciler.core.freshness import Known
from reconciler.core.state import Hold
from reconciler.core.transitions import VerificationRecord, status_of
from reconciler.store.session import Connection
from reconciler.store.transactions import transaction

# A renewal that takes long is worth nothing: the claim it renews has lapsed.
_RENEWAL_LIMIT = "5s"


@dataclass(frozen=True, slots=True)
class Claim:
    """Models that are ours to probe until a moment.

    The moment is the claim's mark in the rows too: a row that somebody else took over bears another one.
    """

    models: tuple[int, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of one model's verification at a moment.

    Attributes:
        record: Its status, and what that rests on.
        known: What its last probe left behind; `None` before the first.
        hold: Why it is not active though it should be, or nothing.
    """

    record: VerificationRecord
    known: Known | None
    hold: Hold | None


# What `standing_of` reads, of the rows `k` and `m`.
STANDING = """
k.status, COALESCE(k.failures, 0), k.outcome, k.probe, k.checked_at, k.secret_fingerprint,
k.parameters_digest, k.http_status, k.latency_ms, k.detail, k.provider_code, k.answered_by, k.retry_after,
m.last_verified, m.hold
"""


def standing_of(row: Sequence[Any]) -> Standing:
    """The standing in a row of `STANDING`."""
    status, failures, outcome, probe, checked_at, fingerprint, digest, *answer, last_verified, hold = row
    record = VerificationRecord(status_of(status, hold), failures, outcome, last_verified)
    if outcome is None or probe is None or checked_at is None:
        return Standing(record, None, hold)
    http_status, latency_ms, detail, provider_code, answered_by, retry_after = answer
    known = Known(
        outcome,
        probe,
        checked_at,
        fingerprint,
        digest,
        http_status,
        latency_ms,
        detail or "",
        provider_code,
        answered_by,
        retry_after,
    )
    return Standing(record, known, hold)


def clock(connection: Connection) -> datetime:
    """The database's time."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


_MISSING = """
INSERT INTO model_verification (model_id, status)
SELECT id, CASE WHEN hold = 'pending' THEN 'pending' ELSE 'unverified' END
FROM provider_model_configs WHERE id = ANY(%s) ORDER BY id
ON CONFLICT (model_id) DO NOTHING
"""
# Three plain statements and no join of what is locked with what is updated: over tens of thousands of models
# the planner's guess of how many are free would decide between a second and an hour.
_FREE = """
SELECT model_id FROM model_verification
WHERE model_id = ANY(%s) AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
ORDER BY model_id FOR UPDATE SKIP LOCKED
"""
_STANDINGS = f"""
SELECT k.model_id, {STANDING}
FROM model_verification k JOIN provider_model_configs m ON m.id = k.model_id
WHERE k.model_id = ANY(%s)
"""


def take(
    connection: Connection, models: Sequence[int], *, lease: float
) -> tuple[Claim | None, dict[int, Standing]]:
    """Claim those of the models that nobody holds, for `lease` seconds, with how they stand now.

    A claim whose time is over belongs to nobody: its holder died, or was stopped for that long.
    """
    with transaction(connection, "READ COMMITTED, READ WRITE"):
        connection.execute(_MISSING, [list(models)])
        free = [row[0] for row in connection.execute(_FREE, [list(models)])]
        if not free:
            return None, {}
        until = _lease_end(connection, lease)
        connection.execute(
            "UPDATE model_verification SET claimed_until = %s WHERE model_id = ANY(%s)", [until, free]
        )
        found = standings(connection, free)
    return Claim(tuple(free), until), found


def _lease_end(connection: Connection, lease: float) -> datetime:
    row = connection.execute("SELECT clock_timestamp() + make_interval(secs => %s)", [lease]).fetchone()
    assert row is not None
    until: datetime = row[0]
    return until


def standings(connection: Connection, models: Sequence[int]) -> dict[int, Standing]:
    """How models stand now, whoever holds them; those that were never claimed are not among them."""
    return {row[0]: standing_of(row[1:]) for row in connection.execute(_STANDINGS, [list(models)])}


def renew(connection: Connection, claim: Claim, *, lease: float) -> Claim:
    """Hold a claim for `lease` more seconds from now; models that somebody took over are no longer in it."""
    with transaction(connection, "READ COMMITTED, READ WRITE"):
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [_RENEWAL_LIMIT, _RENEWAL_LIMIT],
        )
        until = _lease_end(connection, lease)
        rows = connection.execute(
            "UPDATE model_verification SET claimed_until = %s"
            " WHERE model_id = ANY(%s) AND claimed_until = %s RETURNING model_id",
            [until, list(claim.models), claim.until],
        ).fetchall()
    return Claim(tuple(sorted(row[0] for row in rows)), until)


def release(connection: Connection, claim: Claim, models: Iterable[int] | None = None) -> Claim:
    """Let go of a claim, or of some models in it; what somebody else took over stays theirs."""
    freed = frozenset(claim.models if models is None else models)
    if freed:
        connection.execute(
            "UPDATE model_verification SET claimed_until = NULL"
            " WHERE model_id = ANY(%s) AND claimed_until = %s",
            [sorted(freed), claim.until],
        )
    return replace(claim, models=tuple(model for model in claim.models if model not in freed))
