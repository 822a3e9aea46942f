"""Holding values of models for a limited time, also where files own them; a single call is a batch of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from reconciler.core.address import Address
from reconciler.core.overrides import LiveOverride, end_of, reason_of
from reconciler.core.requests import OverrideValues
from reconciler.errors import NotFoundError
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import Reader, Values, model_addresses
from reconciler.runtime.calls import Calls
from reconciler.runtime.holding import Notices, checked, fields_of
from reconciler.runtime.reading import read_models
from reconciler.runtime.responses import OverrideResponse, ProviderModelConfigResponse
from reconciler.runtime.sound import is_storable
from reconciler.store import lock, overrides
from reconciler.store.claims import clock
from reconciler.store.session import Connection, translated


class Overriding(Calls):
    """The part of the service that holds values for a limited time."""

    def override_provider_model(
        self,
        provider: str,
        model_id: str,
        values: OverrideValues | Values,
        *,
        until: datetime | timedelta,
        reason: str,
    ) -> ProviderModelConfigResponse:
        """Hold values of a model for a limited time, and return it as it is then; also one that files own.

        Nothing is written into the model's own row: the values are joined in wherever it is read, and count
        no more from the end on, by the database's clock. Another override of the same model ends at once,
        with everything that it held. Every plan shows what is in force; the trail keeps it.

        Args:
            provider: The provider's name.
            model_id: The model, as its provider spells it.
            values: At least one of `is_active`, `parameters` (some values over those of its set, `None` for
                one that is taken away) and `prompt_template` (the name of a stored one, or `None` for none).
            until: When it ends: a datetime with a time zone, or how long from now; at most 30 days.
            reason: Why, for everybody who meets it: 1 to 500 characters.

        Raises:
            RegistrationError: `until`, `reason` or `values` cannot be, or the template is another provider's.
            ParameterValidationError: The provider does not take the parameters; `problems` has a sentence for
                each.
            NotFoundError: There is no such model, or no such template.
            StatusError: The template is not active.
            StoreUnavailableError: PostgreSQL did not answer.
            LockHeldError: Another run held the registry for too long.

        >>> from datetime import timedelta
        >>> values, hours = {"parameters": {"temperature": 0.0}}, timedelta(hours=2)
        >>> held = service.override_provider_model("openai", "gpt-4o", values, until=hours, reason="drift")
        >>> held.parameters.temperature
        0.0
        """
        return self.override_provider_models({(provider, model_id): values}, until=until, reason=reason)[0]

    def override_provider_models(
        self,
        models: Mapping[tuple[str, str], OverrideValues | Values],
        *,
        until: datetime | timedelta,
        reason: str,
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """Hold values of several models by provider and id, all of them or none.

        The answers are in the order given; see `override_provider_model`.
        """
        said = reason_of(reason)
        reader = Reader()
        given = zip(model_addresses(models), models.values(), strict=True)
        fields = {address: fields_of(reader, address, values) for address, values in given}

        def attempt() -> tuple[ProviderModelConfigResponse, ...]:
            with self._around.door.opened() as connection:
                with translated(), lock.writing(connection, lock_timeout=timeout) as generation:
                    ends_at = end_of(until, now=clock(connection))
                    notices = checked(connection, fields, reader.faults)
                    overrides.set_overrides(
                        connection,
                        fields,
                        until=ends_at,
                        reason=said,
                        context=self._around.context,
                        generation=generation + 1,
                    )
                    lock.raise_generation(connection, generation + 1)
                return _answered(connection, list(fields), notices)

        timeout = self._around.settings.lock_timeout
        return lock.patiently(attempt, lock_timeout=timeout) if fields else ()

    def end_override(
        self, provider: str, model_id: str, *, reason: str | None = None
    ) -> ProviderModelConfigResponse:
        """End what is held of a model before its time, and return the model as it is stored.

        Args:
            provider: The provider's name.
            model_id: The model, as its provider spells it.
            reason: Why, for the trail: at most 500 characters; by default what it was set for.

        Raises:
            NotFoundError: Nothing is held of such a model (`no-override`).
            RegistrationError: `reason` cannot be.
            StoreUnavailableError: PostgreSQL did not answer.
            LockHeldError: Another run held the registry for too long.

        >>> from datetime import timedelta
        >>> hours = timedelta(hours=2)
        >>> off = {"is_active": False}
        >>> _ = service.override_provider_model("openai", "gpt-4o", off, until=hours, reason="costs")
        >>> service.end_override("openai", "gpt-4o").is_active
        True
        """
        return self.end_overrides([(provider, model_id)], reason=reason)[0]

    def end_overrides(
        self, models: Iterable[tuple[str, str]], *, reason: str | None = None
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """End what is held of several models by provider and id, of all of them or none."""
        said = None if reason is None else reason_of(reason)
        addresses = model_addresses(models)

        def attempt() -> tuple[ProviderModelConfigResponse, ...]:
            with self._around.door.opened() as connection:
                with translated(), lock.writing(connection, lock_timeout=timeout) as generation:
                    ended = overrides.end_overrides(
                        connection,
                        [address for address in addresses if is_storable(address.key)],
                        reason=said,
                        context=self._around.context,
                        generation=generation + 1,
                    )
                    _require_all(addresses, ended)
                    lock.raise_generation(connection, generation + 1)
                return _answered(connection, addresses, {})

        timeout = self._around.settings.lock_timeout
        return lock.patiently(attempt, lock_timeout=timeout) if addresses else ()

    def list_overrides(self, *, active_only: bool = True) -> tuple[OverrideResponse, ...]:
        """What is held of models, by address: what is in force now, one a model; or all that ever was.

        Args:
            active_only: Whether those that have ended, were replaced or have not begun are left out. Of one
                model, the newest comes first.

        Raises:
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The database has none of our tables, or older ones.

        >>> service.list_overrides()
        ()
        """
        with self._around.door.opened() as connection, translated():
            return tuple(map(_told, overrides.read(connection, active_only=active_only)))


def _told(one: LiveOverride) -> OverrideResponse:
    return OverrideResponse(
        id=one.id,
        address=str(one.address),
        fields=one.fields,
        reason=one.reason,
        actor=one.actor,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
    )


def _answered(
    connection: Connection, addresses: Collection[Address], notices: Notices
) -> tuple[ProviderModelConfigResponse, ...]:
    found = {model.address: model for model in read_models(connection, addresses=addresses)}
    return in_order(list(addresses), found, notices)


def _require_all(addresses: Iterable[Address], ended: Collection[Address]) -> None:
    for address in addresses:
        if address not in ended:
            raise NotFoundError(
                f"Nothing is held of {address} now.",
                code="no-override",
                hint="list_overrides() shows what is in force",
                provider=address.provider,
                model_id=address.model_id,
            )
