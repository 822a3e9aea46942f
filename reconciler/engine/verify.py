"""Verifying: which models are probed, with what, and what is stored of it. It runs after the commit and
never undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.address import Address
from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.core.policy import FEWEST_MODELS, LARGEST_SHARE
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import PROBE_LEVELS
from reconciler.core.transitions import next_record
from reconciler.engine.targets import VerificationSettings, settings_of, target_of
from reconciler.errors import UsageError
from reconciler.service.verification import Interrupted
from reconciler.store.record import RunContext
from reconciler.store.session import Connection, translated
from reconciler.store.verification import Candidate, Finding, candidates, write_findings

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
    asked = [target_of(candidate, level) for candidate in chosen]
    results, interrupted = _probed(probe, asked)
    held = sum(1 for candidate in found if candidate.hold == "failing")
    findings = held_back(tuple(_findings(chosen, results, now)), held=held, models=len(found))
    if findings:
        with translated():
            write_findings(connection, findings, at=now, source=source, context=context)
    if interrupted is not None:
        raise interrupted
    return results


def _probed(
    probe: Probe, asked: Sequence[ProbeTarget | Result]
) -> tuple[tuple[Result, ...], Interrupted | None]:
    """Each model's result, in order; after Ctrl-C, what is known by then was asked for and is kept."""
    targets = [target for target in asked if isinstance(target, ProbeTarget)]
    interrupted = None
    try:
        found = iter(probe(targets))
    except Interrupted as stop:
        found, interrupted = iter(stop.results), stop
    results = tuple(next(found) if isinstance(target, ProbeTarget) else target for target in asked)
    return results, interrupted


def _findings(chosen: Sequence[Candidate], results: Sequence[Result], now: datetime) -> Iterable[Finding]:
    """What is known after each result; a probe that was never made leaves none."""
    for candidate, result in zip(chosen, results, strict=True):
        if result.outcome == "skipped":
            continue
        try:
            settings = settings_of(candidate.verification)
        except (ValueError, TypeError, AttributeError):
            settings = VerificationSettings()
        record = candidate.record
        if result.outcome != "ok" or PROBE_LEVELS.index(result.probe) >= PROBE_LEVELS.index(settings.probe):
            record = next_record(record, result, now=now, failure_threshold=settings.failure_threshold)
        holds = settings.deactivates and record.status == "failing"
        due = now + timedelta(seconds=settings.every)
        yield Finding(candidate.id, result, record, due, holds=holds and candidate.hold is None)


def held_back(findings: tuple[Finding, ...], *, held: int, models: int) -> tuple[Finding, ...]:
    """The same findings without holds where they would switch off too much at once.

    One wrongly rotated key must not take every model away: beyond the share that a plan may switch off,
    failing models are marked and stay as they are. What is `held` already counts, of all `models`: else
    one run after another would take them all.
    """
    holds = sum(1 for finding in findings if finding.holds)
    if models >= FEWEST_MODELS and held + holds > LARGEST_SHARE * models:
        return tuple(replace(finding, holds=False) for finding in findings)
    return findings
