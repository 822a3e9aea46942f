"""What the shapes of several protocols share: fields that are moved to other names, and the places in answers
where texts, models and counts stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import merged, nested, value_at, without
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import MOST_TOKENS, Call, Reply, Work
from reconciler.protocols.shapes.places import joined_texts, model_in

_ASKED = ("prompt_tokens", "input_tokens")
_ANSWERED = ("completion_tokens", "output_tokens")


class Moved(NamedTuple):
    """A request's fields after some were moved, and our names of those by their new ones."""

    fields: Mapping[str, Any]
    renamed: Mapping[str, str]


def moved(work: Work, names: Mapping[str, str]) -> Moved:
    """The fields of a piece of work with some at other places: dotted new names by dotted old ones.

    What already stands at a new place was put there by name, and stays.
    """
    fields, renamed = work.wired.fields, {}
    for old, new in names.items():
        value = value_at(fields, old)
        if value is None or old == new:
            continue
        fields = merged(nested({new: value}), without(fields, old))
        renamed[new] = work.wired.names.get(new) or work.wired.names.get(old, f"extra.{old}")
    return Moved(fields, renamed)


def call(work: Work, fields: Mapping[str, Any], *, renamed: Mapping[str, str] | None = None) -> Call:
    """A call of the work's endpoint."""
    return Call(fields, work.endpoint.path, work.endpoint.query, renamed=renamed or {})


def reply(answer: Answer, endpoint: Endpoint, *, text: str = "", finish_reason: Any = None) -> Reply:
    """A reply with the model and the counts where most protocols put them."""
    usage = value_at(answer.document, "usage")
    return Reply(
        text=text,
        model=model_in(answer.document, endpoint),
        finish_reason=finish_reason if isinstance(finish_reason, str) else None,
        input_tokens=count_at(usage, *_ASKED),
        output_tokens=count_at(usage, *_ANSWERED),
    )


def count_at(document: Any, *paths: str) -> int | None:
    """The first number at some dotted places that may be a count."""
    found = (value_at(document, path) for path in paths)
    return next((one for one in found if _is_count(one)), None)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS


def first_of(document: Any, name: str) -> Mapping[str, Any] | None:
    """The first mapping of a list in an answer; `None` where there is none."""
    items = document.get(name) if isinstance(document, Mapping) else None
    first = items[0] if isinstance(items, list) and items else None
    return first if isinstance(first, Mapping) else None


def text_of(content: Any) -> str:
    """A message's text: as it is, or put together from its parts.

    >>> text_of([{"type": "text", "text": "o"}, {"type": "text", "text": "k"}, {"type": "image"}])
    'ok'
    """
    return content if isinstance(content, str) else joined_texts(content)
