"""Names of entities. Every entity has one address, `model:openai/gpt-4o`, wherever it is spoken of."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from reconciler.errors import UsageError

EntityKind = Literal["provider", "parameters", "template", "model"]

# Dependency order: what stands later refers to what stands earlier. Deactivations walk it in reverse.
LEVELS: tuple[EntityKind, ...] = get_args(EntityKind)

# Reserved, built in, empty, owned by nobody: what a model uses that names no parameters.
DEFAULT_PARAMETERS = "default"


class Address(NamedTuple):
    """The kind of an entity and its key within that kind.

    A model's key is `provider/model_id`; a provider's name holds no slash, so the first one separates
    the two. An inline set's or template's key is its model's key.

    >>> str(Address("model", "openai/gpt-4o"))
    'model:openai/gpt-4o'
    """

    kind: EntityKind
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    @property
    def provider(self) -> str:
        """The provider's name in a model's key."""
        return self.key.partition("/")[0]

    @property
    def model_id(self) -> str:
        """The provider's own id in a model's key."""
        return self.key.partition("/")[2]


def parse_address(text: str) -> Address:
    """Read an address as a person writes it; raise `UsageError` where it is none.

    >>> parse_address("parameters:base")
    Address(kind='parameters', key='base')
    """
    kind, colon, key = text.partition(":")
    for known in LEVELS:
        if kind == known and key and (kind != "model" or all(key.partition("/"))):
            return Address(known, key)
    raise UsageError(
        f"'{text}' is not an address." if colon else f"'{text}' has no kind.",
        code="bad-address",
        hint="write provider:NAME, parameters:NAME, template:NAME or model:PROVIDER/MODEL_ID",
    )


def model_address(provider: str, model_id: str) -> Address:
    """The address of a provider's model.

    >>> str(model_address("watsonx", "granite-13b"))
    'model:watsonx/granite-13b'
    """
    return Address("model", f"{provider}/{model_id}")
