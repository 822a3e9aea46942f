"""What an unquoted word of YAML means: the 1.2 core schema, except that whole numbers are decimal and have no
leading zeros, so that dates, times, versions and postal codes stay the text that people wrote.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SPECIAL = {
    **{sign + word: float(sign + "inf") for sign in ("", "-", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("+-.0123456789")
# A sign and the digits of the largest 64-bit number: what is longer need not be counted.
_MOST_DIGITS = 20
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1

Scalar = str | int | float | bool | None


class TooLargeError(ValueError):
    """A whole number that no 64-bit column holds."""


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar; `TooLargeError` for a whole number of more than 64 bits.

    >>> [resolve(text) for text in ("no", "0100", "12:30", "1e0", "-7", "~", "True")]
    ['no', '0100', '12:30', 1.0, -7, None, True]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if _FLOAT.fullmatch(text):
        # Minus zero is zero: the database would hold another value that compares as equal.
        return float(text) + 0.0
    return _SPECIAL.get(text, text)


def _whole(text: str) -> int:
    if len(text) <= _MOST_DIGITS:
        value = int(text)
        if LEAST_INTEGER <= value <= GREATEST_INTEGER:
            return value
    raise TooLargeError
