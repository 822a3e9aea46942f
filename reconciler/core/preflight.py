"""What probing before the commit means for a plan: pure, and apart from the safety rules, which are judged
without asking anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from reconciler.core.changes import Refusal
from reconciler.core.outcome import Result
from reconciler.core.plan import Plan

RULE = "verification"
# How many models a refusal names before it only counts them.
NAMED = 3


def examined(plan: Plan, results: Sequence[Result]) -> Plan:
    """The plan with what was found, and refused where that speaks definitively against it.

    The digest stays: it says what would be done, and that is the same.
    """
    found = tuple(results)
    return replace(plan, verification=found, refusals=(*plan.refusals, *refusals(found)))


def refusals(results: Iterable[Result]) -> tuple[Refusal, ...]:
    """One refusal for each provider and reason; nothing lifts it but leaving the question out.

    What may pass by itself is shown and refuses nothing. Parameters that the provider refuses do: every
    request of an application would fail as this one did.
    """
    against = sorted((one for one in results if is_against(one)), key=_reason)
    return tuple(_refusal(tuple(group)) for _, group in groupby(against, key=_reason))


def is_against(result: Result) -> bool:
    """Whether a result found before the commit speaks definitively against applying."""
    return result.is_bad or bool(result.refused_parameters)


def _reason(result: Result) -> tuple[str, str, tuple[str, ...]]:
    return result.address.provider, result.outcome, result.refused_parameters


def _refusal(group: Sequence[Result]) -> Refusal:
    first, more = group[0], len(group) - NAMED
    named = ", ".join(str(one.address) for one in group[:NAMED])
    others = f" and {more:,} more" if more > 0 else ""
    message = f"{named}{others}: {first.outcome}: {first.detail or 'the provider refused it'}"
    return Refusal(RULE, message, addresses=tuple(one.address for one in group))
