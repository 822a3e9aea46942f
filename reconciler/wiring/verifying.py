"""How the registry's models are verified: the prober is put together here, from what the operator allows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.errors import ProviderConfigError
from reconciler.settings import Settings

if TYPE_CHECKING:
    from reconciler.core.options import Examination, Selection
    from reconciler.core.outcome import Result
    from reconciler.core.plan import Applied, Plan
    from reconciler.core.rehearsal import PlannedProbe
    from reconciler.core.state import DesiredState
    from reconciler.engine.preflight import Payer
    from reconciler.engine.prober import Ask, Prober
    from reconciler.store.session import Connection

Say = Callable[[str], None]
OnResult = Callable[["Result"], None]


class Verification:
    """Verification over one connection.

    Args:
        connection: A connection in autocommit mode.
        settings: What the operator has set.
        say: Where the story goes.
    """

    def __init__(self, connection: Connection, settings: Settings, say: Say) -> None:
        self._connection = connection
        self._settings = settings
        self._say = say

    def examine(self, plan: Plan, desired: DesiredState, first: Examination, payer: Payer) -> Plan:
        """A plan with what its new and changed models answer before anything is written."""
        from reconciler.engine.preflight import examine

        with first.watched() as on_result:
            return examine(plan, desired, self._probe(on_result), first.probe, payer)

    def verify(self, selection: Selection, *, on_result: OnResult | None = None) -> tuple[Result, ...]:
        """Probe the selected models and store what was found."""
        from reconciler.engine.verify import verify
        from reconciler.store import migrate
        from reconciler.store.record import run_context

        migrate.require(self._connection)
        results = verify(
            self._connection,
            self._prober(on_result),
            source=self._settings.source,
            context=run_context(),
            selection=selection,
        )
        self._trim_results()
        return results

    def rehearse(self, selection: Selection) -> tuple[PlannedProbe, ...]:
        """What `verify` would ask and what that would cost; nothing is asked and nothing written."""
        from reconciler.engine.rehearse import rehearse
        from reconciler.protocols.costs import estimate
        from reconciler.store import migrate

        migrate.require(self._connection)
        return rehearse(
            self._connection,
            self._prober(None, make_key=False),
            lambda target: estimate(target, allowed_hosts=self._settings.allowed_hosts),
            source=self._settings.source,
            selection=selection,
        )

    def verify_changed(self, applied: Applied, on_result: OnResult | None = None) -> tuple[Result, ...]:
        """Probe what an apply touched and store what was found."""
        from reconciler.engine.verify import verify
        from reconciler.store.record import run_context

        results = verify(
            self._connection,
            self._prober(on_result),
            source=applied.plan.source,
            context=run_context(),
            only=applied.touched,
            already=applied.plan.verification or (),
        )
        self._trim_results()
        return results

    def _trim_results(self) -> None:
        """Remove results that are too old; a failure of that is told and never hides what was found."""
        from reconciler.core.health import kept_for
        from reconciler.store import claims, retention

        try:
            keep = kept_for(self._settings.retention)
            if keep is not None:
                retention.trim(self._connection, keep, now=claims.clock(self._connection))
        except ProviderConfigError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._say(f"Old results of verification were not removed: {error.message}{hint}")

    def _prober(self, on_result: OnResult | None, *, make_key: bool = True) -> Prober:
        from reconciler.engine.probers import prober_of

        return prober_of(self._settings, os.environ, say=self._say, on_result=on_result, make_key=make_key)

    def _probe(self, on_result: OnResult | None) -> Ask:
        from reconciler.engine.probers import access_of, ask_with

        return ask_with(access_of(self._settings, os.environ), on_result)
