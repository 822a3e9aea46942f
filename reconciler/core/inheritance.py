"""`extends`: what a parameter set or template holds once its parents are counted in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.core.state import Spec

# What describes a set, not what it does: a child is not its parent.
NOT_INHERITED = frozenset({"description", "use_case", "labels"})
# Free mappings are inherited field by field, as overlays merge them.
_MERGED = frozenset({"extra"})
_DEFAULTS = {"unsupported": "warn"}
# Never unset and never empty, and nearly all that there is.
_PLAIN = frozenset({bool, float, int, str})


class Child(NamedTuple):
    """A set as written: its parent's name, and its own values, `None` where it says `null`."""

    parent: str | None
    own: Spec


class Resolution(NamedTuple):
    """What came of it.

    Attributes:
        values: The resolved values by name, without unset ones; a set of a cycle has its own values only.
        missing: Names of sets whose parent does not exist.
        cycles: Each circle of sets once, from its first name in alphabetical order back to it.
    """

    values: dict[str, dict[str, Any]]
    missing: tuple[str, ...]
    cycles: tuple[tuple[str, ...], ...]


def inherit(parent: Spec, own: Spec) -> dict[str, Any]:
    """A child's values over its parent's: its own win, and `null` removes what it would inherit.

    >>> inherit({"temperature": 0.7, "top_k": 5, "use_case": "rag"}, {"temperature": 0.2, "top_k": None})
    {'temperature': 0.2}
    """
    values = {name: value for name, value in parent.items() if name not in NOT_INHERITED}
    for name, value in own.items():
        if name in _MERGED and isinstance(value, Mapping) and isinstance(values.get(name), Mapping):
            values[name] = _deep(values[name], value)
        else:
            values[name] = value
    return _stripped(values)


def resolve(sets: Mapping[str, Child]) -> Resolution:
    """Resolve every set; chains may be as long as they like.

    >>> resolve({"a": Child(None, {"seed": 1}), "b": Child("a", {"top_k": 2})}).values["b"]
    {'seed': 1, 'top_k': 2}
    """
    values: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    cycles: list[tuple[str, ...]] = []
    for name in sets:
        chain = _unresolved(name, sets, values)
        back = sets[chain[-1]].parent if chain else None
        if back is not None and back in chain:
            circle = chain[chain.index(back) :]
            cycles.append(_from_first(circle))
            values.update({link: inherit({}, sets[link].own) for link in circle})
        for link in reversed(chain):
            parent = sets[link].parent
            if parent is not None and parent not in sets:
                missing.append(link)
            if link not in values:
                values[link] = inherit(values.get(parent or "", {}), sets[link].own)
    return Resolution(values, tuple(missing), tuple(cycles))


def _unresolved(name: str, sets: Mapping[str, Child], values: Mapping[str, Any]) -> list[str]:
    """The set and its parents, up to one that is resolved, has no parent, or stands in the chain already."""
    chain: list[str] = []
    seen: set[str] = set()
    link: str | None = name
    while link is not None and link in sets and link not in values and link not in seen:
        chain.append(link)
        seen.add(link)
        link = sets[link].parent
    return chain


def _from_first(circle: list[str]) -> tuple[str, ...]:
    first = circle.index(min(circle))
    return (*circle[first:], *circle[:first], circle[first])


def _deep(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(parent)
    for name, value in own.items():
        inherited = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(inherited, Mapping)
        merged[name] = _deep(inherited, value) if both else value  # type: ignore[arg-type]
    return merged


def _stripped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is unset: `null` at any depth, what is empty then, and what is the default anyway."""
    stripped = {}
    for name, value in values.items():
        if value.__class__ in _PLAIN:
            if name not in _DEFAULTS or _DEFAULTS[name] != value:
                stripped[name] = value
        elif (rest := without_nulls(value) if name in _MERGED else value) not in (None, [], {}):
            stripped[name] = rest
    return stripped


def without_nulls(value: Any) -> Any:
    """JSON in which `null` in a mapping means unset, at any depth: it is left out.

    >>> without_nulls({"a": None, "b": [None, {"c": None}]})
    {'b': [None, {}]}
    """
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
