"""The one way by which programs write: read what is stored, decide, and write it in bulk, in one transaction
under the registry's lock, for one entity and for ten thousand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from reconciler import kinds
from reconciler.core import collector, registration
from reconciler.core.address import Address
from reconciler.core.changes import Change, Create
from reconciler.core.objections import View
from reconciler.core.plan_digest import canonical
from reconciler.core.policy import some
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.registration import Fault, Stored
from reconciler.core.state import Spec
from reconciler.core.wishes import Wish
from reconciler.errors import UsageError
from reconciler.runtime.calls import Calls
from reconciler.runtime.fresh import Creation
from reconciler.runtime.refusing import error_of, ownership_error
from reconciler.runtime.sound import is_storable
from reconciler.source.spelling import did_you_mean
from reconciler.store import bulk, creating, lock, record, registering
from reconciler.store.fetching import known_tables
from reconciler.store.session import Connection, StaleReadError, translated
from reconciler.store.transactions import is_within

# A hand edit in between is rare; one that keeps happening is a person or a program working against us.
ATTEMPTS = 3

Answer = TypeVar("Answer")
# The wishes of a call, and what is wrong with them, from what only the database knows.
WishesOf: TypeAlias = Callable[[Connection], tuple[Sequence[Wish], Sequence[Fault]]]


# What makes the answer without reading it back; `None` where it has to be read.
Prepare: TypeAlias = Callable[[Connection, Creation], Callable[[], Any] | None]


@dataclass(frozen=True, slots=True)
class Written:
    """What a call has written, and what its caller should know.

    Attributes:
        notices: Sentences by the entity that they are about.
        prepared: The answer, where it was made of what was written; else `None`.
    """

    notices: Mapping[Address, tuple[str, ...]]
    prepared: Any = None


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call asks for."""

    wishes_of: WishesOf
    faults: tuple[Fault, ...]
    activations: Mapping[Address, str]
    prepare: Prepare | None


