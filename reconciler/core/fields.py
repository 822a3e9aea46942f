"""Comparing two specs field by field: flat values by `==`, nested ones of pairs that differ by DeepDiff.

DeepDiff is slow and heavy, so it is imported only when such a pair has been found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.core.changes import FieldChange
from reconciler.core.state import Spec

# Fields that hold free JSON, in which `true` and `1` are different things though Python calls them equal.
FREE_FIELDS = ("extra", "response_format", "kind_spec")


def is_same(left: Spec, right: Spec) -> bool:
    """Whether two canonical specs mean the same.

    >>> is_same({"temperature": 1.0}, {"temperature": 1})
    True
    >>> is_same({"extra": {"stream": True}}, {"extra": {"stream": 1}})
    False
    """
    if left != right:
        return False
    return all(_alike(left[name], right[name]) for name in FREE_FIELDS if name in left)


def _alike(left: Any, right: Any) -> bool:
    """Equality that tells booleans from numbers, in values already known to be `==`."""
    if isinstance(left, Mapping):
        return all(_alike(value, right[key]) for key, value in left.items())
    if isinstance(left, Sequence) and not isinstance(left, str):
        return all(_alike(one, other) for one, other in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool)


def field_changes(before: Spec, after: Spec) -> tuple[FieldChange, ...]:
    """The fields that differ, sorted by path; nested mappings are named by dotted paths.

    >>> field_changes({"temperature": 0.7}, {"temperature": 0.9, "labels": {"team": "rag"}})
    (FieldChange(path='labels.team', before=None, after='rag'), FieldChange(path='temperature', ...
    """
    changes: list[FieldChange] = []
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new and _alike(old, new):
            continue
        nested = isinstance(old, Mapping) or isinstance(new, Mapping)
        changes.extend(_nested(name, old, new) if nested else [FieldChange(name, old, new)])
    changes.sort(key=lambda change: change.path)
    return tuple(changes)


def _nested(name: str, old: Any, new: Any) -> list[FieldChange]:
    """The leaves that differ below one field."""
    if old is None or new is None:
        side = old if new is None else new
        if not isinstance(side, Mapping) or not side:
            return [FieldChange(name, old, new)]
        leaves = [(path, value) for path, value in _leaves(name, side)]
        return [
            FieldChange(path, *((value, None) if new is None else (None, value))) for path, value in leaves
        ]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _deep(name, old, new) or [FieldChange(name, old, new)]
    return [FieldChange(name, old, new)]


def _leaves(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        path = f"{name}.{key}"
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(path, inner)
        else:
            yield path, inner


def _deep(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldChange]:
    from deepdiff import DeepDiff  # heavy; only pairs that differ get here

    tree = DeepDiff(dict(old), dict(new), view="tree")
    changes = []
    for levels in tree.values():
        for level in levels:
            steps = level.path(output_format="list")
            # A side that is absent comes as DeepDiff's own marker.
            left, right = (
                None if type(side).__name__ == "NotPresent" else side for side in (level.t1, level.t2)
            )
            if left != right or not _alike(left, right):
                changes.append(FieldChange(_dotted(name, steps), left, right))
    return changes


def _dotted(name: str, steps: Sequence[str | int]) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
