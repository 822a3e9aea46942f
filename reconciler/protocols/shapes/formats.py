"""What a model is told and how it shall answer, in words that several shapes share: messages, and response
formats, which a file writes as a word, in OpenAI's way, or as a bare JSON schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.core.prompt import Prompt
from reconciler.protocols.shapes.places import found_at

_WORDS = ("text", "json_object", "json_schema")


class Format(NamedTuple):
    """What an answer has to look like: JSON or not, and by which schema, if by any."""

    is_json: bool
    schema: Mapping[str, Any] | None = None


def format_of(wanted: Any) -> Format:
    """What a response format asks for.

    >>> format_of("json_object"), format_of({"type": "text"})
    (Format(is_json=True, schema=None), Format(is_json=False, schema=None))
    >>> format_of({"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}).schema
    {'type': 'object'}
    """
    word = wanted.get("type") if isinstance(wanted, Mapping) else wanted
    if word not in _WORDS:
        return Format(is_json=True, schema=wanted if isinstance(wanted, Mapping) else None)
    schema = found_at(wanted, "json_schema.schema") or found_at(wanted, "schema")
    return Format(is_json=word != "text", schema=schema if isinstance(schema, Mapping) else None)


def typed(wanted: Any) -> Any:
    """A response format in OpenAI's words; a mapping is passed on as it is.

    >>> typed("json_object")
    {'type': 'json_object'}
    """
    return {"type": wanted} if isinstance(wanted, str) else wanted


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """What a model is told, as messages of a system, where it says anything, and a user."""
    asked = [{"role": "user", "content": prompt.user}]
    return [{"role": "system", "content": prompt.system}, *asked] if prompt.system else asked