class Writing(Calls):
    """The part of the service that writes."""

    def _write(
        self,
        wishes_of: WishesOf,
        answer: Callable[[Connection, Written], Answer],
        *,
        faults: Iterable[Fault] = (),
        activations: Mapping[Address, str] = MappingProxyType({}),
        prepare: Prepare | None = None,
    ) -> Answer:
        """Write what is wished for, wholly or not at all, and answer over the same connection.

        Args:
            wishes_of: Tells the wishes, under the lock.
            answer: Reads what the caller gets.
            faults: What is wrong with the call already: it is told with everything else.
            activations: Whether a new model is active at once, `immediate`, or once it was `verified`, where
                the caller says so.
            prepare: Makes the answer where everything that is written is new.
        """
        call = _Call(wishes_of, tuple(faults), activations, prepare)

        def attempt() -> Answer:
            with self._around.door.opened() as connection, collector.paused():
                return answer(connection, self._again(connection, call))

        return lock.patiently(attempt, lock_timeout=self._around.settings.lock_timeout)

    def _again(self, connection: Connection, call: _Call) -> Written:
        # Inside a caller's transaction the next attempt may see no more than this one.
        for _ in range(0 if is_within(connection) else ATTEMPTS - 1):
            try:
                return self._once(connection, call)
            except StaleReadError:
                continue
        return self._once(connection, call)

    def _once(self, connection: Connection, call: _Call) -> Written:
        timeout, prepared = self._around.settings.lock_timeout, None
        with translated(), known_tables(), lock.writing(connection, lock_timeout=timeout) as generation:
            wishes, unknown = call.wishes_of(connection)
            decision = _decide(connection, wishes, (*call.faults, *unknown))
            if decision.changes:
                record.announce(connection, None, self._around.context)
                prepared = _carry_out(connection, decision, call, generation + 1)
                lock.raise_generation(connection, generation + 1)
        shared = decision.shared()
        for sentences in shared.values():
            self._tell(sentences)
        return Written(decision.notices(shared), prepared)

    def _tell(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self._say(sentence)


def _carry_out(connection: Connection, decision: _Decision, call: _Call, generation: int) -> Any:
    """Write everything, new rows first, for changed ones may refer to them; the answer, if any."""
    new, rest = list[Create](), list[Change]()
    for change in decision.changes:
        if isinstance(change, Create):
            new.append(change)
        else:
            rest.append(change)
    pending = decision.pending(new, call.activations)
    reserved = creating.reserve(connection, new)
    making = None
    if call.prepare is not None and not rest:
        making = call.prepare(connection, Creation(decision.view, reserved, pending))
    is_pending = pending.__contains__
    made = creating.create_rows(
        connection,
        new,
        reserved,
        is_pending=is_pending,
        generation=generation,
        meanwhile=making or (lambda: None),
    )
    if rest:
        bulk.write_rows(connection, rest, is_pending=is_pending, generation=generation)
    return made


@dataclass(frozen=True, slots=True)
class _Decision:
    """What is to be written, and the registry around it."""

    asked: Collection[Address]
    changes: tuple[Change, ...]
    view: View

    def pending(self, new: Iterable[Create], activations: Mapping[Address, str]) -> frozenset[Address]:
        """The new models that wait for their first success; where nothing is ever asked, none does."""
        usual: dict[str, tuple[bool, str]] = {}
        waiting = []
        for change in new:
            address = change.address
            if address.kind != "model":
                continue
            provider = address.provider
            if provider not in usual:
                spec = self.view.spec(Address("provider", provider)) or {}
                asks = registration.probe_of(spec) != "none"
                usual[provider] = asks, registration.activation_of(spec) or "verified"
            asks, activation = usual[provider]
            if asks and activations.get(address, activation) == "verified":
                waiting.append(address)
        return frozenset(waiting)

    def shared(self) -> dict[Address, tuple[str, ...]]:
        """Who else feels a changed set or template."""
        found: dict[Address, tuple[str, ...]] = {}
        for address, others in self.view.others(self.asked).items():
            gets = "gets" if len(others) == 1 else "get"
            what = "values" if address.kind == "parameters" else "texts"
            who = some(others)
            found[address] = (f"{address} is also used by {who}, which {gets} the new {what} too",)
        return found

    def notices(self, shared: Mapping[Address, tuple[str, ...]]) -> dict[Address, tuple[str, ...]]:
        """Everything that the caller should know."""
        providers = {
            address.key if address.kind == "provider" else address.provider
            for address in self.asked
            if address.kind in {"provider", "model"}
        }
        about = {
            Address("provider", name): (sentence,)
            for name, sentence in self.view.unreachable(sorted(providers)).items()
        }
        return {**self.view.warnings(), **shared, **about}


def _decide(connection: Connection, wishes: Sequence[Wish], faults: Sequence[Fault]) -> _Decision:
    """What has to be written.

    Raises:
        ProviderConfigError: Something speaks against it; everything that does.
    """
    wanted, contradictions = registration.merged(wishes)
    stored = read_rows(connection, wanted)
    asked = registration.changes_of(wanted.values(), stored)
    stored = registering.read_users(connection, registration.felt(asked)).more(stored)
    changes = registration.let_go(asked, stored)
    if owned := registration.owned(changes, stored):
        raise ownership_error(owned)
    view = _view(connection, stored, changes)
    found = (*faults, *contradictions, *registration.missing(wanted.values(), stored), *view.faults())
    if found:
        raise error_of(found)
    return _Decision(wanted.keys(), changes, view)


def _view(connection: Connection, stored: Stored, changes: tuple[Change, ...]) -> View:
    """The registry around the changes, with everything that its models refer to."""
    view = View(stored, changes, KINDS)
    if needed := view.references():
        view = View(stored.more(read_rows(connection, needed)), changes, KINDS)
    return view


def read_rows(connection: Connection, addresses: Collection[Address]) -> Stored:
    """The rows of these addresses; what no database can hold has none."""
    if not is_storable("".join([address.key for address in addresses])):
        addresses = [address for address in addresses if is_storable(address.key)]
    return registering.read_rows(connection, addresses)


class _Kinds:
    """The kinds that are built in, and those that a provider's row describes."""

    def of(self, provider: Spec) -> ProviderKind | None:
        """The kind of a provider; `None` where there is none such, or a hand has spoilt its description."""
        name, own = str(provider.get("kind")), provider.get("kind_spec")
        if own is None:
            return kinds.built_in(name) if name in kinds.names() else None
        try:
            return _users_kind(name, canonical(own))
        except (ValueError, TypeError, AttributeError, UsageError):
            return None

    def hint(self, name: str) -> str:
        """Which kind may have been meant."""
        return did_you_mean(name, kinds.names()) or f"the kinds are {', '.join(kinds.names())}"


KINDS = _Kinds()


@lru_cache(maxsize=64)
def _users_kind(name: str, spec: bytes) -> ProviderKind:
    return kinds.from_spec(name, json.loads(spec))


def default_kind(provider: str) -> str:
    """The kind of a new provider for which none is named.

    >>> default_kind("openai"), default_kind("acme")
    ('openai', 'openai-compatible')
    """
    return provider if provider in kinds.names() else "openai-compatible"
