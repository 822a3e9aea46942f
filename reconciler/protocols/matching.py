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
# How a router is to choose among those who serve a model; the model is the same.
_ROUTE = re.compile(r":(free|nitro|floor|exacto|online|fastest|cheapest|preferred)$")
# Behind a snapshot's number, such as text-embedding-ada-002-v2.
_REVISION = re.compile(r"(?<=-\d{3})-v\d$")
# An alias of the snapshots of a first version, such as claude-sonnet-4-0.
_ALIAS = re.compile(r"^(claude-(?:opus|sonnet|haiku)-\d)-0$")
# What tells versions apart, and not sizes or purposes.
_VERSION_WORD = re.compile(r"v?\d[\d.]*|preview|exp|experimental|stable")


def same_model(asked: str, answered: str) -> bool:
    """Whether an answer came from the model that was asked for.

    >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("gpt-4o", "gpt-4o-mini")
    (True, False)
    """
    left, right = (_ROUTE.sub("", _bare(name).casefold()).removesuffix(_NEWEST) for name in (asked, answered))
    right = right if _REVISION.search(left) else _REVISION.sub("", right)
    if _is_same_but_for_a_prefix(left, right) or _is_newest(asked, right):
        return True
    plain_left, plain_right = _undated(left), _undated(right)
    if left != plain_left and right != plain_right:
        # Two dates name two snapshots, and those are different models.
        return False
    return _is_same_but_for_a_prefix(_ALIAS.sub(r"\1", plain_left), plain_right)


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
        if name == asked or asked in aliases_of(item):
            return item
    return next((item for name, item in named if is_listed(asked, name)), None)


def aliases_of(item: Any) -> frozenset[str]:
    """The further names that a model says it goes by."""
    names = item.get("aliases") if isinstance(item, dict) else None
    return (
        frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
    )


def name_of(item: Any, id_field: str) -> str | None:
    """The model that an item of a list, or a whole answer, names."""
    name = item.get(id_field) if isinstance(item, dict) else item
    return name if isinstance(name, str) and name else None


def _is_same_but_for_a_prefix(left: str, right: str) -> bool:
    return left == right or left.endswith("/" + right) or right.endswith("/" + left)


def _is_newest(asked: str, answered: str) -> bool:
    """Whether an alias of whatever is newest, which names no version, was answered by a version of it."""
    words = _bare(asked).casefold().split("-")
    if words[-1] != _NEWEST[1:] or any(character.isdigit() for character in asked):
        return False
    named = answered.split("-")
    more = [word for word in named if word not in words]
    return set(words[:-1]) <= set(named) and all(_VERSION_WORD.fullmatch(word) for word in more)


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.removesuffix(_DEFAULT_TAG).replace("@", "-")


def _undated(name: str) -> str:
    return _DATE.sub("", name)
