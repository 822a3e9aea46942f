"""Verifying: which models are probed, with what, and what is stored of it. It runs after the commit and
never undoes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core import freshness
from reconciler.core.address import Address
from reconciler.core.options import Selection
from reconciler.core.outcome import Outcome, Result
from reconciler.core.policy import FEWEST_MODELS, LARGEST_SHARE
from reconciler.core.probe import ProbeTarget
from reconciler.core.transitions import next_record
from reconciler.engine.asks import Ask, alike, asks_of, not_asked
from reconciler.engine.prober import Prober
from reconciler.engine.purse import Purse, was_sent
from reconciler.errors import LockHeldError, ProviderConfigError
from reconciler.service.verification import Interrupted, Meanwhile
from reconciler.store import claims
from reconciler.store.claims import Claim, Standing
from reconciler.store.record import RunContext
from reconciler.store.session import Connection, translated
from reconciler.store.verification import Finding, Moment, candidates, moment, write_findings

# The probes are already paid for: rather wait for a long apply than lose what they found. In seconds.
LOCK_TIMEOUT = 120.0
# A claim is renewed, and the registry waited for, so often within a lease that one missed time loses nothing.
PARTS_OF_A_LEASE = 3
# Seconds between two looks at what others are probing: the first, and the longest.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
# The credentials were not there to be asked with, so what was known of them stands.
_WITHOUT_CREDENTIALS: frozenset[Outcome] = frozenset({"secret_missing", "refused_reference"})


def verify(
    connection: Connection,
    prober: Prober,
    *,
    source: str,
    context: RunContext,
    selection: Selection | None = None,
    only: Collection[Address] = (),
    already: Iterable[Result] = (),
) -> tuple[Result, ...]:
    """Probe the selected models, store what was found, and return it in the order of addresses.

    A model that another process is probing is waited for, and what that one finds is ours too.

    Args:
        connection: A connection in autocommit mode; no transaction is open while probing.
        prober: Asks the endpoints.
        source: The source that asks, for the records; it pays for models that nobody manages.
        context: Who asks.
        selection: Which models; or else `only` these addresses.
        only: The models of an apply.
        already: What this process has just asked and found, before it applied; it is stored instead of asking
            and paying again.

    Raises:
        Interrupted: Ctrl-C; what was found by then is stored, and it carries all results.
        UsageError: The selection names a model that is not there or not active.
    """
    with translated():
        began, since = prober.clock(connection), moment(connection)
        found = candidates(connection)
    asks = asks_of(found, selection, only, prober)
    purse = Purse(connection, source, selection.budget if selection else None)
    run = _Run(connection, prober, source=source, context=context, began=began, since=since, purse=purse)
    run.already = {result.address: result for result in already if was_sent(result)}
    run.results.update(not_asked(asks, found, selection, now=began))
    try:
        run.ask([ask for ask in asks if ask.id not in run.results])
    except KeyboardInterrupt:
        raise Interrupted(_in_order(asks, run.results)) from None
    return _in_order(asks, run.results)


def _in_order(asks: Iterable[Ask], results: Mapping[int, Result]) -> tuple[Result, ...]:
    return tuple(results.get(ask.id) or _skipped(ask, "the run was interrupted") for ask in asks)


def _skipped(ask: Ask, reason: str) -> Result:
    level = ask.question.level if ask.question else ask.settings.probe
    return Result(ask.candidate.address, "skipped", level, detail=reason)


@dataclass(frozen=True, slots=True)
class _Round:
    """What one claim covers: the models, and for each of them the one that is asked for it."""

    asks: tuple[Ask, ...]
    asked_for: Mapping[int, Ask]

    @property
    def asked(self) -> tuple[Ask, ...]:
        """Those that are asked about, each once."""
        return tuple({ask.id: ask for ask in self.asked_for.values()}.values())

    def shared(self, results: Mapping[int, Result]) -> dict[int, Result]:
        """Everybody's result, by model."""
        return {ask.id: _as_theirs(ask, results[self.asked_for[ask.id].id]) for ask in self.asks}


def _as_theirs(ask: Ask, result: Result) -> Result:
    """A result that another model was asked for."""
    if result.address == ask.candidate.address or result.outcome == "skipped":
        return replace(result, address=ask.candidate.address)
    return replace(result, address=ask.candidate.address, cached=True)


