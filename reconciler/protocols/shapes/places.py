"""Where things stand in an answer: dotted places that lead into lists too, and what is read from them. Apart
because every shape needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint


def found_at(document: Any, place: str) -> Any:
    """What stands at a dotted place, a number being an item of a list; `None` where nothing does.

    >>> found_at({"choices": [{"text": "pong"}]}, "choices.0.text")
    'pong'
    """
    found = document
    for step in place.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def text_at(document: Any, place: str) -> str | None:
    """The text at a place, `None` where there is none."""
    found = found_at(document, place)
    return found if isinstance(found, str) else None


def model_in(document: Any, endpoint: Endpoint, usual: str = "model") -> str | None:
    """The model that answered, where the endpoint says or where such answers usually name it."""
    if not endpoint.model_at:
        return None
    return text_at(document, endpoint.model_at) or text_at(document, usual) or None


def joined_texts(parts: Any) -> str:
    """The texts of an answer's parts; thoughts and calls of tools among them are none."""
    if not isinstance(parts, list):
        return ""
    texts = (text_at(part, "text") for part in parts if not found_at(part, "thought"))
    return "".join(text for text in texts if text)


def is_vector(found: Any) -> bool:
    """Whether something is an embedding."""
    return isinstance(found, list) and bool(found) and isinstance(found[0], int | float)


def ranked(results: list[Any]) -> list[tuple[int, float]]:
    """The numbers of ranked documents with their scores, the best first.

    >>> ranked([{"index": 0, "score": 0.1}, {"index": 1, "relevance_score": 0.9}])
    [(1, 0.9), (0, 0.1)]
    """
    pairs = [
        (one["index"], float(one.get("relevance_score", one.get("score", 0.0)) or 0.0))
        for one in results
        if isinstance(one, Mapping) and isinstance(one.get("index"), int)
    ]
    return sorted(pairs, key=lambda pair: -pair[1])
