"""Free JSON inside of the files: `extra` and `response_format`. What is free still has one spelling, so that
it comes back from the database as it went in, and still may not redirect or replace the request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString

from pydantic_core import PydanticCustomError

from reconciler.core.inheritance import without_nulls
from reconciler.core.redirects import REDIRECTING, is_redirecting
from reconciler.core.schema_fields import either_case

REDIRECTING_PATTERN = "^(?:" + "|".join(map(either_case, REDIRECTING)) + ")$"

# From here on a float has no fraction, and JSON stored as decimal numbers comes back without a point.
_WHOLE_FROM = 2.0**53
# One digit more than the largest float's: what is longer, few readers of JSON read again.
_TOO_LARGE = 10**309
# As deep as files may be.
DEPTH_LIMIT: Final = 100


def canonical(value: Any) -> Any:
    """JSON in its one spelling: numbers are as the database returns them.

    Raises:
        PydanticCustomError: `out-of-range` for a number that JSON does not know or few readers can read, and
            for what is nested too deep; `wrong-type` and `bad-text` for what is no JSON, or no text that a
            database can hold; `steps` leads to it.

    >>> canonical({"a": [None, 1e20], "b": -0.0})
    {'a': [None, 100000000000000000000], 'b': 0.0}
    """
    return _canonical(value, ())


def _canonical(value: Any, steps: tuple[str | int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, steps)
    if isinstance(value, int):
        return _whole(value, steps)
    if isinstance(value, float):
        return _number(value, steps)
    if len(steps) > DEPTH_LIMIT:
        raise _fault("out-of-range", "this is nested more than 100 levels deep", steps[:1])
    if isinstance(value, Mapping):
        return {_name(key, steps): _canonical(item, (*steps, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item, (*steps, number)) for number, item in enumerate(value)]
    raise _fault(
        "wrong-type", "only texts, numbers, true, false, null, lists and mappings can be kept", steps
    )


def _name(key: Any, steps: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise _fault("wrong-type", "the names of a mapping must be texts", steps)
    return _text(key, steps)


def _text(value: str, steps: tuple[str | int, ...]) -> str:
    """A text that a database can hold."""
    try:
        is_whole = b"\0" not in value.encode()
    except UnicodeEncodeError:
        is_whole = False
    if not is_whole:
        raise _fault("bad-text", "a text holds a NUL character, or half of a character", steps)
    return value


def _whole(value: int, steps: tuple[str | int, ...]) -> int:
    if abs(value) >= _TOO_LARGE:
        raise _fault("out-of-range", "a number has more than 309 digits", steps)
    return value


def _number(value: float, steps: tuple[str | int, ...]) -> int | float:
    if not math.isfinite(value):
        raise _fault("out-of-range", "infinity and NaN are no numbers here", steps)
    if abs(value) >= _WHOLE_FROM:
        return int(Decimal(repr(value)))
    return value + 0.0


def _fault(code: LiteralString, message: LiteralString, steps: tuple[str | int, ...]) -> PydanticCustomError:
    return PydanticCustomError(code, message, {"steps": steps})


def checked_extra(value: Any) -> Any:
    """A mapping of `extra` in canonical form; refuses names that redirect or replace the request.

    Its nulls stay: they may remove what would be inherited.
    """
    if not isinstance(value, Mapping):
        raise PydanticCustomError("wrong-type", "this is no mapping")
    faults = [
        PydanticCustomError("wrong-value", "this would redirect or replace the request", {"steps": (name,)})
        for name in value
        if isinstance(name, str) and is_redirecting(name)
    ]
    try:
        checked = canonical(value)
    except PydanticCustomError as fault:
        faults.append(fault)
    if faults:
        raise _together(faults)
    return checked


def _together(faults: Sequence[PydanticCustomError]) -> PydanticCustomError:
    """Several faults as one, for a validator can raise only one: those after the first are in its context."""
    first, *also = faults
    more = [{"type": fault.type, "msg": fault.message(), "ctx": fault.context} for fault in also]
    context = {**(first.context or {}), "also": more}
    return PydanticCustomError(first.type, first.message_template, context)


def checked_format(value: Any) -> Any:
    """A response format: `text`, `json_object`, or a mapping that is passed on."""
    if isinstance(value, Mapping) and value:
        return without_nulls(canonical(value))
    if isinstance(value, str) and value in RESPONSE_FORMATS:
        return value
    code = "wrong-value" if isinstance(value, (str, Mapping)) else "wrong-type"
    raise PydanticCustomError(code, "this is no response format")


RESPONSE_FORMATS = ("text", "json_object")
EXTRA_SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"not": {"pattern": REDIRECTING_PATTERN}},
}
FORMAT_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": list(RESPONSE_FORMATS)}, {"type": "object", "minProperties": 1}],
}
