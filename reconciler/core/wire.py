"""Parameters become fields of a request: by a kind's table, under the names that its providers know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.provider_kind import ParameterRule, ProviderKind
from reconciler.core.redirects import is_redirecting
from reconciler.core.rules import PARAMETER_FIELDS, is_harmless, rules_for
from reconciler.core.state import Spec

_NOT_TAKEN = ParameterRule(supported=False)


@dataclass(frozen=True, slots=True)
class Wired:
    """Parameters as they are sent.

    Attributes:
        fields: The request's fields, nested where a wire name is dotted; `extra` is merged into them.
        names: Our field by its dotted wire name, for reading a provider's complaint; `extra.NAME` for what
            stands in `extra`.
        left_out: Our fields that the kind does not take.
        refused: Why the request must not be sent: fields that the kind does not take where the set says
            `unsupported: error`, and what in `extra` would redirect or replace the request.
        extra: What of `fields` comes from `extra`, for endpoints that take no other parameters.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def wired(
    kind: ProviderKind,
    *,
    model_id: str,
    mode: str,
    parameters: Spec,
    defaults: Mapping[str, str] | None = None,
) -> Wired:
    """A resolved parameter set as one of a kind's models takes it.

    Fields that are unset are absent, and so is what the kind does not take. `defaults` are wire names by
    field, for kinds without a table of their own and for rules that name none; a field that they do not
    know goes by its own name. Values are copied.

    >>> table = {"max_new_tokens": ParameterRule(wire="options.num_predict")}
    >>> kind = ProviderKind("acme", "openai", parameters=table)
    >>> wired(kind, model_id="m", mode="chat", parameters={"max_new_tokens": 9, "top_k": 5})
    Wired(fields={'options': {'num_predict': 9}}, names={'options.num_predict': 'max_new_tokens'}, ...
    """
    table = rules_for(kind, model_id, mode)
    spelt = {name: _spelt(name, table, defaults or {}) for name in PARAMETER_FIELDS}
    given = {name: parameters[name] for name in PARAMETER_FIELDS if parameters.get(name) is not None}
    sent = {spelt[name]: value for name, value in given.items() if _rule(name, table).supported}
    left_out = [name for name, value in given.items() if _is_left_out(_rule(name, table), value)]
    own = nested(sent)
    extra = _plain(parameters.get("extra") or {})
    return Wired(
        fields=merged(own, extra),
        names={**{spelt[name]: name for name in given if spelt[name] in sent}, **_names_of_extra(extra, own)},
        left_out=tuple(left_out),
        refused=(
            *(left_out if parameters.get("unsupported") == "error" else ()),
            *(name for name in given if any(map(is_redirecting, spelt[name].split(".")))),
            *_redirecting(extra, nested(dict.fromkeys(spelt.values(), True))),
        ),
        extra=extra,
    )


def nested(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted names as mappings in mappings, copied.

    >>> nested({"options.seed": 7, "stop": ["a"]})
    {'options': {'seed': 7}, 'stop': ['a']}
    """
    fields: dict[str, Any] = {}
    for wire, value in sent.items():
        *steps, last = wire.split(".")
        place = fields
        for step in steps:
            inner = place.get(step)
            place[step] = place = inner if isinstance(inner, dict) else {}
        place[last] = _plain(value)
    return fields


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one, deeply; where both have a value that is no mapping, `over` wins.

    >>> merged({"a": 1, "options": {"x": 1}}, {"options": {"y": 2}, "a": 3})
    {'a': 3, 'options': {'x': 1, 'y': 2}}
    """
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        is_nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        both[name] = merged(below or {}, value) if is_nested else value
    return both


def value_at(document: Any, path: str) -> Any:
    """What stands at a dotted place; `None` where nothing does.

    >>> value_at({"options": {"seed": 7}}, "options.seed")
    7
    """
    for step in path.split("."):
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def without(fields: Mapping[str, Any], *paths: str) -> dict[str, Any]:
    """A copy without what stands at some dotted places; mappings that were emptied by it go too.

    >>> without({"a": 1, "options": {"seed": 7}}, "options.seed")
    {'a': 1}
    """
    left = dict(fields)
    for path in paths:
        first, _, rest = path.partition(".")
        below = left.get(first)
        if not rest:
            left.pop(first, None)
        elif isinstance(below, Mapping):
            inner = without(below, rest)
            left.pop(first)
            left.update({first: inner} if inner else {})
    return left


def _rule(name: str, table: Mapping[str, ParameterRule] | None) -> ParameterRule:
    return ParameterRule() if table is None else table.get(name, _NOT_TAKEN)


def _spelt(name: str, table: Mapping[str, ParameterRule] | None, defaults: Mapping[str, str]) -> str:
    return _rule(name, table).wire or defaults.get(name, name)


def _is_left_out(rule: ParameterRule, value: Any) -> bool:
    return not rule.supported and not is_harmless(rule, value)


def _plain(value: Any) -> Any:
    """A deep copy in plain types, without what is unset by null."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _names_of_extra(extra: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, str]:
    """Every name in `extra`, with what is nested in it; a mapping that our own fields share is no name."""
    return {path: f"extra.{path}" for path, inner in _paths(extra) if not _is_shared(path, inner, fields)}


def _is_shared(path: str, inner: Any, fields: Mapping[str, Any]) -> bool:
    return isinstance(inner, Mapping) and isinstance(value_at(fields, path), Mapping)


def _paths(extra: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in extra.items():
        yield f"{above}{name}", value
        if isinstance(value, Mapping):
            yield from _paths(value, f"{above}{name}.")


def _redirecting(extra: Mapping[str, Any], fields: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """What would redirect or replace the request: at the top, and in mappings that hold the request's own
    fields. Deeper in `extra` a name is the provider's matter: a tool may well have an input called `url`.
    """
    for name, value in extra.items():
        if is_redirecting(name):
            yield f"extra.{above}{name}"
        elif isinstance(value, Mapping) and isinstance(below := fields.get(name), Mapping):
            yield from _redirecting(value, below, f"{above}{name}.")
