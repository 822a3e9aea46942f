"""Planning without writing: what `apply` would do, and what has drifted."""

from __future__ import annotations

from reconciler.core import collector
from reconciler.core.options import PlanOptions
from reconciler.core.plan import Plan
from reconciler.core.planning import make_drift, make_plan
from reconciler.core.state import DesiredState, RegistryState
from reconciler.store import migrate, observe
from reconciler.store.session import Connection, translated


def plan(connection: Connection, desired: DesiredState, options: PlanOptions) -> Plan:
    """What `apply` would do; a database without our tables is an empty state, and stays without them.

    Raises:
        SchemaError: The tables are older or newer than this program.
        UsageError: An acknowledgement names no safety rule.
    """
    with collector.paused():
        return make_plan(desired, _state(connection, options.source), options)


def drift(connection: Connection, source: str) -> Plan:
    """What would bring the database back to what `source` applied last."""
    with collector.paused():
        return make_drift(_state(connection, source), source=source)


def _state(connection: Connection, source: str) -> RegistryState:
    with translated(), observe.snapshot(connection):
        found = migrate.revision(connection)
        migrate.check_current(found)
        return observe.EMPTY if found is None else observe.read_state(connection, source)
