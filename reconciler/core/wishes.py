"""What a program asks of single entities, in canonical form: requests become wishes here, whose fields are
those of the specs, so that what is asked and what is stored can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from reconciler.core.address import DEFAULT_PARAMETERS, Address, model_address
from reconciler.core.inheritance import without_nulls
from reconciler.core.requests import (
    LLMParametersCreate,
    LLMParametersUpdate,
    PromptTemplateCreate,
    PromptTemplateUpdate,
    ProviderCreate,
    ProviderModelConfigCreate,
    ProviderModelConfigUpdate,
    ProviderUpdate,
)
from reconciler.core.schemas import DEFAULT_MODE
from reconciler.core.state import Spec

# Fields of a model's row that a request may set as they stand.
_OF_MODELS = ("mode", "version", "limits", "capabilities", "labels")
_OF_PROVIDERS = ("kind", "description", "base_url", "credentials", "verification", "labels", "protected")
_NOTHING: Spec = {}


class Wish(NamedTuple):
    """What is asked of one entity.

    Attributes:
        address: The entity.
        fields: What is to be set, `None` for what is to be unset.
        is_whole: Whether the fields are all that the entity says; else the others stay as they are.
        initial: What a new one says where the fields say nothing; `None` where only a stored one is meant.
        active: Whether it may be used; `None` where that stays as it is.
    """

    address: Address
    fields: Spec
    is_whole: bool = False
    initial: Spec | None = None
    active: bool | None = None


def new_parameters(asked: LLMParametersCreate) -> Wish:
    """A parameter set: all that it says.

    >>> new_parameters(LLMParametersCreate(name="a", unsupported="warn", top_k=5)).fields
    {'top_k': 5}
    """
    return Wish(Address("parameters", asked.name), _whole(asked), is_whole=True, initial=_NOTHING)


def new_template(asked: PromptTemplateCreate) -> Wish:
    """A prompt template: all that it says."""
    return Wish(Address("template", asked.name), _whole(asked), is_whole=True, initial=_NOTHING)


def _whole(asked: BaseModel) -> dict[str, Any]:
    fields = {}
    for name, value in asked.__dict__.items():
        if value is None or name == "name":
            continue
        # Whatever is neither a text nor a number has several spellings, or one that means nothing.
        if value.__class__ is not float and value.__class__ is not int:
            value = canonical(name, value)  # noqa: PLW2901 the same value in its one spelling
            if value is None:
                continue
        fields[name] = value
    return fields


def changed_parameters(name: str, asked: LLMParametersUpdate) -> Wish:
    """What changes in a stored parameter set."""
    return Wish(Address("parameters", name), _given(asked, asked.model_fields_set))


def changed_template(name: str, asked: PromptTemplateUpdate) -> Wish:
    """What changes in a stored template."""
    return Wish(Address("template", name), _given(asked, asked.model_fields_set))


def new_provider(asked: ProviderCreate, *, kind: str) -> Wish:
    """A provider; `kind` is that of a new one for which none is named.

    What is not given stays as it is where the provider is stored already.
    """
    fields = {name: value for name, value in _given(asked, _OF_PROVIDERS).items() if value is not None}
    return Wish(Address("provider", asked.name), fields, initial={"kind": kind})


def changed_provider(name: str, asked: ProviderUpdate, *, kind: str) -> Wish:
    """What changes in a stored provider; `kind` is that of one which gives its own up."""
    fields = _given(asked, [field for field in _OF_PROVIDERS if field in asked.model_fields_set])
    if "kind" in fields:
        fields["kind"] = fields["kind"] or kind
    return Wish(Address("provider", name), fields, active=asked.is_active)


def new_model(asked: ProviderModelConfigCreate, *, parameters: str | None, template: str | None) -> Wish:
    """A model, with the names of what it is called with, `None` where none is given.

    What is not given stays as it is where the model is stored already.
    """
    given = asked.model_fields_set
    fields = (
        {} if given.isdisjoint(_OF_MODELS) else _given(asked, [name for name in _OF_MODELS if name in given])
    )
    if parameters is not None or "parameters" in given:
        fields["parameters"] = parameters or DEFAULT_PARAMETERS
    if template is not None or "prompt_template" in given:
        fields["prompt_template"] = template
    return Wish(model_address(asked.provider_name, asked.model_id), fields, initial=_NEW_MODEL)


_NEW_MODEL: Spec = {"parameters": DEFAULT_PARAMETERS, "mode": DEFAULT_MODE}


def changed_model(
    address: Address, asked: ProviderModelConfigUpdate, *, parameters: str | None, template: str | None
) -> Wish:
    """What changes in a stored model, with the names of the rows that it asks for by number."""
    given = asked.model_fields_set
    fields = _given(asked, [name for name in _OF_MODELS if name in given])
    if given & {"parameters", "parameters_id"}:
        fields["parameters"] = canonical("parameters", parameters)
    if given & {"prompt_template", "prompt_template_id"}:
        fields["prompt_template"] = template
    return Wish(address, fields, active=asked.is_active)


def switched(address: Address, *, active: bool) -> Wish:
    """A stored entity that is to be switched on or off."""
    return Wish(address, _NOTHING, active=active)


def _given(asked: BaseModel, names: Any) -> dict[str, Any]:
    values = asked.__dict__
    return {name: canonical(name, values[name]) for name in names}


def canonical(name: str, value: Any) -> Any:
    """A field's value as a spec holds it; `None` where it means nothing.

    >>> canonical("labels", {"team": None}), canonical("capabilities", ["b", "a", "a"])
    (None, ['a', 'b'])
    """
    if value is None:
        return {"mode": DEFAULT_MODE, "parameters": DEFAULT_PARAMETERS}.get(name)
    if isinstance(value, BaseModel):
        value = value.__dict__
    if name == "capabilities":
        value = sorted(set(value))
    elif name == "extra":
        value = without_nulls(value)
    elif isinstance(value, Mapping) and name != "response_format":
        value = {key: inner for key, inner in value.items() if inner is not None}
    is_default = value in ([], {}) or value is False or (name == "unsupported" and value == "warn")
    return None if is_default else value
