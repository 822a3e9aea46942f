"""Verifying: which models are probed, with what, and what is stored of it. It runs after the commit and
never undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from reconciler import kinds
from reconciler.core.address import Address
from reconciler.core.durations import seconds
from reconciler.core.options import Selection
from reconciler.core.outcome import Outcome, Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import ProbeLevel, ProviderKind
from reconciler.core.transitions import next_record
from reconciler.errors import UsageError
from reconciler.service.verification import Interrupted
from reconciler.store.record import RunContext
from reconciler.store.session import Connection, translated
from reconciler.store.verification import Candidate, Finding, candidates, write_findings

EVERY = "1h"
TIMEOUT = "10s"
FAILURE_THRESHOLD = 3
DEFAULT_PROBE: ProbeLevel = "model"

Probe = Callable[[Sequence[ProbeTarget]], Sequence[Result]]


def selected(found: Sequence[Candidate], selection: Selection) -> tuple[Candidate, ...]:
    """The models that a selection means.

    Raises:
        UsageError: It names a model that is not there or not active.
    """
    if selection.addresses:
        known = {candidate.address: candidate for candidate in found}
        for address in selection.addresses:
            if address not in known:
                raise UsageError(
                    f"{address} is not an active model of the registry.",
                    code="no-such-entity",
                    hint="`reconciler list` shows them",
                )
        return tuple(known[address] for address in selection.addresses)
    if selection.all:
        return tuple(found)
    if selection.failed:
        return tuple(one for one in found if one.record.outcome not in {None, "ok"})
    return tuple(one for one in found if one.is_due)


def verify(
    connection: Connection,
    probe: Probe,
    *,
    now: datetime,
    source: str,
    context: RunContext,
    selection: Selection | None = None,
    only: Collection[Address] = (),
) -> tuple[Result, ...]:
    """Probe the selected models, store what was found, and return it in the order of addresses.

    Args:
        connection: A connection in autocommit mode; no transaction is open while probing.
        probe: Asks the endpoints, given what to ask.
        now: The time that results are recorded under.
        source: The source that asks, for the records.
        context: Who asks.
        selection: Which models; or else `only` these addresses.
        only: The models of an apply.
    """
    with translated():
        found = candidates(connection)
    chosen = (
        selected(found, selection)
        if selection is not None
        else tuple(candidate for candidate in found if candidate.address in only)
    )
    level = selection.probe if selection is not None else None
    try:
        results, interrupted = tuple(probe([target(candidate, level) for candidate in chosen])), None
    except Interrupted as stop:
        # What is known by then was asked for and is kept.
        results, interrupted = stop.results, stop
    with translated():
        write_findings(connection, _findings(chosen, results, now), at=now, source=source, context=context)
    if interrupted is not None:
        raise interrupted
    return results


def target(candidate: Candidate, level: ProbeLevel | None) -> ProbeTarget:
    """What the prober needs to know of one model."""
    kind = provider_kind(candidate)
    settings = candidate.verification
    return ProbeTarget(
        address=candidate.address,
        kind=kind,
        base_url=candidate.base_url or kind.base_url,
        credentials=_credentials(candidate.credentials, kind),
        mode=candidate.mode,
        level=level or settings.get("probe", DEFAULT_PROBE),
        timeout=seconds(settings.get("timeout", TIMEOUT)),
        parameters=candidate.parameters,
    )


def provider_kind(candidate: Candidate) -> ProviderKind:
    """The kind of a model's provider; one of no protocol where nobody registered the provider."""
    if candidate.kind_spec is not None:
        return kinds.from_spec(candidate.kind, candidate.kind_spec)
    if candidate.kind not in kinds.names():
        return ProviderKind(name=candidate.kind or "unknown", protocol="", built_in=False)
    return kinds.built_in(candidate.kind)


def _credentials(stored: Any, kind: ProviderKind) -> dict[str, str] | Literal["none", "kind"]:
    if stored == "none" or (stored is None and kind.default_credentials == "none"):
        return "none"
    if not stored:
        return "kind"
    return {str(name): str(reference) for name, reference in stored.items()}


def _findings(chosen: Sequence[Candidate], results: Sequence[Result], now: datetime) -> Iterable[Finding]:
    for candidate, result in zip(chosen, results, strict=True):
        if not _says_something(result.outcome):
            continue
        settings = candidate.verification
        threshold = settings.get("failure_threshold", FAILURE_THRESHOLD)
        record = next_record(candidate.record, result, now=now, failure_threshold=threshold)
        due = now + timedelta(seconds=seconds(settings.get("every", EVERY)))
        yield Finding(candidate.id, result, record, due)


def _says_something(outcome: Outcome) -> bool:
    """A probe that was never made leaves no result."""
    return outcome != "skipped"
