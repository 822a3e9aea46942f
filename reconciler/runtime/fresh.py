"""The answer to a registration of new models alone: put together of what is being written, while the server
writes it, for reading ten thousand rows back takes half as long again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from reconciler.core.address import Address
from reconciler.core.objections import View
from reconciler.core.schemas import Limits
from reconciler.core.state import Spec
from reconciler.core.transitions import status_of
from reconciler.runtime import sound
from reconciler.runtime.reading import read_parameters, read_templates
from reconciler.runtime.responses import (
    LLMParametersResponse,
    PromptTemplateResponse,
    ProviderModelConfigResponse,
    trusted,
)
from reconciler.store.creating import Reserved
from reconciler.store.registering import has_overrides
from reconciler.store.session import Connection

Answer = tuple[ProviderModelConfigResponse, ...]


@dataclass(frozen=True, slots=True)
class Creation:
    """What is about to be written.

    Attributes:
        view: The registry as it will be.
        reserved: The numbers of the new rows.
        pending: The new models that wait for their first success.
    """

    view: View
    reserved: Reserved
    pending: Collection[Address]


def answering(
    connection: Connection, creation: Creation, models: Sequence[Address]
) -> Callable[[], Answer] | None:
    """What makes the answer without the database; `None` where it has to be read."""
    ids = creation.reserved.ids
    if any(address not in ids for address in models) or has_overrides(connection):
        return None
    sets, templates = _stored(connection, creation, models)

    def answer() -> Answer:
        making = _Making(creation, sets, templates)
        return tuple([making.model(address) for address in models])

    return answer


def _stored(
    connection: Connection, creation: Creation, models: Sequence[Address]
) -> tuple[dict[str, LLMParametersResponse], dict[str, PromptTemplateResponse]]:
    """The sets and templates of these models that are stored already, by name."""
    ids, specs = creation.reserved.ids, [creation.view.spec(address) or {} for address in models]
    names = {spec["parameters"] for spec in specs}
    named = {spec["prompt_template"] for spec in specs if "prompt_template" in spec}
    old = [name for name in names if Address("parameters", name) not in ids]
    old_templates = [name for name in named if Address("template", name) not in ids]
    sets = read_parameters(connection, names=old) if old else ()
    templates = read_templates(connection, names=old_templates) if old_templates else ()
    return {one.name: one for one in sets}, {one.name: one for one in templates}


class _Making:
    """Makes one answer; what its models share is made once."""

    def __init__(
        self,
        creation: Creation,
        sets: dict[str, LLMParametersResponse],
        templates: dict[str, PromptTemplateResponse],
    ) -> None:
        self._view = creation.view
        self._ids = creation.reserved.ids
        self._pending = creation.pending
        self._sets = sets
        self._templates = templates
        self._providers: dict[str, dict[str, Any]] = {}
        times = {"created_at": creation.reserved.at, "updated_at": creation.reserved.at}
        self._model, self._set = _NEW | times, _NEW_SET | times
        self._text = _NEW_TEMPLATE | times

    def model(self, address: Address) -> ProviderModelConfigResponse:
        """A new model as it will be read."""
        spec = self._view.spec(address) or {}
        provider, _, model_id = address.key.partition("/")
        ours = self._providers.get(provider)
        if ours is None:
            ours = self._providers[provider] = self._provider(provider)
        name = spec["parameters"]
        parameters = self._sets.get(name) or self._parameters(name)
        values = ours.copy()
        values["model_id"] = model_id
        values["mode"] = spec["mode"]
        values["labels"] = dict(spec["labels"]) if "labels" in spec else {}
        values["id"] = self._ids[address]
        values["parameters_id"] = parameters.id
        values["parameters"] = parameters
        if len(spec) > _FEWEST:
            self._say_more(values, spec)
        if address in self._pending:
            values["is_active"], values["hold"] = False, "pending"
            values["verification_status"] = status_of(None, "pending")
        return trusted(ProviderModelConfigResponse, values)

    def _say_more(self, values: dict[str, Any], spec: Spec) -> None:
        """What only some models say of themselves."""
        if "prompt_template" in spec:
            template = self._template(spec["prompt_template"])
            values["prompt_template_id"], values["prompt_template"] = template.id, template
        if "version" in spec:
            values["version"] = spec["version"]
        if "limits" in spec:
            values["limits"] = Limits.model_validate(dict(spec["limits"]))
        if "capabilities" in spec:
            values["capabilities"] = list(spec["capabilities"])

    def _provider(self, name: str) -> dict[str, Any]:
        """What all models of a provider begin with."""
        address = Address("provider", name)
        spec = self._view.spec(address) or {}
        values = {field: deepcopy(spec.get(field)) for field in _OF_PROVIDERS}
        values["credentials"] = sound.shown_credentials(spec.get("credentials"))
        return {**self._model, **values, "provider_name": name, "is_active": self._view.is_active(address)}

    def _parameters(self, name: str) -> LLMParametersResponse:
        made = trusted(LLMParametersResponse, self._named(Address("parameters", name), self._set))
        self._sets[name] = made
        return made

    def _template(self, name: str) -> PromptTemplateResponse:
        known = self._templates.get(name)
        if known is None:
            values = self._named(Address("template", name), self._text)
            known = self._templates[name] = trusted(PromptTemplateResponse, values)
        return known

    def _named(self, address: Address, empty: Mapping[str, Any]) -> dict[str, Any]:
        spec = self._view.spec(address) or {}
        values = {**empty, "labels": {}, **spec, "id": self._ids[address], "name": address.key}
        if not _SHARED.isdisjoint(spec):
            for field in _SHARED.intersection(spec):
                # Neither the caller's nor the registry's: an answer is its reader's own.
                values[field] = deepcopy(spec[field])
        return values


# Every model's spec has a set and a mode.
_FEWEST = 2
_OF_PROVIDERS = ("kind", "kind_spec", "base_url")
_SHARED = frozenset({"labels", "stop_sequences", "response_format", "extra"})


def _empty(schema: type[Any]) -> dict[str, Any]:
    """The fields of a response that is of a row without values."""
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in schema.model_fields.items()
    }


_NEW = _empty(ProviderModelConfigResponse)
_NEW_SET = _empty(LLMParametersResponse)
_NEW_TEMPLATE = _empty(PromptTemplateResponse)
