"""The resolved desired state as JSON, in the shape of the files: what counts in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.address import DEFAULT_PARAMETERS, Address
from reconciler.core.state import Desired, DesiredState

_Entities = Mapping[Address, Desired]


def rendered(state: DesiredState) -> dict[str, Any]:
    """Providers with their models, parameter sets and templates, all values resolved and sorted by name.

    A model shows the values of its parameters with their set's name first; a set or template that is written
    in its model is called like it, `provider/model`.
    """
    entities = state.entities
    providers = {address.key: _active(entities[address]) for address in _sorted(entities, "provider")}
    for provider in providers.values():
        provider["models"] = {}
    for address in _sorted(entities, "model"):
        if address.provider in providers:
            models = providers[address.provider]["models"]
            models[address.model_id] = _model(entities[address], entities)
    return {
        "providers": providers,
        "parameters": _sets(entities, "parameters"),
        "templates": _sets(entities, "template"),
    }


def _sorted(entities: _Entities, kind: str) -> list[Address]:
    return sorted(address for address in entities if address.kind == kind)


def _sets(entities: _Entities, kind: str) -> dict[str, Any]:
    return {address.key: dict(sorted(entities[address].spec.items())) for address in _sorted(entities, kind)}


def _active(desired: Desired) -> dict[str, Any]:
    return {"active": desired.active, **dict(sorted(desired.spec.items()))}


def _model(desired: Desired, entities: _Entities) -> dict[str, Any]:
    shown = _active(desired)
    name = shown.get("parameters", DEFAULT_PARAMETERS)
    used = entities.get(Address("parameters", name))
    shown["parameters"] = {"name": name, **(dict(sorted(used.spec.items())) if used else {})}
    return shown
