"""Applying: one transaction under the registry's lock in which the state is read, planned, guarded and
written, so that a plan is never carried out on rows that it was not made from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter

from reconciler.core import collector
from reconciler.core.options import PlanOptions
from reconciler.core.plan import Applied, Plan
from reconciler.core.planning import make_plan, touched
from reconciler.core.state import DesiredState
from reconciler.engine.plan import plan
from reconciler.errors import ConflictError, ProviderConfigError, RefusedError, StoreUnavailableError
from reconciler.store import bulk, lock, observe, overrides, record
from reconciler.store.bulk import nowhere
from reconciler.store.record import RunContext
from reconciler.store.session import Connection, StaleReadError, translated

# A hand edit in between is rare; one that keeps happening is a person or a program working against us.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """How to apply.

    Attributes:
        lock_timeout: Seconds to wait for another run.
        context: Who runs.
        approved: The digest of the plan that a person agreed to; `None` where any plan is agreed to.
        at: Called with a name at each point of an apply that a test may want to stop at.
    """

    context: RunContext
    lock_timeout: float = 30.0
    approved: str | None = None
    at: Callable[[str], None] = field(default=nowhere)


def apply(
    connection: Connection, desired: DesiredState, options: PlanOptions, settings: ApplySettings
) -> Applied:
    """Bring the database to what the files ask for, wholly or not at all.

    Raises:
        RefusedError: A safety rule or an ownership conflict stands against the plan.
        ConflictError: Rows kept changing in between, or the plan is not the one that was agreed to.
        LockHeldError: Another run held the registry for too long.
        StoreUnavailableError: PostgreSQL broke off; the tables are as they were.
    """
    try:
        return _attempts(connection, desired, options, settings)
    except (RefusedError, StaleReadError):
        raise
    except ProviderConfigError as error:
        if error.code == "database-refused":
            _leave_record(connection, desired, options, settings, error)
        raise


def apply_confirmed(
    connection: Connection,
    desired: DesiredState,
    options: PlanOptions,
    settings: ApplySettings,
    *,
    examine: Callable[[Plan], Plan],
    confirm: Callable[[Plan], bool],
) -> Applied:
    """Show the plan first, and apply that plan and no other if it is agreed to.

    `examine` may add what speaks against it, having asked the providers; then nothing is written. Where it
    is declined, what is returned has no run and no counts. Raises as `apply` does.
    """
    shown = plan(connection, desired, options)
    guard(shown, approved=None)
    shown = examine(shown)
    guard(shown, approved=None)
    if shown.changes and not confirm(shown):
        return Applied(shown, None, {})
    done = apply(connection, desired, options, replace(settings, approved=shown.digest))
    return replace(done, plan=replace(done.plan, verification=shown.verification))


def _attempts(
    connection: Connection, desired: DesiredState, options: PlanOptions, settings: ApplySettings
) -> Applied:
    def attempt() -> Applied:
        return _attempt(connection, desired, options, settings)

    for _ in range(ATTEMPTS - 1):
        try:
            return lock.patiently(attempt, lock_timeout=settings.lock_timeout)
        except StaleReadError:
            settings.at("again")
    return lock.patiently(attempt, lock_timeout=settings.lock_timeout)


def _attempt(
    connection: Connection, desired: DesiredState, options: PlanOptions, settings: ApplySettings
) -> Applied:
    started = perf_counter()
    with (
        collector.paused(),
        translated(),
        lock.writing(connection, lock_timeout=settings.lock_timeout) as generation,
    ):
        settings.at("after-lock")
        state = observe.read_state(connection, options.source)
        found = make_plan(desired, state, options, overrides.read_live(connection))
        guard(found, approved=settings.approved)
        planned = perf_counter()
        settings.at("after-read")
        run = _write(connection, found, desired, settings, generation + 1) if found.changes else None
        if run is None and (found.bookkeeping.is_due or not record.is_current(state.record, desired)):
            _note(connection, found, desired, settings, generation)
        settings.at("before-commit")
    settings.at("after-commit")
    counts = {action: number for action, number in found.summary.items() if action != "unchanged"}
    seconds = {"plan": planned - started, "apply": perf_counter() - planned}
    return Applied(found, run, counts, seconds=seconds, touched=touched(found, desired))


def guard(plan: Plan, *, approved: str | None) -> None:
    """Let nothing through that is refused, or that is not what was agreed to."""
    if plan.refusals:
        raise RefusedError(plan.refusals, plan=plan)
    if approved is not None and plan.digest != approved:
        raise ConflictError(
            "The database changed after the plan was shown; nothing was applied.", hint="plan again"
        )


def _write(
    connection: Connection, plan: Plan, desired: DesiredState, settings: ApplySettings, generation: int
) -> int:
    run = record.begin_run(connection, plan, desired.identity, settings.context)
    bulk.write(connection, plan, desired.entities, generation=generation, at=settings.at)
    record.write_source(connection, plan, desired, run)
    record.finish_run(connection, run, generation)
    return run


def _note(
    connection: Connection, plan: Plan, desired: DesiredState, settings: ApplySettings, generation: int
) -> None:
    """Bookkeeping without a change: no run, no new generation, nothing in the trail."""
    record.announce(connection, plan.source, settings.context)
    bulk.write(connection, plan, desired.entities, generation=generation, at=settings.at)
    record.write_source(connection, plan, desired, None)


def _leave_record(
    connection: Connection,
    desired: DesiredState,
    options: PlanOptions,
    settings: ApplySettings,
    error: ProviderConfigError,
) -> None:
    # The reason for the failure is what the caller must hear; a record that cannot be left changes nothing.
    with suppress(StoreUnavailableError), translated():
        record.record_failure(
            connection, options.source, desired.identity, settings.context, error=error.message
        )
