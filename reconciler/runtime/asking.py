"""What callers give becomes requests: schemas as they are, mappings through their schema, and everything that
is wrong with them as faults, in the words of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from pydantic import BaseModel, ValidationError

from reconciler.core.address import DEFAULT_PARAMETERS, Address, model_address
from reconciler.core.registration import Fault
from reconciler.core.requests import LLMParametersCreate, PromptTemplateCreate, ProviderModelConfigCreate
from reconciler.errors import NotFoundError
from reconciler.runtime.reading import pairs
from reconciler.source.translate import sentences

Asked = TypeVar("Asked", bound=BaseModel)
Values: TypeAlias = Mapping[str, Any]
ParametersAsked: TypeAlias = LLMParametersCreate | Values | str
TemplateAsked: TypeAlias = PromptTemplateCreate | Values | str
ModelAsked: TypeAlias = ProviderModelConfigCreate | Values
About: TypeAlias = Literal["values", "registration"]


class ModelFields(TypedDict, total=False):
    """What may be said of a model and of its provider when it is registered; `None` says nothing.

    Attributes:
        kind: The provider's kind; by default the provider's name where that is a kind, else
            `openai-compatible`. Where it, `base_url` or `credentials` differ from what a stored provider has,
            the provider is updated.
        base_url: The provider's endpoint; by default the kind's.
        credentials: References such as `{"api_key": "env:OPENAI_API_KEY"}`, or `none`; never a key.
        mode: What the model is for: `chat` (the default), `completion`, `embedding`, `rerank`, `image`,
            `audio`, `video` or `moderation`.
        version: The model's version, as text of at most 255 characters.
        limits: How many tokens it takes: `context`, `input`, `output`, each at least 0.
        capabilities: What it can do, such as `streaming`.
        labels: Words to find it by; values are text.
        activation: `immediate` or `verified`; by default what the provider says, else `verified`.
    """

    kind: str | None
    base_url: str | None
    credentials: Mapping[str, str] | str | None
    mode: str | None
    version: str | None
    limits: Mapping[str, int] | None
    capabilities: Sequence[str] | None
    labels: Mapping[str, str] | None
    activation: str | None


class Item(NamedTuple):
    """A model that is to be registered, with what it is called with: a set and a template to store, the names
    of stored ones, or `None` for those that it has.
    """

    asked: ProviderModelConfigCreate
    parameters: LLMParametersCreate | str | None
    template: PromptTemplateCreate | str | None

    @property
    def address(self) -> Address:
        """The model."""
        return model_address(self.asked.provider_name, self.asked.model_id)


class Reader:
    """Reads what one call was given.

    Attributes:
        faults: Everything that was wrong with it.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def each(
        self, schema: type[Asked], given: Iterable[Asked | Values], *, about: About = "registration"
    ) -> list[Asked]:
        """Several requests of a kind."""
        found = (self.one(schema, one, about=about) for one in given)
        return [one for one in found if one is not None]

    def one(
        self, schema: type[Asked], given: object, *, about: About = "registration", of: str = ""
    ) -> Asked | None:
        """One request: a schema that has been checked already, or a mapping; `of` says what it is part of."""
        if isinstance(given, schema):
            return given
        if not isinstance(given, Mapping):
            message = f"{schema.__name__} must be made of a mapping, not of {type(given).__name__}"
            self.faults.append(Fault("registration", message + _within(of), "give a mapping, or the schema"))
            return None
        try:
            return schema.model_validate(dict(given))
        except ValidationError as error:
            where = _within(of or _named(given))
            for said in sentences(error, schema):
                kind: About = "registration" if said.code in _NEVER_VALUES else about
                self.faults.append(Fault(kind, said.message + where, said.hint))
            return None

    def model(self, given: object) -> Item | None:
        """One model, with its set and template."""
        if isinstance(given, ProviderModelConfigCreate):
            return Item(given, given.parameters, given.prompt_template)
        if not isinstance(given, Mapping):
            self.one(ProviderModelConfigCreate, given)
            return None
        rest = {name: value for name, value in given.items() if name not in _PARTS or value is None}
        before, of = len(self.faults), _named(given)
        parameters = self._part(given.get("parameters"), LLMParametersCreate, "parameters", "values", of)
        template = self._part(
            given.get("prompt_template"), PromptTemplateCreate, "prompt_template", "registration", of
        )
        asked = self.one(ProviderModelConfigCreate, rest, of=of)
        return None if asked is None or len(self.faults) > before else Item(asked, parameters, template)

    def _part(
        self, given: object, schema: type[Asked], field: str, about: About, of: str
    ) -> Asked | str | None:
        """A set or template of a model: one to store, or the name of one."""
        if given is None or isinstance(given, (schema, str)):
            return given
        if isinstance(given, Mapping):
            return self.one(schema, given, about=about, of=of)
        message = f"{field} must be a name, a mapping or {schema.__name__}, not {type(given).__name__}"
        self.faults.append(Fault("registration", message + _within(of)))
        return None

    def unreserved(self, addresses: Iterable[Address]) -> None:
        """The built-in set is nobody's to store or to change."""
        if Address("parameters", DEFAULT_PARAMETERS) in set(addresses):
            message = "the set 'default' is built in and empty; it cannot be changed"
            self.faults.append(Fault("registration", message, "choose another name", code="reserved"))


def model_addresses(models: Iterable[tuple[str, str]]) -> tuple[Address, ...]:
    """Models by provider and id, each once, in the order given.

    Raises:
        NotFoundError: A provider has a name that none can have.
        UsageError: Something else is given than pairs of texts.
    """
    found = []
    for provider, model_id in pairs(models):
        address = model_address(provider, model_id)
        # Else it would be taken for another provider's model.
        if address.provider != provider or not model_id:
            raise NotFoundError(
                f"There is no model '{model_id}' of a provider '{provider}'.",
                hint="give the provider's name and the model's id",
                provider=provider,
                model_id=model_id,
            )
        found.append(address)
    return tuple(dict.fromkeys(found))


_PARTS = ("parameters", "prompt_template")
# Wrong in a parameter set, and yet nothing that a provider might take.
_NEVER_VALUES = frozenset({"bad-name", "literal-secret"})


def _within(of: str) -> str:
    return f" ({of})" if of else ""


def _named(given: Values) -> str:
    """What a mapping speaks of, as far as it says so in texts that may be repeated."""
    names = [given.get(name) for name in ("provider_name", "model_id")]
    if all(isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST for name in names):
        return f"model:{names[0]}/{names[1]}"
    name = given.get("name")
    return name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST else ""


_LONGEST = 255
