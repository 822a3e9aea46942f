"""Registering and changing models; each single call is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, Unpack

from reconciler.core import collector
from reconciler.core.address import Address
from reconciler.core.registration import Fault
from reconciler.core.requests import (
    LLMParametersCreate,
    PromptTemplateCreate,
    ProviderModelConfigUpdate,
)
from reconciler.core.wishes import (
    Wish,
    changed_model,
    new_model,
    new_parameters,
    new_template,
    switched,
)
from reconciler.runtime.answering import in_order
from reconciler.runtime.asking import (
    Item,
    ModelAsked,
    ModelFields,
    ParametersAsked,
    Reader,
    TemplateAsked,
    Values,
    model_addresses,
)
from reconciler.runtime.fresh import answering
from reconciler.runtime.reading import read_models
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.verifying import Verifying
from reconciler.runtime.writing import Written, default_kind
from reconciler.store import registering
from reconciler.store.session import Connection

Name: TypeAlias = str | None


class Models(Verifying):
    """The part of the service that registers and changes models."""

    def register_provider_model(
        self,
        provider: str,
        model_id: str,
        parameters: ParametersAsked | None = None,
        prompt_template: TemplateAsked | None = None,
        *,
        verify: bool = True,
        **more: Unpack[ModelFields],
    ) -> ProviderModelConfigResponse:
        """Register a model with all that it needs, verify it, and return how it stands then.

        The provider, the parameter set and the template are made where they are not stored yet. A new model
        waits on hold until a verification succeeds; where nothing can be proven, or nothing is asked, it is
        active at once. A failed verification is stored and returned, not raised. Registering a model again
        updates what is given and never changes its activity; a set or template that is given anew replaces
        the stored one for everybody who uses it, which `notices` and the log say.

        Args:
            provider: The provider's name: letters, digits, dots, `_` and `-`, at most 255.
            model_id: The model, as its provider spells it: 1 to 255 characters.
            parameters: A set to store under its name, or the name of a stored one; by default the built-in
                set, which leaves everything to the provider.
            prompt_template: A template to store under its name, or the name of a stored one.
            verify: Whether the provider is asked; in a session's transaction with the registry locked.
            more: What else is said of the model and of its provider: see `ModelFields`.

        Raises:
            ParameterValidationError: The provider does not take the parameters, for this model or another one
                that uses them; `problems` has a sentence for each.
            RegistrationError: Anything else that cannot be stored.
            OwnershipError: Files own something that would change.
            NotFoundError: A set or template that is named is not there.
            StatusError: A set or template that is named is not active.
            ProviderConfigError: The database could not be used: see the other errors.

        >>> service.register_provider_model("openai", "gpt-4o-mini", "precise").is_active
        True
        """
        own = {"parameters": parameters, "prompt_template": prompt_template}
        asked = {name: _plain(value) for name, value in {**own, **more}.items() if value is not None}
        named = {"provider_name": provider, "model_id": model_id, **asked}
        return self.register_provider_models([named], verify=verify)[0]

    def register_provider_models(
        self, models: Iterable[ModelAsked], *, verify: bool = True
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """Register models, all of them or none; the answers are in the order given.

        Each is a `ProviderModelConfigCreate` or a mapping of its fields; see `register_provider_model`.
        Models that contradict each other, by giving a set twice with different values or a model twice, are
        an error.
        """
        reader = Reader()
        with collector.paused():
            read = (reader.model(one) for one in models)
            items = [item for item in read if item is not None]
            wishes = _wishes(items)
        reader.unreserved(wish.address for wish in wishes if wish.address.kind == "parameters")
        addresses = [wish.address for wish in wishes[len(wishes) - len(items) :]]

        def answer(connection: Connection, written: Written) -> tuple[ProviderModelConfigResponse, ...]:
            if verify:
                noted.update(written.notices)
                return ()
            return _answered(connection, items, addresses, written)

        noted: dict[Address, tuple[str, ...]] = {}
        activations = {
            address: item.asked.activation
            for address, item in zip(addresses, items, strict=True)
            if item.asked.activation
        }
        done = self._write(
            lambda _: (wishes, ()),
            answer,
            faults=reader.faults,
            activations=activations,
            prepare=None if verify else partial(answering, models=addresses),
        )
        if not verify:
            return done
        failed = self._verified(addresses)
        with self._around.door.opened(reading=True) as connection:
            return _answered(connection, items, addresses, Written(noted), failed)

    def update_provider_model(
        self, provider: str, model_id: str, updates: ProviderModelConfigUpdate | Values
    ) -> ProviderModelConfigResponse:
        """Change a model: the fields that are given, `None` removing one.

        `is_active=True` also lifts what holds a model back. `parameters_id` and `prompt_template_id` take
        the numbers of rows, `parameters` and `prompt_template` names.

        Raises:
            NotFoundError: There is no such model, set or template.
            OwnershipError: Files own the model.
            StatusError: The set or template is not active, or the provider is protected.
            ParameterValidationError: The provider does not take the parameters.
            RegistrationError: Anything else that cannot be stored.
            StoreUnavailableError: PostgreSQL did not answer.

        >>> service.update_provider_model("openai", "gpt-4o", {"limits": {"context": 128000}}).limits.context
        128000
        """
        return self.update_provider_models({(provider, model_id): updates})[0]

    def update_provider_models(
        self, updates: Mapping[tuple[str, str], ProviderModelConfigUpdate | Values]
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """Change several models by provider and id, all of them or none; the answers are in that order."""
        reader, asked = Reader(), {}
        for address, given in zip(model_addresses(updates), updates.values(), strict=True):
            one = reader.one(ProviderModelConfigUpdate, given, of=str(address))
            if one is not None:
                asked[address] = one
        return self._change_models(list(asked), lambda connection: _changed(connection, asked), reader.faults)

    def deactivate_provider_model(self, provider: str, model_id: str) -> ProviderModelConfigResponse:
        """Switch a model off; applications that ask for it hear that it is not active.

        Raises:
            NotFoundError: There is no such model.
            OwnershipError: Files own it.
            StatusError: Its provider is protected.

        >>> service.deactivate_provider_model("openai", "gpt-4o").is_active
        False
        """
        return self.deactivate_provider_models([(provider, model_id)])[0]

    def deactivate_provider_models(
        self, models: Iterable[tuple[str, str]]
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """Switch several models off, all of them or none."""
        return self._switch_models(models, active=False)

    def reactivate_provider_model(self, provider: str, model_id: str) -> ProviderModelConfigResponse:
        """Switch a model on, whatever held it back, without asking its provider.

        Raises:
            NotFoundError: There is no such model.
            OwnershipError: Files own it.
            StatusError: Its set or template is not active.

        >>> service.reactivate_provider_model("openai", "gpt-4o").is_active
        True
        """
        return self.reactivate_provider_models([(provider, model_id)])[0]

    def reactivate_provider_models(
        self, models: Iterable[tuple[str, str]]
    ) -> tuple[ProviderModelConfigResponse, ...]:
        """Switch several models on, all of them or none."""
        return self._switch_models(models, active=True)

    def _switch_models(
        self, models: Iterable[tuple[str, str]], *, active: bool
    ) -> tuple[ProviderModelConfigResponse, ...]:
        addresses = model_addresses(models)
        wishes = [switched(address, active=active) for address in addresses]
        return self._change_models(addresses, lambda _: (wishes, ()), ())

    def _change_models(
        self, addresses: Sequence[Address], wishes_of: Any, faults: Sequence[Fault]
    ) -> tuple[ProviderModelConfigResponse, ...]:
        def answer(connection: Connection, written: Written) -> tuple[ProviderModelConfigResponse, ...]:
            found = {model.address: model for model in read_models(connection, addresses=addresses)}
            notices = {one: written.notices[one] for one in addresses if one in written.notices}
            return in_order(addresses, found, notices)

        return self._write(wishes_of, answer, faults=faults)


def _plain(value: Any) -> Any:
    """A collection as the schemas take it."""
    match value:
        case LLMParametersCreate() | PromptTemplateCreate() | str():
            return value
        case Mapping():
            return dict(value)
        case tuple() | set() | frozenset():
            return list(value)
        case _:
            return value


def _wishes(items: Sequence[Item]) -> list[Wish]:
    """Everything that a registration asks for: what others refer to first."""
    providers: dict[tuple[str | None, ...], Wish] = {}
    sets: dict[int, Wish] = {}
    templates: dict[int, Wish] = {}
    models = []
    for item in items:
        said = _said_of_provider(item)
        if said not in providers:
            providers[said] = _provider(item)
        named, template = item.parameters, item.template
        # One schema is often used for many models.
        if isinstance(named, LLMParametersCreate):
            if id(named) not in sets:
                sets[id(named)] = new_parameters(named)
            named = named.name
        if isinstance(template, PromptTemplateCreate):
            if id(template) not in templates:
                templates[id(template)] = new_template(template)
            template = template.name
        models.append(new_model(item.asked, parameters=named, template=template))
    return [*providers.values(), *sets.values(), *templates.values(), *models]


def _said_of_provider(item: Item) -> tuple[str | None, ...]:
    asked = item.asked
    credentials = None if asked.credentials is None else repr(asked.credentials)
    return (asked.provider_name, asked.kind, asked.base_url, credentials)


def _provider(item: Item) -> Wish:
    asked = item.asked
    credentials: Any = asked.credentials
    if isinstance(credentials, dict):
        # What says nothing leaves what is stored.
        credentials = {name: value for name, value in credentials.items() if value is not None} or None
    given = {"kind": asked.kind, "base_url": asked.base_url, "credentials": credentials}
    fields = {name: value for name, value in given.items() if value is not None}
    initial = {"kind": default_kind(asked.provider_name)}
    return Wish(Address("provider", asked.provider_name), fields, initial=initial)


def _changed(
    connection: Connection, asked: Mapping[Address, ProviderModelConfigUpdate]
) -> tuple[list[Wish], list[Fault]]:
    """The wishes for models, with names in the place of the numbers of rows."""
    sets = {one.parameters_id for one in asked.values() if one.parameters_id is not None}
    templates = {one.prompt_template_id for one in asked.values() if one.prompt_template_id is not None}
    set_names = registering.names_of(connection, "parameters", sets)
    template_names = registering.names_of(connection, "template", templates)
    wishes, faults = [], []
    for address, one in asked.items():
        parameters, wrong = _name(one.parameters, one.parameters_id, set_names, "parameter set", address)
        faults.extend(wrong)
        template, wrong = _name(
            one.prompt_template, one.prompt_template_id, template_names, "template", address
        )
        faults.extend(wrong)
        wishes.append(changed_model(address, one, parameters=parameters, template=template))
    return wishes, faults


def _name(
    name: Name, number: int | None, names: Mapping[int, str], noun: str, address: Address
) -> tuple[Name, list[Fault]]:
    """The name of a set or template that is asked for by name, by number, or by both."""
    if number is None:
        return name, []
    found = names.get(number)
    if found is None:
        message = f"there is no {noun} with the id {number}"
        return name, [Fault("absence", message, "the response of its registration has its id", address)]
    if name is not None and name != found:
        message = f"the {noun} with the id {number} is {found}, not {name} ({address})"
        return name, [Fault("registration", message, "give the id or the name", address)]
    return found, []


def _answered(
    connection: Connection,
    items: Sequence[Item],
    addresses: Sequence[Address],
    written: Written,
    failed: tuple[str, ...] = (),
) -> tuple[ProviderModelConfigResponse, ...]:
    answers: tuple[ProviderModelConfigResponse, ...] | None = written.prepared
    if answers is None:
        found = read_models(connection, addresses=addresses)
        answers = in_order(addresses, {model.address: model for model in found}, {})
    if not written.notices and not failed:
        return answers
    told = [(*_about(item, written.notices), *failed) for item in items]
    return tuple(
        answer.model_copy(update={"notices": said}) if said else answer
        for answer, said in zip(answers, told, strict=True)
    )


def _about(item: Item, notices: Mapping[Address, tuple[str, ...]]) -> tuple[str, ...]:
    """What the caller should know of one model: of itself, its provider, and what was stored with it."""
    related = [item.address, Address("provider", item.asked.provider_name)]
    if isinstance(item.parameters, LLMParametersCreate):
        related.append(Address("parameters", item.parameters.name))
    if isinstance(item.template, PromptTemplateCreate):
        related.append(Address("template", item.template.name))
    return tuple(sentence for address in related for sentence in notices.get(address, ()))
