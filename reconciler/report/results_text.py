"""What an apply did and what verification found, as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.changes import ACTIONS
from reconciler.core.outcome import Result
from reconciler.core.plan import Applied, Plan
from reconciler.core.rehearsal import PlannedProbe, totals
from reconciler.report import override_text
from reconciler.report.escape import printable
from reconciler.report.layout import PLAIN, Cell, Colour, Style, counted, stages, table
from reconciler.report.plan_text import ORDER, is_empty, plan, unchanged

_DONE = {
    "create": "created",
    "update": "updated",
    "activate": "activated",
    "deactivate": "deactivated",
    "adopt": "adopted",
}
_HEADINGS = ("MODEL", "OUTCOME", "PROBE", "HTTP", "LATENCY", "DETAIL")
_PLANNED = ("MODEL", "PROBE", "HOST", "CALLS", "TOKENS", "NOTE")
_QUIET = ("ok", "skipped")


def applied(done: Applied, style: Style = PLAIN, *, note: str = "", most: int | None = None) -> str:
    """What was done and found; the last line has the counts and the seconds of each stage.

    Args:
        done: What the apply did.
        style: The reader's screen.
        note: Why nothing was verified, where that needs saying.
        most: How many results are written out before those that are well are only counted.
    """
    seconds = f" ({stages(done.seconds)})" if done.seconds else ""
    overrides = override_text.section(done.plan.overrides, style)
    if done.run is None:
        if not is_empty(done.plan):
            return plan(done.plan, style)
        return "\n\n".join((f"{unchanged(done.plan)}{seconds}", *overrides))
    last = f"Applied as run {done.run}: {applied_counts(done.counts)}.{seconds}"
    found = verification(done.verification, style, most=most) if done.verification else note
    return "\n".join(part for part in (*overrides, found, last) if part)


def examined(found: Plan, style: Style = PLAIN, *, most: int | None = None) -> str:
    """A plan, with what probing its models before the commit found, where that was asked for."""
    shown = plan(found, style, most=most)
    if found.verification is None:
        return shown
    return f"{shown}\n\n{verification(found.verification, style, most=most)}"


def applied_counts(written: Mapping[str, int]) -> str:
    """What was written, deactivations first: `1 deactivated, 2 created`."""
    parts = [f"{written[action]:,} {_DONE[action]}" for action in ORDER if written.get(action)]
    return ", ".join(parts) or "nothing changed"


def all_counts(written: Mapping[str, int]) -> dict[str, int]:
    """The counts of every action, also of those that did not occur."""
    return {action: written.get(action, 0) for action in ACTIONS}


def verification(results: Sequence[Result], style: Style = PLAIN, *, most: int | None = None) -> str:
    """A table of results, what needs a person first, and a line that counts the outcomes.

    With more than `most` results, those that are well are only counted.
    """
    if not results:
        return "No models to verify."
    few = most is None or len(results) <= most
    written = [result for result in by_urgency(results) if few or result.outcome not in _QUIET]
    lines = table(_HEADINGS, [_row(result) for result in written], style) if written else []
    return "\n".join((*lines, outcome_count(results)))


def by_urgency(results: Iterable[Result]) -> list[Result]:
    """Results in the order in which someone should look at them: unusable, doubtful, well."""
    return sorted(results, key=lambda result: (_rank(result), result.address))


def outcome_count(results: Sequence[Result]) -> str:
    """How many models have which outcome: `3 models probed: 1 auth_failed, 2 ok.`"""
    outcomes = Counter(result.outcome for result in by_urgency(results))
    found = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
    return f"{counted(len(results), 'model')} probed: {found}."


def rehearsal(planned: Sequence[PlannedProbe], style: Style = PLAIN) -> str:
    """What would be asked, whom, and what it would cost; the last line adds it up."""
    if not planned:
        return "No models to verify."
    lines = table(_PLANNED, [_planned(one) for one in planned], style)
    return "\n".join((*lines, rehearsal_total(planned)))


def rehearsal_total(planned: Sequence[PlannedProbe]) -> str:
    """What a rehearsal comes to: `1 of 2 models would be probed: 1 call, …, at most 40 tokens.`"""
    sums = totals(planned)
    models, calls = counted(len(planned), "model"), counted(sums.calls, "call")
    paid, tokens = counted(sums.generate, "probe"), counted(sums.tokens, "token")
    asked = f"{sums.probes:,} of {models} would be probed"
    return f"{asked}: {calls}, {paid} that would generate, at most {tokens}."


def _planned(one: PlannedProbe) -> tuple[Cell, ...]:
    return (
        Cell(printable(str(one.address))),
        Cell(one.probe),
        Cell(printable(one.host or "-")),
        Cell(f"{len(one.calls):,}"),
        Cell(f"{one.tokens:,}"),
        Cell(printable(one.reason)),
    )


def _rank(result: Result) -> int:
    return 0 if result.is_bad else 2 if result.outcome in _QUIET else 1


def _row(result: Result) -> tuple[Cell, ...]:
    colours: tuple[Colour, ...] = ("red", "yellow", "green")
    return (
        Cell(printable(str(result.address))),
        Cell(result.outcome, colours[_rank(result)]),
        Cell(result.probe),
        Cell("-" if result.http_status is None else str(result.http_status)),
        Cell("-" if result.latency_ms is None else f"{result.latency_ms:,} ms"),
        Cell(printable(result.detail)),
    )
