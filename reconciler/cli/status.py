"""The exit status of every answer, in one place, because scripts rely on the numbers.

0  done, or nothing to do                       3  refused: a safety rule, a conflict
1  an error                                     4  another run holds the lock
2  changes pending                              5  applied, but a verification failed
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.outcome import Result
from reconciler.core.plan import Plan
from reconciler.core.problem import Problem, has_errors
from reconciler.errors import ProviderConfigError

DONE = 0
FAILED = 1
PENDING = 2
REFUSED = 3
LOCKED = 4
UNVERIFIED = 5
# What shells expect of a program that Ctrl-C stopped.
INTERRUPTED = 130


def of_error(error: ProviderConfigError) -> int:
    """The status of a command that failed before its answer."""
    return error.exit_status


def after_commit(error: ProviderConfigError) -> int:
    """What goes wrong after a commit never says refused or locked: those mean that nothing was written."""
    found = error.exit_status
    return FAILED if found in {REFUSED, LOCKED} else found


def of_validation(problems: Iterable[Problem]) -> int:
    """Warnings are no failure."""
    return FAILED if has_errors(problems) else DONE


def of_plan(plan: Plan, *, detailed: bool) -> int:
    """A refused plan is refused whatever it holds; pending changes count only where that was asked for."""
    if plan.refusals:
        return REFUSED
    return PENDING if detailed and plan.changes else DONE


def of_drift(plan: Plan) -> int:
    """Drift is always told apart from none."""
    return PENDING if plan.changes else DONE


def of_apply(results: Iterable[Result], *, require_verified: bool) -> int:
    """What verification found counts only where that was asked for: the changes are applied either way."""
    return of_verification(results) if require_verified else DONE


def of_verification(results: Iterable[Result]) -> int:
    """Only outcomes that are definitive and bad: what may pass by itself is no failure."""
    return UNVERIFIED if any(result.is_bad for result in results) else DONE
