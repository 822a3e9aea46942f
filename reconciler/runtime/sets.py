"""Registering and changing parameter sets by themselves; each single call is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.requests import LLMParametersCreate, LLMParametersUpdate
from reconciler.core.wishes import Wish, changed_parameters, new_parameters, switched
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import Reader, Values
from reconciler.runtime.reading import read_parameters
from reconciler.runtime.responses import LLMParametersResponse
from reconciler.runtime.writing import Writing, Written
from reconciler.store.session import Connection


class ParameterSets(Writing):
    """The part of the service that registers and changes parameter sets."""

    def register_parameters(self, parameters: LLMParametersCreate | Values) -> LLMParametersResponse:
        """Store a parameter set under its name, or replace what is stored there for everybody who uses it.

        New values are checked against every model that uses the set; who does is in `notices` and the log.

        Raises:
            ParameterValidationError: A value is out of its range, or a model's provider does not take it.
            RegistrationError: The name is reserved (`default`) or none, or a text holds a key.
            OwnershipError: Files own the set, and it would change.
            StoreUnavailableError: PostgreSQL did not answer.

        >>> service.register_parameters(LLMParametersCreate(name="bold", temperature=1.2)).temperature
        1.2
        """
        return self.register_parameter_sets([parameters])[0]

    def register_parameter_sets(
        self, parameters: Iterable[LLMParametersCreate | Values]
    ) -> tuple[LLMParametersResponse, ...]:
        """Store several sets, all of them or none; the answers are in the order given."""
        reader = Reader()
        wishes = [new_parameters(one) for one in reader.each(LLMParametersCreate, parameters, about="values")]
        return self._change_sets(wishes, reader)

    def update_parameters(self, name: str, updates: LLMParametersUpdate | Values) -> LLMParametersResponse:
        """Change a stored set: the fields that are given, `None` removing one.

        Raises:
            NotFoundError: There is no such set.
            ParameterValidationError: A value is out of its range, or a model's provider does not take it.
            RegistrationError: It is the built-in set.
            OwnershipError: Files own the set.

        >>> service.update_parameters("precise", {"temperature": None, "top_p": 0.9}).values
        {'max_new_tokens': 200, 'top_p': 0.9}
        """
        return self.update_parameter_sets({name: updates})[0]

    def update_parameter_sets(
        self, updates: Mapping[str, LLMParametersUpdate | Values]
    ) -> tuple[LLMParametersResponse, ...]:
        """Change several sets by name, all of them or none; the answers are in that order."""
        reader, wishes = Reader(), []
        for name, given in updates.items():
            asked = reader.one(LLMParametersUpdate, given, about="values", of=f"parameters:{name}")
            if asked is not None:
                wishes.append(changed_parameters(name, asked))
        return self._change_sets(wishes, reader)

    def deactivate_parameters(self, name: str) -> LLMParametersResponse:
        """Switch a set off that no active model uses.

        Raises:
            NotFoundError: There is no such set.
            StatusError: An active model uses it (`in-use`).
            OwnershipError: Files own it.

        >>> _ = service.register_parameters({"name": "bold", "temperature": 1.2})
        >>> service.deactivate_parameters("bold").is_active
        False
        """
        return self.deactivate_parameter_sets([name])[0]

    def deactivate_parameter_sets(self, names: Iterable[str]) -> tuple[LLMParametersResponse, ...]:
        """Switch several sets off, all of them or none."""
        return self._switch_sets(names, active=False)

    def reactivate_parameters(self, name: str) -> LLMParametersResponse:
        """Switch a set on again.

        Raises:
            NotFoundError: There is no such set.
            OwnershipError: Files own it.

        >>> service.reactivate_parameters("precise").is_active
        True
        """
        return self.reactivate_parameter_sets([name])[0]

    def reactivate_parameter_sets(self, names: Iterable[str]) -> tuple[LLMParametersResponse, ...]:
        """Switch several sets on again, all of them or none."""
        return self._switch_sets(names, active=True)

    def _switch_sets(self, names: Iterable[str], *, active: bool) -> tuple[LLMParametersResponse, ...]:
        wishes = [switched(Address("parameters", name), active=active) for name in dict.fromkeys(names)]
        return self._change_sets(wishes, Reader())

    def _change_sets(self, wishes: Sequence[Wish], reader: Reader) -> tuple[LLMParametersResponse, ...]:
        addresses = [wish.address for wish in wishes]
        reader.unreserved(addresses)

        def answer(connection: Connection, written: Written) -> tuple[LLMParametersResponse, ...]:
            rows = read_parameters(connection, names=[address.key for address in addresses])
            return in_order(
                addresses, {Address("parameters", row.name): row for row in rows}, written.notices
            )

        return self._write(lambda _: (wishes, ()), answer, faults=reader.faults)
