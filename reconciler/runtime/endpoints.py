"""Registering and changing providers by themselves; each single call is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.core.address import Address
from reconciler.core.requests import ProviderCreate, ProviderUpdate
from reconciler.core.wishes import Wish, changed_provider, new_provider, switched
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import Reader, Values
from reconciler.runtime.reading import read_providers
from reconciler.runtime.responses import ProviderResponse
from reconciler.runtime.writing import Writing, Written, default_kind
from reconciler.store.session import Connection


class Endpoints(Writing):
    """The part of the service that registers and changes providers."""

    def register_provider(
        self,
        name: str,
        *,
        kind: str | None = None,
        base_url: str | None = None,
        credentials: Mapping[str, str] | str | None = None,
        verification: Mapping[str, Any] | None = None,
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        protected: bool | None = None,
    ) -> ProviderResponse:
        """Store a provider; of a stored one, what is given is set, and the rest stays as it is.

        Args:
            name: Letters, digits, dots, `_` and `-`, at most 255.
            kind: Its kind; by default the name where that is a kind, else `openai-compatible`.
            base_url: Its endpoint; by default the kind's. Without either its models cannot be reached.
            credentials: References such as `{"api_key": "env:OPENAI_API_KEY"}`, or `none`; never a key.
            verification: How its models are verified: `probe`, `every` and the others of the files.
            description: What it is for.
            labels: Words to find it by; values are text.
            protected: Whether it and its models may not be deactivated.

        Raises:
            RegistrationError: An unknown kind or credential, a key in the place of a reference, a bad URL.
            ParameterValidationError: Models of the provider have parameters that its new kind does not take.
            OwnershipError: Files own the provider, and it would change.
            StoreUnavailableError: PostgreSQL did not answer.

        >>> service.register_provider("acme", base_url="https://llm.acme.example/v1").kind
        'openai-compatible'
        """
        given = {
            "name": name,
            "kind": kind,
            "base_url": base_url,
            "credentials": dict(credentials) if isinstance(credentials, Mapping) else credentials,
            "verification": None if verification is None else dict(verification),
            "description": description,
            "labels": None if labels is None else dict(labels),
            "protected": protected,
        }
        asked = {field: value for field, value in given.items() if value is not None}
        return self.register_provider_endpoints([asked])[0]

    def register_provider_endpoints(
        self, providers: Iterable[ProviderCreate | Values]
    ) -> tuple[ProviderResponse, ...]:
        """Store several providers, all of them or none; the answers are in the order given."""
        reader = Reader()
        asked = reader.each(ProviderCreate, providers)
        wishes = [new_provider(one, kind=default_kind(one.name)) for one in asked]
        return self._change_providers(wishes, reader)

    def update_provider(self, name: str, updates: ProviderUpdate | Values) -> ProviderResponse:
        """Change a stored provider: the fields that are given, `None` removing one.

        Where `verification` stops asking for `activation: verified`, the models that wait are let go.

        Raises:
            NotFoundError: There is no such provider.
            RegistrationError: An unknown kind or credential, a key in the place of a reference, a bad URL.
            ParameterValidationError: Models of the provider have parameters that its new kind does not take.
            StatusError: It is protected and would be deactivated.
            OwnershipError: Files own the provider.

        >>> service.update_provider("openai", {"labels": {"contract": "4711"}}).labels
        {'contract': '4711'}
        """
        return self.update_provider_endpoints({name: updates})[0]

    def update_provider_endpoints(
        self, updates: Mapping[str, ProviderUpdate | Values]
    ) -> tuple[ProviderResponse, ...]:
        """Change several providers by name, all of them or none; the answers are in that order."""
        reader, wishes = Reader(), []
        for name, given in updates.items():
            asked = reader.one(ProviderUpdate, given, of=f"provider:{name}")
            if asked is not None:
                wishes.append(changed_provider(name, asked, kind=default_kind(name)))
        return self._change_providers(wishes, reader)

    def deactivate_provider(self, name: str) -> ProviderResponse:
        """Switch a provider off, so that none of its models can be used; their own rows stay as they are.

        Raises:
            NotFoundError: There is no such provider.
            StatusError: It is protected.
            OwnershipError: Files own it.

        >>> service.deactivate_provider("openai").is_active
        False
        """
        return self.deactivate_provider_endpoints([name])[0]

    def deactivate_provider_endpoints(self, names: Iterable[str]) -> tuple[ProviderResponse, ...]:
        """Switch several providers off, all of them or none."""
        return self._switch_providers(names, active=False)

    def reactivate_provider(self, name: str) -> ProviderResponse:
        """Switch a provider on again; its models are what they were.

        Raises:
            NotFoundError: There is no such provider.
            OwnershipError: Files own it.

        >>> service.reactivate_provider("openai").is_active
        True
        """
        return self.reactivate_provider_endpoints([name])[0]

    def reactivate_provider_endpoints(self, names: Iterable[str]) -> tuple[ProviderResponse, ...]:
        """Switch several providers on again, all of them or none."""
        return self._switch_providers(names, active=True)

    def _switch_providers(self, names: Iterable[str], *, active: bool) -> tuple[ProviderResponse, ...]:
        wishes = [switched(Address("provider", name), active=active) for name in dict.fromkeys(names)]
        return self._change_providers(wishes, Reader())

    def _change_providers(self, wishes: Sequence[Wish], reader: Reader) -> tuple[ProviderResponse, ...]:
        addresses = [wish.address for wish in wishes]

        def answer(connection: Connection, written: Written) -> tuple[ProviderResponse, ...]:
            rows = read_providers(connection, names=[address.key for address in addresses])
            return in_order(addresses, {Address("provider", row.name): row for row in rows}, written.notices)

        return self._write(lambda _: (wishes, ()), answer, faults=reader.faults)
