"""Planning without writing: what `apply` would do, and what has drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core import collector
from reconciler.core.files import Files, as_files
from reconciler.core.options import PlanOptions
from reconciler.core.plan import Plan
from reconciler.core.state import DesiredState, RegistryState
from reconciler.engine.unchanged import unchanged
from reconciler.errors import UsageError
from reconciler.store import migrate, observe
from reconciler.store.remembered import Look
from reconciler.store.session import Connection, translated

if TYPE_CHECKING:  # what compares values is loaded by the runs that do
    from reconciler.core.overrides import Live


def plan(connection: Connection, desired: Files | DesiredState, options: PlanOptions) -> Plan:
    """What `apply` would do; a database without our tables is an empty state, and stays without them.

    Raises:
        SourceError: The files have errors.
        SchemaError: The tables are older or newer than this program.
        UsageError: An acknowledgement names no safety rule.
    """
    if options.accept:
        from reconciler.core.policy import check_acknowledgements

        check_acknowledgements(options.accept)
    files = as_files(desired)
    if (short := _shortened(connection, files, options)) is not None:
        return short
    wanted = files.state
    from reconciler.core.planning import make_plan

    with collector.paused():
        state, live = _state(connection, options.source)
        return make_plan(wanted, state, options, live)


def _shortened(connection: Connection, files: Files, options: PlanOptions) -> Plan | None:
    """The plan by what changed since the last apply, where that says it all."""
    if files.prints is None:
        return None
    with collector.paused(), translated(), observe.snapshot(connection):
        if migrate.revision(connection) != migrate.head():
            return None
        look = Look(connection, options.source)
        if (same := unchanged(look, files.prints, options)) is not None:
            return same
        from reconciler.engine.partial import partial

        found = partial(look, files, options)
        return None if found is None else found.plan


def drift(connection: Connection, source: str) -> Plan:
    """What would bring the database back to what `source` applied last.

    Raises:
        UsageError: Nothing was ever applied under that name: a misspelt name must not look like no drift.
    """
    from reconciler.core.planning import make_drift

    with collector.paused():
        state, live = _state(connection, source)
        if state.record.identity is None:
            raise no_such_source(source)
        return make_drift(state, source=source, live=live)


def no_such_source(source: str) -> UsageError:
    """The error for a source that this database has never seen."""
    return UsageError(
        f"Nothing was ever applied here as source '{source}'.",
        code="no-such-source",
        hint="check --source (RECONCILER_SOURCE) and the database; `reconciler history` shows what ran",
    )


def _state(connection: Connection, source: str) -> tuple[RegistryState, Live | None]:
    """What the database holds, and what is held away from it, both of one moment."""
    with translated(), observe.snapshot(connection):
        found = migrate.revision(connection)
        migrate.check_current(found)
        if found is None:
            return observe.EMPTY, None
        from reconciler.store import overrides

        return observe.read_state(connection, source), overrides.read_live(connection)
