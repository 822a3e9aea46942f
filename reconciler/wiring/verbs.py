"""The verbs of the command line over one connection: what the commands call, each verb once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.settings import Settings
from reconciler.wiring.verifying import Verification

if TYPE_CHECKING:
    from reconciler.core.address import Address
    from reconciler.core.files import Files
    from reconciler.core.listing import Event, ListedModel, Measurements, Run, ShownEntity
    from reconciler.core.options import Examination, PlanOptions
    from reconciler.core.outcome import Status
    from reconciler.core.plan import Applied, Plan
    from reconciler.store.session import Connection

Say = Callable[[str], None]


class Verbs:
    """The verbs of the command line over one connection.

    Args:
        connection: A connection in autocommit mode.
        settings: What the operator has set.
        say: Where the story goes.

    Attributes:
        verification: The verbs that ask providers.
    """

    def __init__(self, connection: Connection, settings: Settings, say: Say) -> None:
        self._connection = connection
        self._settings = settings
        self._say = say
        self.verification = Verification(connection, settings, say)

    def plan(self, files: Files, options: PlanOptions, *, first: Examination | None = None) -> Plan:
        """What `apply` would do; with `first`, the providers are asked about what would change."""
        from reconciler.engine.plan import plan

        found = plan(self._connection, files, options)
        if first is None:
            return found
        from reconciler.engine.preflight import payer_of

        return self.verification.examine(found, files.state, first, payer_of(self._connection, self._say))

    def drift(self, source: str) -> Plan:
        """What would bring the database back to what was applied."""
        from reconciler.engine.plan import drift

        return drift(self._connection, source)

    def apply(
        self,
        files: Files,
        options: PlanOptions,
        *,
        confirm: Callable[[Plan], bool] | None = None,
        first: Examination | None = None,
    ) -> Applied:
        """Bring the database to what the files ask for; `confirm` is shown the plan first, if it is given.

        With `first`, the providers are asked about what would change before anything is written.

        Raises:
            RefusedError: A safety rule or an ownership conflict; its `plan` holds the whole plan.
            ConflictError: The database changed under the plan.
            LockHeldError: Another run holds the registry.
        """
        from reconciler.engine.apply import ApplySettings, apply, apply_confirmed
        from reconciler.store.record import run_context

        chosen = ApplySettings(run_context(), self._settings.lock_timeout)
        if confirm is None and first is None:
            return apply(self._connection, files, options, chosen)

        def examine(found: Plan) -> Plan:
            if first is None:
                return found
            from reconciler.engine.preflight import Spender

            return self.verification.examine(found, files.state, first, Spender(self._connection))

        agreed = confirm or (lambda _plan: True)
        return apply_confirmed(self._connection, files, options, chosen, examine=examine, confirm=agreed)

    def _require_tables(self) -> None:
        """A reader has nothing to read in a database without our tables, and says so."""
        from reconciler.store import migrate

        migrate.require(self._connection)

    def list_models(
        self, *, active_only: bool, provider: str | None, status: Status | None = None
    ) -> tuple[ListedModel, ...]:
        """The registry's models by provider and id; only those of a status where one is given."""
        from reconciler.store import reading

        self._require_tables()
        return reading.list_models(
            self._connection, active_only=active_only, provider=provider, status=status
        )

    def measure(
        self, *, active_only: bool, provider: str | None, status: Status | None = None
    ) -> Measurements:
        """The same models with their health over time, all of one moment, for a monitoring system."""
        from reconciler.core.listing import Measurements
        from reconciler.store import budgets, claims, health, observe

        now = claims.clock(self._connection)
        with observe.snapshot(self._connection):
            listed = self.list_models(active_only=active_only, provider=provider, status=status)
            return Measurements(
                listed,
                health.by_model(self._connection, now=now, provider=provider),
                observe.read_generation(self._connection),
                health.last_applies(self._connection),
                budgets.used_today(self._connection),
            )

    def show(self, address: Address) -> ShownEntity:
        """One entity in full.

        Raises:
            UsageError: The registry has no such entity.
        """
        from reconciler.store import claims, reading

        self._require_tables()
        found = reading.show(self._connection, address, now=claims.clock(self._connection))
        if found is None:
            raise UsageError(
                f"The registry has no {address}.",
                code="no-such-entity",
                hint="`reconciler list` shows its models",
            )
        return found

    def history(self, address: Address | None, *, limit: int) -> tuple[tuple[Event, ...], tuple[Run, ...]]:
        """The newest events of the trail and the newest runs, newest first."""
        from reconciler.store import reading

        self._require_tables()
        events = reading.events(self._connection, address, limit=limit)
        # Of one entity, only the runs that touched it.
        only = None if address is None else {event.run for event in events if event.run is not None}
        return events, reading.runs(self._connection, limit=limit, only=only)

    def export(self, source: str | None) -> Mapping[str, str]:
        """The observed state as files of the format: file name to text."""
        from reconciler.engine.plan import no_such_source
        from reconciler.source.export import dump
        from reconciler.source.load import errors_of
        from reconciler.store import reading

        self._require_tables()
        if source is not None and not reading.is_source(self._connection, source):
            raise no_such_source(source)
        entities, orphans = reading.exported(self._connection, source)
        for address in orphans:
            self._say(f"Left out: {address}, whose provider is not registered.")
        texts = dump(entities)
        # A hand may have written what no file can say; better told here than by the next validate.
        for problem in errors_of(texts):
            place = problem.place
            self._say(f"The files will not load as they are: {place.file}:{place.line}: {problem.message}.")
        return texts
