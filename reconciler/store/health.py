"""What the recorded results say of models over the windows of health: one statement for one entity, one for
all models; the percentiles are the server's, so no result leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.core.address import Address, model_address
from reconciler.core.health import DOWN, UP, WINDOWS, Health
from reconciler.store.session import Connection

# A percentile is a latency that was measured, the first at or above that share: never one between two.
_FIGURES = ", ".join(
    f"""
    count(*) FILTER (WHERE v.at > %(since_{name})s),
    count(*) FILTER (WHERE v.at > %(since_{name})s AND v.outcome = ANY(%(up)s)),
    count(*) FILTER (WHERE v.at > %(since_{name})s AND v.outcome = ANY(%(down)s)),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY v.latency_ms)
        FILTER (WHERE v.at > %(since_{name})s AND v.outcome = ANY(%(up)s))"""
    for name in WINDOWS
)
_COLUMNS_OF_A_WINDOW = 4

_MODELS_OF = {
    "model": "provider_name = %(provider)s AND model_id = %(model)s",
    "provider": "provider_name = %(provider)s",
}


def of_entity(connection: Connection, address: Address, *, now: datetime) -> Mapping[str, Health] | None:
    """The health of a model, or of all of a provider's models together; `None` for what has none."""
    chosen = _MODELS_OF.get(address.kind)
    if chosen is None:
        return None
    statement = (
        f"SELECT {_FIGURES} FROM verification_results v WHERE v.at > %(longest)s"
        f" AND v.model_id IN (SELECT id FROM provider_model_configs WHERE {chosen})"
    )
    named = {"provider": address.provider, "model": address.model_id}
    row = connection.execute(statement, {**_times(now), **named}).fetchone()
    return _windows(row or ())


_BY_MODEL = f"""
SELECT m.provider_name, m.model_id, r.*
FROM provider_model_configs m
JOIN (SELECT v.model_id, {_FIGURES}
      FROM verification_results v
      WHERE v.at > %(longest)s
        AND (%(provider)s::text IS NULL OR v.model_id IN (
             SELECT id FROM provider_model_configs WHERE provider_name = %(provider)s))
      GROUP BY v.model_id) r ON r.model_id = m.id
"""


def by_model(
    connection: Connection, *, now: datetime, provider: str | None = None
) -> Mapping[Address, Mapping[str, Health]]:
    """The health of every model, or of one provider's, that has results within the longest window."""
    rows = connection.execute(_BY_MODEL, {**_times(now), "provider": provider})
    return {model_address(row[0], row[1]): _windows(row[3:]) for row in rows}


_APPLIED = """
SELECT source, max(finished_at) FROM reconcile_runs
WHERE succeeded AND finished_at IS NOT NULL GROUP BY source
"""


def last_applies(connection: Connection) -> Mapping[str, datetime]:
    """When each source last applied something, by its name."""
    return dict(sorted(connection.execute(_APPLIED)))


def _times(now: datetime) -> dict[str, Any]:
    since = {f"since_{name}": now - span for name, span in WINDOWS.items()}
    return {**since, "longest": min(since.values()), "up": list(UP), "down": list(DOWN)}


def _windows(figures: Sequence[Any]) -> dict[str, Health]:
    starts = range(0, len(figures), _COLUMNS_OF_A_WINDOW)
    parts = (figures[start : start + _COLUMNS_OF_A_WINDOW] for start in starts)
    return {name: _health(*part) for name, part in zip(WINDOWS, parts, strict=True)}


def _health(probes: int, up: int, down: int, percentiles: Sequence[int] | None) -> Health:
    p50, p95 = percentiles or (None, None)
    return Health(probes, up, down, p50, p95)
