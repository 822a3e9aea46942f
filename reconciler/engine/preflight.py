"""Asking the providers about a plan's models before anything is written: what is probed is made from the
files alone, as the database would hold it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from reconciler.core.address import Address
from reconciler.core.outcome import Result
from reconciler.core.plan import Plan
from reconciler.core.planning import touched
from reconciler.core.preflight import examined
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import ProbeLevel
from reconciler.core.references import used_by_model
from reconciler.core.state import DesiredState, Spec
from reconciler.engine.prober import Ask
from reconciler.engine.purse import over_day, was_sent
from reconciler.engine.targets import settings_or_defaults, target_of
from reconciler.service.verification import Interrupted
from reconciler.store import budgets, claims, migrate
from reconciler.store.budgets import Reservation
from reconciler.store.session import Connection, translated


class Payer(Protocol):
    """Whose budget of the day pays for probes that generate."""

    def reserve(self, source: str, wanted: int, *, limit: int) -> Reservation:
        """What is granted of `wanted` probes, where `limit` are allowed in a day."""

    def give_back(self, reservation: Reservation, unused: int) -> None:
        """Put back what was granted and not sent."""


class Spender(NamedTuple):
    """Pays out of the database's count, as every verification does."""

    connection: Connection

    def reserve(self, source: str, wanted: int, *, limit: int) -> Reservation:
        """Take it out of the day's budget."""
        with translated():
            return budgets.reserve(self.connection, source, wanted, limit=limit)

    def give_back(self, reservation: Reservation, unused: int) -> None:
        """Put it back."""
        with translated():
            budgets.give_back(self.connection, reservation, unused)


class Onlooker:
    """For who may only read: grants what is left of the day, and writes nothing down."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._granted = 0

    def reserve(self, source: str, wanted: int, *, limit: int) -> Reservation:
        """What is left of the day after what this run was granted already."""
        with translated():
            has_tables = migrate.revision(self._connection) is not None
            used = budgets.used_today(self._connection).get(source, 0) if has_tables else 0
            day = claims.clock(self._connection).astimezone(UTC).date()
        granted = max(0, min(wanted, limit - used - self._granted))
        self._granted += granted
        return Reservation(source, day, granted, used + self._granted)

    def give_back(self, reservation: Reservation, unused: int) -> None:
        """Nothing was written down."""
        del reservation
        self._granted -= unused


def payer_of(connection: Connection, say: Callable[[str], None]) -> Payer:
    """Who pays for what a plan asks: the count of the day, where it is there and this user may write it.

    A plan writes nothing of the registry, but what was spent was spent.
    """
    with translated():
        if migrate.revision(connection) is not None and budgets.may_count(connection):
            return Spender(connection)
    say("What is generated here is bounded by today's budgets and cannot be counted in them.")
    return Onlooker(connection)


class Described(NamedTuple):
    """A model as the files describe it, with what a probe needs to know of it."""

    address: Address
    kind: str
    kind_spec: Spec | None
    base_url: str | None
    credentials: Any
    verification: Mapping[str, Any]
    mode: str
    parameters: Spec
    template: Spec | None
    capabilities: tuple[str, ...]


def examine(plan: Plan, desired: DesiredState, ask: Ask, level: ProbeLevel, payer: Payer) -> Plan:
    """The plan with what its new and changed models answer, refused where they definitively cannot be used.

    No result is stored: neither the plan nor its models are in the database yet.
    """
    models = [described(desired, address) for address in sorted(touched(plan, desired))]
    known, targets = dict[Address, Result](), list[ProbeTarget]()
    for model in models:
        one = target_of(model, level)
        if isinstance(one, Result):
            known[model.address] = one
        else:
            targets.append(one)
    limits = {model.address: settings_or_defaults(model.verification).budget for model in models}
    paid = [one.address for one in targets if one.level == "generate"]
    beyond, reserved = _paid_for(paid, limits, plan.source, payer)
    known |= beyond
    sent = [one for one in targets if one.address not in known]
    try:
        known |= {result.address: result for result in ask(sent)}
    except Interrupted as stop:
        known |= {result.address: result for result in stop.results}
        raise
    finally:
        for reservation, addresses in reserved:
            payer.give_back(reservation, sum(not was_sent(known.get(address)) for address in addresses))
    return examined(plan, [known[model.address] for model in models])


def _paid_for(
    paid: Sequence[Address], limits: Mapping[Address, int], source: str, payer: Payer
) -> tuple[dict[Address, Result], list[tuple[Reservation, tuple[Address, ...]]]]:
    """The results of those that there is no money for, and what was reserved for whom."""
    beyond, reserved = dict[Address, Result](), list[tuple[Reservation, tuple[Address, ...]]]()
    for limit, group in groupby(sorted(paid, key=limits.__getitem__), key=limits.__getitem__):
        wanted = tuple(group)
        granted = payer.reserve(source, len(wanted), limit=limit)
        reserved.append((granted, wanted[: granted.granted]))
        reason = over_day(source, granted.used, limit, granted.day)
        beyond |= {
            address: Result(address, "skipped", "generate", detail=reason)
            for address in wanted[granted.granted :]
        }
    return beyond, reserved


def described(desired: DesiredState, address: Address) -> Described:
    """What the files say of a model and of everything that it is made of."""
    model = desired.entities[address].spec
    used = {one.kind: _spec(desired, one) for one in used_by_model(model)}
    provider = _spec(desired, Address("provider", address.provider))
    return Described(
        address=address,
        kind=provider["kind"],
        kind_spec=provider.get("kind_spec"),
        base_url=provider.get("base_url"),
        credentials=provider.get("credentials"),
        verification=provider.get("verification", {}),
        mode=model["mode"],
        parameters=used["parameters"],
        template=used.get("template"),
        capabilities=tuple(model.get("capabilities", ())),
    )


def _spec(desired: DesiredState, address: Address) -> Spec:
    """An entity's spec; the built-in empty set is in no file."""
    found = desired.entities.get(address)
    return {} if found is None else found.spec
