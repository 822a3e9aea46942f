"""Verification as programs ask for it: through an engine after the commit, as after an apply; in a caller's
session inside their transaction. What cannot be proven does not wait for a proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from reconciler.core import registration
from reconciler.core.address import Address
from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import PROBE_LEVELS, ProbeLevel
from reconciler.core.registration import Fault, Stored
from reconciler.core.wishes import Wish, switched
from reconciler.engine.prober import Ask, Prober
from reconciler.engine.probers import prober_of
from reconciler.errors import ProviderConfigError, UsageError
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import model_addresses
from reconciler.runtime.reading import read_models
from reconciler.runtime.refusing import error_of
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.writing import KINDS, Writing, Written, read_rows
from reconciler.service.verification import Meanwhile
from reconciler.store import retention
from reconciler.store.fetching import known_tables
from reconciler.store.session import Connection
from reconciler.store.transactions import is_within


class Verifying(Writing):
    """The part of the service that asks providers."""

    def verify_provider_model(
        self, provider: str, model_id: str, *, probe: ProbeLevel | None = None, fresh: bool = False
    ) -> ProviderModelConfigResponse:
        """Ask a model's endpoint whether it can be used, store what was found, and return the model.

        What went wrong is in the answer's `verification_status`, `verification_outcome` and
        `verification_detail`; `require_verified` raises it. A success activates a model that waited for it.
        An inactive model is not asked, and a notice says so. In a session's transaction the registry stays
        locked while the provider is asked, and until that transaction ends.

        Args:
            provider: The provider's name.
            model_id: The model, as its provider spells it.
            probe: What is asked, from the cheapest: `none`, `reach`, `credential`, `model`, `generate`; by
                default what the provider says, else `model`.
            fresh: Whether it is asked anew where asking costs something, and an earlier success still counts.

        Raises:
            NotFoundError: There is no such model.
            UsageError: There is no such probe.
            StoreUnavailableError: PostgreSQL did not answer.
            LockHeldError: Another run held the registry for too long; what was found is not stored.

        >>> service.verify_provider_model("openai", "gpt-4o").verification_outcome
        'ok'
        """
        return self.verify_provider_models([(provider, model_id)], probe=probe, fresh=fresh)[0]

    def verify_provider_models(
        self,
        models: Iterable[tuple[str, str]],
        *,
        probe: ProbeLevel | None = None,
        fresh: bool = False,
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """The same of several models, each a provider's name and a model's id, asked side by side."""
        if probe is not None and probe not in PROBE_LEVELS:
            raise UsageError(
                f"There is no probe '{probe}'.",
                code="unknown-probe",
                hint=f"the probes are {', '.join(PROBE_LEVELS)}",
            )
        asked = model_addresses(models)
        with self._around.door.opened(reading=True) as connection, known_tables():
            usable, idle = _sorted_out(connection, asked)
        paid = [
            address for address, level in usable.items() if level == "generate" and not probe and not fresh
        ]
        rest = tuple(address for address in usable if address not in paid)
        results: list[Result] = []
        if rest:
            results.extend(self._probe(selection=Selection(addresses=rest, probe=probe, fresh=fresh)))
        if paid:
            results.extend(self._probe(only=paid))
        self._let_go(results, usable)
        with self._around.door.opened(reading=True) as connection:
            return _answers(connection, asked, {address: (reason,) for address, reason in idle.items()})

    def _verified(self, models: Collection[Address]) -> tuple[str, ...]:
        """Verify what was registered, as after an apply; what went wrong with that, for it is stored now."""
        try:
            with self._around.door.opened(reading=True) as connection:
                usable, _ = _sorted_out(connection, models)
            self._let_go(self._probe(only=usable), usable)
        except ProviderConfigError as error:
            sentence = f"it is stored and could not be verified: {error.message}"
            self._say(sentence)
            return (sentence,)
        return ()

    def _probe(
        self, *, selection: Selection | None = None, only: Collection[Address] = ()
    ) -> tuple[Result, ...]:
        from reconciler.engine.verify import verify

        around = self._around
        prober = prober_of(around.settings, around.environ, say=self._say)
        with around.door.opened() as connection:
            results = verify(
                connection,
                replace(prober, ask=_apart(prober.ask)),
                source=around.settings.source,
                context=around.context,
                selection=selection,
                only=frozenset(only),
            )
            if not is_within(connection):
                self._trim(connection, prober)
        return results

    def _let_go(self, results: Iterable[Result], levels: dict[Address, str]) -> None:
        """Activate the models that wait for a proof which their probe can never give."""
        unproven = [
            result.address
            for result in results
            if result.probe == levels.get(result.address)
            and (result.outcome == "unprobeable" or result.probe == "none")
        ]
        if not unproven:
            return

        def wishes(connection: Connection) -> tuple[Sequence[Wish], Sequence[Fault]]:
            rows = read_rows(connection, unproven).rows
            waiting = [address for address, row in rows.items() if (row.hold, row.owner) == ("pending", None)]
            return [switched(address, active=True) for address in waiting], ()

        self._write(wishes, _nothing)

    def _trim(self, connection: Connection, prober: Prober) -> None:
        """Remove results that are too old; a failure of that is told and never hides what was found."""
        from reconciler.core.health import kept_for

        try:
            keep = kept_for(self._around.settings.retention)
            if keep is not None:
                retention.trim(connection, keep, now=prober.clock(connection))
        except ProviderConfigError as error:
            self._say(f"Old results of verification were not removed: {error.message}")


def _nothing(_connection: Connection, _written: Written) -> None:
    """Nobody asks what was written."""


def _sorted_out(
    connection: Connection, models: Collection[Address]
) -> tuple[dict[Address, str], dict[Address, str]]:
    """What is asked of the models that can be asked, and why the others cannot.

    Raises:
        NotFoundError: Some of them are not there.
    """
    rows = read_rows(connection, models).rows
    if absent := [address for address in models if address not in rows]:
        raise error_of([Fault("absence", f"there is no {one}", "register it first", one) for one in absent])
    providers = {Address("provider", address.provider) for address in models}
    stored = read_rows(connection, providers)
    usable, idle = {}, {}
    for address in models:
        if rows[address].active and _is_active(stored, address.provider):
            usable[address] = _provable(stored, address.provider)
        else:
            idle[address] = f"{address} is not active, so it was not asked"
    return usable, idle


def _provable(stored: Stored, provider: str) -> str:
    """What a provider's models are asked; nothing where no question can reach them, which is no proof."""
    row = stored.rows.get(Address("provider", provider))
    spec = row.spec if row else {}
    kind = KINDS.of(spec)
    is_reachable = "base_url" in spec or (kind is not None and kind.base_url is not None)
    level = registration.probe_of(spec)
    return level if is_reachable or level == "none" else ""


def _is_active(stored: Stored, provider: str) -> bool:
    row = stored.rows.get(Address("provider", provider))
    return row is None or row.active


def _answers(
    connection: Connection, models: Sequence[Address], notices: dict[Address, tuple[str, ...]]
) -> tuple[ProviderModelConfigResponse, ...]:
    found = {model.address: model for model in read_models(connection, addresses=models)}
    return in_order(models, found, notices)


def _apart(ask: Ask) -> Ask:
    """Asks in a thread of its own where an event loop runs in the caller's, which takes no second one."""

    def asked(targets: Sequence[ProbeTarget], meanwhile: Meanwhile | None = None) -> Sequence[Result]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return ask(targets, meanwhile)
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(ask, targets, meanwhile).result()

    return asked
