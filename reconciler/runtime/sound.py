"""What is believed of columns that take anything: a hand may have written what no schema would take, and
that reads as unset. Pure, and apart from `assembly`, which puts answers together of what is left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, get_args

from pydantic import ValidationError

from reconciler.core.requests import LLMParametersUpdate
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.core.schema_secrets import MASK, shareable
from reconciler.core.schema_values import RESPONSE_FORMATS
from reconciler.core.schemas import Limits, ParameterFields, ReasoningEffort
from reconciler.runtime.responses import trusted

PARAMETERS = frozenset((*PARAMETER_FIELDS, "unsupported", "extra"))
_NUMBERS = tuple(
    name for name, field in ParameterFields.model_fields.items() if "float" in str(field.annotation)
)
_DECODING = frozenset({"greedy", "sample"})
_EFFORTS = frozenset(get_args(ReasoningEffort))


def parsed(text: str | None) -> Any:
    """JSON as the database holds it; `None` for what Python cannot hold, such as thousands of digits."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def labels(text: str | None) -> dict[str, str]:
    """Labels: whatever has a text as its value.

    >>> labels('{"team": "rag", "tier": 1}'), labels('["team"]')
    ({'team': 'rag'}, {})
    """
    found = parsed(text)
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def mapping(text: str | None) -> dict[str, Any] | None:
    """Free JSON that has to be a mapping."""
    found = parsed(text)
    return found if isinstance(found, dict) else None


def words(text: str | None) -> list[str] | None:
    """A list of texts; others in it are left out, and nothing but others is no list."""
    found = parsed(text)
    if not isinstance(found, list):
        return None
    return [word for word in found if isinstance(word, str) and word] or None


def limits(text: str | None) -> Limits | None:
    """Limits: whole numbers that count something.

    >>> limits('{"context": 8192, "output": "many"}')
    Limits(context=8192, input=None, output=None)
    """
    found = parsed(text)
    if not isinstance(found, dict):
        return None
    values = {name: found.get(name) for name in Limits.model_fields}
    return trusted(Limits, {name: value if _is_count(value) else None for name, value in values.items()})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def credentials(text: str | None) -> dict[str, str] | str | None:
    """References, and a mask for everything else: it may be a key, and is none of the kind's own either.

    >>> credentials('{"api_key": "env:A_API_KEY", "pin": 1234}'), credentials('"none"'), credentials("[1]")
    ({'api_key': 'env:A_API_KEY', 'pin': '***'}, 'none', '***')
    """
    return None if text is None else shown_credentials(parsed(text))


def shown_credentials(found: Any) -> dict[str, str] | str | None:
    """The same of what was read already.

    >>> shown_credentials({"api_key": "sk-0123456789abcdefghijklmn"})
    {'api_key': '***'}
    """
    if found is None:
        return None
    if found == "none":
        return "none"
    if not isinstance(found, dict):
        return MASK
    shown = shareable("credentials", found)
    return {name: value if isinstance(value, str) else MASK for name, value in shown.items()}


def repair(values: dict[str, Any]) -> None:
    """Take out of a set's columns what is no value of its fields; in place, for there are thousands."""
    values["labels"] = {} if values["labels"] is None else labels(values["labels"])
    for name in _NUMBERS:
        number = values[name]
        if number is not None and not isfinite(number):
            values[name] = None
    if values["decoding_method"] not in _DECODING:
        values["decoding_method"] = None
    if values["reasoning_effort"] not in _EFFORTS:
        values["reasoning_effort"] = None
    if values["stop_sequences"] is not None:
        values["stop_sequences"] = words(values["stop_sequences"])
    if values["response_format"] is not None:
        values["response_format"] = _format(parsed(values["response_format"]))
    if values["extra"] is not None:
        values["extra"] = mapping(values["extra"])


def _format(found: Any) -> Any:
    if isinstance(found, str):
        return found if found in RESPONSE_FORMATS else None
    return found if isinstance(found, dict) and found else None


def override_fields(text: str | None) -> dict[str, Any]:
    """What an override holds, without what is nothing that can be held.

    >>> override_fields('{"is_active": "no", "parameters": {"top_k": null, "heat": 1}}')
    {'parameters': {'top_k': None}}
    """
    found = parsed(text)
    if not isinstance(found, dict):
        return {}
    fields: dict[str, Any] = {}
    if isinstance(found.get("is_active"), bool):
        fields["is_active"] = found["is_active"]
    if isinstance(found.get("parameters"), dict):
        fields["parameters"] = _held(found["parameters"])
    if "prompt_template" in found and isinstance(found["prompt_template"], (str, type(None))):
        fields["prompt_template"] = found["prompt_template"]
    return fields


def _held(parameters: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in PARAMETERS:
            try:
                fields |= LLMParametersUpdate.model_validate({name: value}).given()
            except ValidationError:
                continue
    return fields


def is_storable(text: str) -> bool:
    r"""Whether PostgreSQL can hold a text at all; what it cannot hold is not there.

    >>> is_storable("gpt-4o"), is_storable("a\0b"), is_storable("\ud800")
    (True, False, False)
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