class _Run:
    """One run under way: what is known by now, by model."""

    def __init__(
        self,
        connection: Connection,
        prober: Prober,
        *,
        source: str,
        context: RunContext,
        began: datetime,
        since: Moment,
        purse: Purse,
    ) -> None:
        self.results: dict[int, Result] = {}
        self.already: Mapping[Address, Result] = {}
        self._connection = connection
        self._prober = prober
        self._source = source
        self._context = context
        self._began = began
        self._since = since
        self._purse = purse

    def ask(self, asks: Sequence[Ask]) -> None:
        """Claim what is free and probe it, and wait for the rest, until every model has its result."""
        waiting = {ask.id: ask for ask in asks}
        waited, pause, is_told = 0.0, _FIRST_PAUSE, False
        while waiting:
            claim, standings = self._take(list(waiting))
            others = len(waiting) - len(standings)
            if others and not is_told:
                models = "1 model" if others == 1 else f"{others:,} models"
                self._prober.say(f"Another process is verifying {models}: waiting for what it finds.")
                is_told = True
            if claim is not None:
                self._under(claim, [waiting.pop(model).standing(standings[model]) for model in standings])
                pause = _FIRST_PAUSE
            if not waiting:
                return
            if waited >= self._prober.deadline:
                reason = f"another process did not verify it within {self._prober.deadline:g} s"
                self.results.update({ask.id: _skipped(ask, reason) for ask in waiting.values()})
                return
            self._prober.pause(pause)
            waited, pause = waited + pause, min(pause * 1.5, _LONGEST_PAUSE)
            for model in self._adopt(waiting):
                del waiting[model]

    def _take(self, models: Sequence[int]) -> tuple[Claim | None, dict[int, Standing]]:
        with translated():
            return claims.take(self._connection, models, lease=self._prober.lease)

    def _adopt(self, waiting: Mapping[int, Ask]) -> list[int]:
        """Take over what others have found since this run began; the models that this settles."""
        with translated():
            standings = claims.standings(self._connection, list(waiting))
        found = self._ours([waiting[model].standing(now) for model, now in standings.items()])
        found |= {
            model: _skipped(ask, "it was removed from the registry meanwhile")
            for model, ask in waiting.items()
            if model not in standings
        }
        self.results.update(found)
        return list(found)

    def _ours(self, asks: Iterable[Ask]) -> dict[int, Result]:
        return {
            ask.id: freshness.earlier(ask.candidate.address, known, note="found by another process just now")
            for ask in asks
            if (known := ask.candidate.known) is not None
            and ask.question is not None
            and freshness.is_ours(known, ask.question, since=self._began)
        }

    def _under(self, claim: Claim, asks: Sequence[Ask]) -> None:
        """Probe what is claimed and store it. However that ends, the claim does not outlive it."""
        held = _Held(self._connection, claim, self._prober.lease)
        try:
            # Whoever held them a moment ago may have asked already, after we began.
            self.results.update(self._ours(asks))
            rest = tuple(ask for ask in asks if ask.id not in self.results)
            if rest:
                self._probe(held, _Round(rest, alike(rest)))
        finally:
            held.release()

    def _probe(self, held: _Held, turn: _Round) -> None:
        known = {ask.id: ask.target for ask in turn.asked if isinstance(ask.target, Result)}
        known |= self._answered(turn.asked)
        known |= self._purse.refuse([ask for ask in turn.asked if ask.id not in known])
        asked = [ask for ask in turn.asked if ask.id not in known]
        targets = [ask.target for ask in asked if isinstance(ask.target, ProbeTarget)]
        interrupted = None
        try:
            found = self._prober.ask(targets, held.meanwhile) if targets else ()
        except Interrupted as stop:
            found, interrupted = stop.results, stop
        except ProviderConfigError:
            self._purse.settle({})
            raise
        results = known | {ask.id: result for ask, result in zip(asked, found, strict=True)}
        everybody = turn.shared(results)
        self._store(held, turn.asks, everybody)
        self.results.update(everybody)
        self._purse.settle(results)
        if interrupted is not None:
            raise interrupted

    def _answered(self, asks: Iterable[Ask]) -> dict[int, Result]:
        """What is already known of these models, at the level that they are asked at."""
        found = ((ask, self.already.get(ask.candidate.address)) for ask in asks)
        return {
            ask.id: result
            for ask, result in found
            if result and ask.question and freshness.is_enough(result.probe, ask.question.level)
        }

    def _store(self, held: _Held, asks: Sequence[Ask], results: Mapping[int, Result]) -> None:
        """Store what was found, however long another run holds the registry, within reason."""
        with translated():
            at = self._prober.clock(self._connection)
        findings = tuple(_findings(asks, results, at))
        wait = self._prober.lease / PARTS_OF_A_LEASE
        for left in reversed(range(int(LOCK_TIMEOUT / wait) if findings else 0)):
            try:
                self._write(held.claim, findings, at, wait)
            except LockHeldError:
                if not left:
                    raise
                held.renew()
            else:
                return

    def _write(self, claim: Claim, findings: tuple[Finding, ...], at: datetime, wait: float) -> None:
        with translated():
            write_findings(
                self._connection,
                findings,
                claim,
                at=at,
                since=self._since,
                source=self._source,
                context=self._context,
                guard=self._guarded,
                lock_timeout=wait,
            )

    def _guarded(self, findings: tuple[Finding, ...], held: int, models: int) -> tuple[Finding, ...]:
        """The findings without holds where they would be too many, which a person has to hear."""
        kept = held_back(findings, held, models)
        withheld = sum(finding.holds for finding in findings) - sum(finding.holds for finding in kept)
        if withheld:
            self._prober.say(
                f"ALARM: {withheld:,} of {models:,} active models fail and were not switched off, for that "
                f"would be more than {LARGEST_SHARE:.0%} at once; often it is one wrong key."
            )
        return kept


