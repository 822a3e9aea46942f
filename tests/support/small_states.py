"""Desired states by hand, and the apply of one with every safety rule acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from reconciler.core.address import Address
from reconciler.core.options import PlanOptions
from reconciler.core.plan import Applied, Plan
from reconciler.core.problem import Place
from reconciler.core.state import Desired, DesiredState, Identity, SourceFile
from reconciler.engine.apply import ApplySettings, apply, nowhere
from reconciler.engine.plan import plan
from reconciler.store.record import RunContext
from reconciler.store.session import Connection

FILE = "registry.yaml"
ACTOR = RunContext("tester", "0.1", "because")


def provider(name: str, *, active: bool = True, **spec: Any) -> Desired:
    """A provider of the kind `openai`, if nothing else is said."""
    return _entity(Address("provider", name), {"kind": "openai", **spec}, active=active)


def parameters(name: str, **spec: Any) -> Desired:
    """A parameter set."""
    return _entity(Address("parameters", name), spec)


def template(name: str, **spec: Any) -> Desired:
    """A prompt template."""
    return _entity(Address("template", name), spec)


def model(key: str, *, active: bool = True, **spec: Any) -> Desired:
    """A model that uses the built-in set, if nothing else is said."""
    return _entity(Address("model", key), {"parameters": "default", "mode": "chat", **spec}, active=active)


def models(count: int, *, of: str = "p", active: bool = True, **spec: Any) -> tuple[Desired, ...]:
    """Models that differ in their numbers only: `p/m0`, `p/m1` and so on."""
    return tuple(model(f"{of}/m{number}", active=active, **spec) for number in range(count))


def _entity(address: Address, spec: dict[str, Any], *, active: bool = True) -> Desired:
    return Desired(address, spec, active, Place(FILE, 1, 1))


def state(*entities: Desired, origin: str = "providers.d", file: str = FILE) -> DesiredState:
    """The state that consists of these entities, all of one file."""
    return state_of(entities, origin=origin, file=file)


def state_of(entities: Iterable[Desired], *, origin: str = "providers.d", file: str = FILE) -> DesiredState:
    """The same of any number of entities."""
    placed = [one._replace(place=Place(file, line, 1)) for line, one in enumerate(entities, start=1)]
    defines = tuple(sorted(one.address for one in placed))
    content = SourceFile(hashlib.sha256(repr(placed).encode()).hexdigest(), defines)
    return DesiredState({one.address: one for one in placed}, {file: content}, (), Identity(origin))


def run(
    connection: Connection,
    desired: DesiredState,
    *accept: str,
    at: Callable[[str], None] = nowhere,
    lock_timeout: float = 30.0,
    approved: str | None = None,
    **options: Any,
) -> Applied:
    """Apply, with the acknowledgements and the plan's other options."""
    settings = ApplySettings(ACTOR, lock_timeout, approved, at)
    return apply(connection, desired, PlanOptions(accept=accept, **options), settings)


def planned(connection: Connection, desired: DesiredState, *accept: str, **options: Any) -> Plan:
    """Plan, with the acknowledgements and the plan's other options."""
    return plan(connection, desired, PlanOptions(accept=accept, **options))


def run_whatever_it_takes(connection: Connection, desired: DesiredState) -> Applied:
    """Apply with every acknowledgement that the plan asks for."""
    accept: tuple[str, ...] = ()
    while refusals := planned(connection, desired, *accept).refusals:
        given = len(accept)
        accept = (*accept, *(one.accept for one in refusals if one.accept))
        assert len(accept) > given, refusals
    return run(connection, desired, *accept)
