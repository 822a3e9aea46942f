"""Applying: one transaction under the registry's lock in which the state is read, planned, guarded and
written, so that a plan is never carried out on rows that it was not made from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TypeAlias

from reconciler.core import collector
from reconciler.core.changes import ACTIONS
from reconciler.core.files import Files, as_files
from reconciler.core.options import PlanOptions
from reconciler.core.parts import Part
from reconciler.core.plan import Applied, Plan
from reconciler.core.planning import make_plan, touched
from reconciler.core.policy import check_acknowledgements
from reconciler.core.state import DesiredState
from reconciler.engine.plan import plan
from reconciler.engine.unchanged import unchanged
from reconciler.errors import ConflictError, ProviderConfigError, RefusedError, StoreUnavailableError
from reconciler.store import bulk, lock, observe, overrides, record, remembered
from reconciler.store.bulk import nowhere
from reconciler.store.record import Noted, RunContext
from reconciler.store.remembered import Look
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
    connection: Connection, desired: Files | DesiredState, options: PlanOptions, settings: ApplySettings
) -> Applied:
    """Bring the database to what the files ask for, wholly or not at all.

    Raises:
        SourceError: The files have errors.
        RefusedError: A safety rule or an ownership conflict stands against the plan.
        ConflictError: Rows kept changing in between, or the plan is not the one that was agreed to.
        LockHeldError: Another run held the registry for too long.
        StoreUnavailableError: PostgreSQL broke off; the tables are as they were.
    """
    files = as_files(desired)
    if (nothing := _nothing_to_do(connection, files, options, settings)) is not None:
        return nothing
    if (part := _part(connection, files, options)) is not None:
        done = _carried_out(connection, part.state, _of_part(connection, part, options), options, settings)
        if done is not None:
            return done
    wanted = files.state
    done = _carried_out(connection, wanted, _of_all(connection, wanted, options), options, settings)
    assert done is not None
    return done


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was decided under the lock.

    Attributes:
        plan: The plan.
        desired: What it was made from: all files, or those that changed.
        files: What is remembered of the files.
        is_current: Whether that is remembered already.
    """

    plan: Plan
    desired: DesiredState
    files: Noted
    is_current: bool


# Decides under the lock; `None` where the files have to be read anew for that.
_Judge: TypeAlias = Callable[[], _Judged | None]


def _of_all(connection: Connection, desired: DesiredState, options: PlanOptions) -> _Judge:
    def judge() -> _Judged:
        state = observe.read_state(connection, options.source)
        found = make_plan(desired, state, options, overrides.read_live(connection))
        files = record.noted(desired)
        return _Judged(
            found, desired, files, is_current=record.is_current(connection, state.record, found, files)
        )

    return judge


def _of_part(connection: Connection, part: Part, options: PlanOptions) -> _Judge:
    from reconciler.engine.partial import planned

    def judge() -> _Judged | None:
        found = planned(Look(connection, options.source), part, options)
        if found is None:
            return None
        files = record.noted_part(part, found.entities)
        return _Judged(found.plan, found.desired, files, is_current=False)

    return judge


def _part(connection: Connection, files: Files, options: PlanOptions) -> Part | None:
    """The files that changed, read before the lock is taken."""
    if files.prints is None:
        return None
    from reconciler.engine.partial import part_of

    with translated(), observe.snapshot(connection):
        return part_of(Look(connection, options.source), files, options)


def _carried_out(
    connection: Connection,
    desired: DesiredState,
    judge: _Judge,
    options: PlanOptions,
    settings: ApplySettings,
) -> Applied | None:
    try:
        return _attempts(connection, judge, settings)
    except (RefusedError, StaleReadError):
        raise
    except ProviderConfigError as error:
        if error.code == "database-refused":
            _leave_record(connection, desired, options, settings, error)
        raise


def _nothing_to_do(
    connection: Connection, files: Files, options: PlanOptions, settings: ApplySettings
) -> Applied | None:
    """What an apply did for which nothing was left to do; `None` where that is not certain.

    Under the lock, like every apply: what another run is writing must not be taken for what will be there.
    """
    check_acknowledgements(options.accept)
    if (prints := files.prints) is None:
        return None
    started = perf_counter()
    with translated():
        last = remembered.read(connection, options.source)
        if last is None or last.input_digest != prints.digest:
            return None
        with lock.writing(connection, lock_timeout=settings.lock_timeout):
            same = unchanged(Look(connection, options.source), prints, options)
    if same is None:
        return None
    guard(same, approved=settings.approved)
    seconds = {"plan": perf_counter() - started, "apply": 0.0}
    return Applied(same, None, dict.fromkeys(ACTIONS, 0), seconds=seconds)


def apply_confirmed(
    connection: Connection,
    desired: Files | DesiredState,
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


def _attempts(connection: Connection, judge: _Judge, settings: ApplySettings) -> Applied | None:
    def attempt() -> Applied | None:
        return _attempt(connection, judge, settings)

    for _ in range(ATTEMPTS - 1):
        try:
            return lock.patiently(attempt, lock_timeout=settings.lock_timeout)
        except StaleReadError:
            settings.at("again")
    return lock.patiently(attempt, lock_timeout=settings.lock_timeout)


def _attempt(connection: Connection, judge: _Judge, settings: ApplySettings) -> Applied | None:
    started = perf_counter()
    with (
        collector.paused(),
        translated(),
        lock.writing(connection, lock_timeout=settings.lock_timeout) as generation,
    ):
        settings.at("after-lock")
        if (judged := judge()) is None:
            return None
        found = judged.plan
        guard(found, approved=settings.approved)
        planned = perf_counter()
        settings.at("after-read")
        run = _write(connection, judged, settings, generation + 1) if found.changes else None
        if run is None:
            _keep_current(connection, judged, settings, generation)
        settings.at("before-commit")
    settings.at("after-commit")
    counts = {action: number for action, number in found.summary.items() if action != "unchanged"}
    seconds = {"plan": planned - started, "apply": perf_counter() - planned}
    return Applied(found, run, counts, seconds=seconds, touched=touched(found, judged.desired))


def guard(plan: Plan, *, approved: str | None) -> None:
    """Let nothing through that is refused, or that is not what was agreed to."""
    if plan.refusals:
        raise RefusedError(plan.refusals, plan=plan)
    if approved is not None and plan.digest != approved:
        raise ConflictError(
            "The database changed after the plan was shown; nothing was applied.", hint="plan again"
        )


def _write(connection: Connection, judged: _Judged, settings: ApplySettings, generation: int) -> int:
    plan, desired = judged.plan, judged.desired
    run = record.begin_run(connection, plan, desired.identity, settings.context)
    bulk.write(connection, plan, desired.entities, generation=generation, at=settings.at)
    record.write_source(connection, plan, judged.files, run)
    remembered.write_state_digest(connection, plan.source)
    record.finish_run(connection, run, generation)
    return run


def _keep_current(connection: Connection, judged: _Judged, settings: ApplySettings, generation: int) -> None:
    """Without a change there may still be something to note, so that the next run has less to look at; it is
    no run, raises no generation, and leaves nothing in the trail.
    """
    plan = judged.plan
    if plan.bookkeeping.is_due or not judged.is_current:
        record.announce(connection, plan.source, settings.context)
        bulk.write(connection, plan, judged.desired.entities, generation=generation, at=settings.at)
        record.write_source(connection, plan, judged.files, None)
    if remembered.changed(connection, plan.source).rows:
        remembered.refresh(connection, plan.source)
    remembered.write_state_digest(connection, plan.source)


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
