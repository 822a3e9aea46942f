"""A kind's three forms: the document that people write, the value that the program uses, and the spec that
the database keeps of a user's kind. A spec is a document without nulls and defaults: one shape for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.core.provider_kind import (
    CredentialRule,
    CrossRule,
    Denial,
    Endpoint,
    ErrorRule,
    ParameterRule,
    Probe,
    ProviderKind,
    Variant,
)
from reconciler.errors import UsageError

if TYPE_CHECKING:  # pydantic is loaded by those who hold a document
    from pydantic import BaseModel

    from reconciler.kinds.documents import (
        BuiltInKindDocument,
        KindDocument,
        ParameterDocument,
        ProbeDocument,
        RuleDocument,
        VariantDocument,
    )

# Whoever can edit the files must not choose where keys go: a user's kind cannot say these, so no spec holds
# them, and a row that somebody changed cannot bring them in either.
_OURS_ALONE = frozenset({"name", "hosts", "loopback", "built_in"})
_NESTED = frozenset(
    {"credentials", "probes", "fails", "parameters", "rules", "variants", "endpoints", "errors"}
)

Entry = TypeVar("Entry")


def from_document(name: str, document: KindDocument) -> ProviderKind:
    """The value of a kind that a user's file defines; it has no hosts and is not built in."""
    return ProviderKind(name=name, built_in=False, **_plain_fields(document), **_nested(document))


def from_built_in(name: str, document: BuiltInKindDocument) -> ProviderKind:
    """The value of one of our own kinds."""
    return ProviderKind(name=name, **_plain_fields(document), **_nested(document))


def to_spec(kind: ProviderKind) -> dict[str, Any]:
    """What the database keeps of a user's kind: JSON without nulls and without defaults.

    Lossless for user-defined kinds: `from_spec(kind.name, to_spec(kind)) == kind`. Of one of ours, the hosts
    and the right to loopback are left out.

    >>> to_spec(ProviderKind("acme", "openai", base_url="https://llm.acme.example/v1", built_in=False))
    {'protocol': 'openai', 'base_url': 'https://llm.acme.example/v1'}
    """
    return {key: value for key, value in _as_json(kind).items() if key not in _OURS_ALONE}


def from_spec(name: str, spec: Mapping[str, Any]) -> ProviderKind:
    """The value of a user-defined kind that the database holds.

    Raises:
        UsageError: The stored spec is none that this version understands (`bad-kind-spec`).
    """
    from pydantic import ValidationError

    from reconciler.kinds.documents import KindDocument

    try:
        return from_document(name, KindDocument.model_validate(dict(spec)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"The stored kind '{name}' cannot be read: {place}: {first['msg']}.",
            code="bad-kind-spec",
            hint="apply the files that define it again",
        ) from error


# Documents to values


def _plain_fields(document: BaseModel) -> dict[str, Any]:
    """What a document sets besides its nested documents; what it leaves unset keeps the value's default."""
    plain = {name: value for name, value in document if name not in _NESTED and value is not None}
    return {name: _frozen(value) for name, value in plain.items()}


def _frozen(value: Any) -> Any:
    """Lists as tuples, and mappings without the entries that are unset by null."""
    if isinstance(value, Mapping):
        return {key: _frozen(inner) for key, inner in value.items() if inner is not None}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _nested(document: KindDocument) -> dict[str, Any]:
    return {
        "credentials": {
            name: CredentialRule(**_plain_fields(rule)) for name, rule in _entries(document.credentials)
        },
        "probes": {level: _probe(probe) for level, probe in _entries(document.probes)},
        "parameters": None if document.parameters is None else _table(document.parameters),
        "rules": _rules(document.rules),
        "variants": tuple(map(_variant, document.variants or ())),
        "endpoints": tuple(Endpoint(**_plain_fields(one)) for one in document.endpoints or ()),
        "errors": tuple(ErrorRule(**_plain_fields(one)) for one in document.errors or ()),
    }


def _probe(document: ProbeDocument) -> Probe:
    fails = tuple(Denial(**_plain_fields(one)) for one in document.fails or ())
    return Probe(**_plain_fields(document), fails=fails)


def _variant(document: VariantDocument) -> Variant:
    table = _table(document.parameters)
    return Variant(**_plain_fields(document), parameters=table, rules=_rules(document.rules))


def _table(parameters: Mapping[Any, ParameterDocument | None] | None) -> dict[str, ParameterRule]:
    return {name: ParameterRule(**_plain_fields(rule)) for name, rule in _entries(parameters)}


def _rules(documents: list[RuleDocument] | None) -> tuple[CrossRule, ...]:
    return tuple(CrossRule(**_plain_fields(document)) for document in documents or ())


def _entries(mapping: Mapping[Any, Entry | None] | None) -> list[tuple[str, Entry]]:
    return [(name, entry) for name, entry in (mapping or {}).items() if entry is not None]


# Values to specs


def _as_json(value: Any) -> Any:
    """JSON, with a dataclass as a mapping of the fields that differ from their defaults."""
    if is_dataclass(value):
        told = ((field.name, getattr(value, field.name), _default(field)) for field in fields(value))
        return {name: _as_json(inner) for name, inner, default in told if inner != default}
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in sorted(value.items())}
    return [_as_json(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
