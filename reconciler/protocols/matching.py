"""Whether two model ids mean the same model. Providers answer with a dated snapshot, a prefix or a default
tag where an alias was asked for; that is no mismatch, but another model's name is.
"""

from __future__ import annotations

import re
from typing import Any

_DATE = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{4}|\d{3}|latest)$")
# What stands before an id in some providers' own lists.
_PREFIXES = ("publishers/google/models/", "accounts/fireworks/models/", "models/")
_DEFAULT_TAG = ":latest"
_NEWEST = "-latest"


def same_model(asked: str, answered: str) -> bool:
    """Whether an answer came from the model that was asked for.

    >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("gpt-4o", "gpt-4o-mini")
    (True, False)
    """
    left, right = (_bare(name).casefold().removesuffix(_NEWEST) for name in (asked, answered))
    if left == right or left.endswith("/" + right) or right.endswith("/" + left):
        return True
    # Two dates name two snapshots, and those are different models.
    return _undated(left) == _undated(right) and (left == _undated(left) or right == _undated(right))


def is_listed(asked: str, listed: str) -> bool:
    """Whether an entry of a provider's list says that the asked model is there.

    Stricter than an answer: a dated id is not there because its alias is.

    >>> is_listed("gpt-4o", "gpt-4o-2024-08-06"), is_listed("gpt-4o-2024-05-13", "gpt-4o")
    (True, False)
    """
    wanted, there = _bare(asked), _bare(listed)
    if wanted == there:
        return True
    return there.startswith(_undated(wanted)) and _undated(there) == wanted.removesuffix(_NEWEST)


def find_listed(asked: str, items: list[Any], id_field: str) -> Any:
    """The item of a list that names the model, exactly or else as a variant; `None` where there is none."""
    named = [(name, item) for item in items if (name := name_of(item, id_field)) is not None]
    for name, item in named:
        if name == asked:
            return item
    return next((item for name, item in named if is_listed(asked, name)), None)


def name_of(item: Any, id_field: str) -> str | None:
    """The model that an item of a list, or a whole answer, names."""
    name = item.get(id_field) if isinstance(item, dict) else item
    return name if isinstance(name, str) and name else None


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.removesuffix(_DEFAULT_TAG)


def _undated(name: str) -> str:
    return _DATE.sub("", name)