class _Held:
    """A claim that is kept up for as long as its models are probed."""

    def __init__(self, connection: Connection, claim: Claim, lease: float) -> None:
        self.claim = claim
        self._connection = connection
        self._lease = lease

    @property
    def meanwhile(self) -> Meanwhile:
        """What renews it while probes run."""
        return Meanwhile(self.renew, self._lease / PARTS_OF_A_LEASE)

    def renew(self) -> None:
        """Hold it for another lease. Where that fails others may take over, and only what is still ours is
        stored: no reason to break off probes that are under way.
        """
        with suppress(ProviderConfigError), translated():
            self.claim = claims.renew(self._connection, self.claim, lease=self._lease)

    def release(self) -> None:
        """Let go of what is still held; a claim that cannot be released lapses by itself."""
        with suppress(ProviderConfigError), translated():
            self.claim = claims.release(self._connection, self.claim)


def _findings(asks: Iterable[Ask], results: Mapping[int, Result], at: datetime) -> Iterable[Finding]:
    """What is known after each result; a probe that was never made leaves none."""
    for ask in asks:
        result, candidate = results[ask.id], ask.candidate
        if result.outcome == "skipped":
            continue
        settings, record = ask.settings, candidate.record
        is_enough = freshness.is_enough(result.probe, settings.probe)
        if result.outcome != "ok" or is_enough:
            record = next_record(record, result, now=at, failure_threshold=settings.failure_threshold)
        yield Finding(
            candidate.id,
            result,
            record,
            # A cheaper probe than the files ask for does not stand in for theirs.
            next_due=at + timedelta(seconds=settings.every) if is_enough else None,
            holds=settings.deactivates and record.status == "failing" and candidate.hold is None,
            fingerprint=_fingerprint(ask, result),
            digest=ask.question.digest if ask.question else None,
        )


def _fingerprint(ask: Ask, result: Result) -> str | None:
    present = ask.question.fingerprint if ask.question else None
    known = ask.candidate.known
    if present is None and known is not None and result.outcome in _WITHOUT_CREDENTIALS:
        return known.fingerprint
    return present


def held_back(findings: tuple[Finding, ...], held: int, models: int) -> tuple[Finding, ...]:
    """The same findings without holds where they would switch off too much at once.

    One wrongly rotated key must not take every model away: beyond the share that a plan may switch off,
    failing models are marked and stay as they are. What is `held` already counts, of all `models`: else
    one run after another would take them all.
    """
    holds = sum(1 for finding in findings if finding.holds)
    if models >= FEWEST_MODELS and held + holds > LARGEST_SHARE * models:
        return tuple(replace(finding, holds=False) for finding in findings)
    return findings
