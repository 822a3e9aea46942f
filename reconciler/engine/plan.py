"""Planning without writing: what `apply` would do, and what has drifted."""

from __future__ import annotations

from reconciler.core import collector
from reconciler.core.options import PlanOptions
from reconciler.core.overrides import Live
from reconciler.core.plan import Plan
from reconciler.core.planning import make_drift, make_plan
from reconciler.core.state import DesiredState, RegistryState
from reconciler.errors import UsageError
from reconciler.store import migrate, observe, overrides
from reconciler.store.session import Connection, translated


def plan(connection: Connection, desired: DesiredState, options: PlanOptions) -> Plan:
    """What `apply` would do; a database without our tables is an empty state, and stays without them.

    Raises:
        SchemaError: The tables are older or newer than this program.
        UsageError: An acknowledgement names no safety rule.
    """
    with collector.paused():
        state, live = _state(connection, options.source)
        return make_plan(desired, state, options, live)


def drift(connection: Connection, source: str) -> Plan:
    """What would bring the database back to what `source` applied last.

    Raises:
        UsageError: Nothing was ever applied under that name: a misspelt name must not look like no drift.
    """
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
        return observe.read_state(connection, source), overrides.read_live(connection)
