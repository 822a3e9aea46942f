"""Spans of time as people write them: `10s`, `5m`, `1h30m`, `1d`. One spelling for each length, so that two
spellings of the same length are no difference.
"""

from __future__ import annotations

import re

# Days, hours, minutes, seconds, each at most once and in this order; no zeros, no leading zeros.
_PART = "(?:[1-9][0-9]{0,5}%s)"
_PARTS = [_PART % unit for unit in "dhms"]
PATTERN = (
    "^(?:"
    + "|".join(f"{part}{''.join(f'{later}?' for later in _PARTS[n + 1 :])}" for n, part in enumerate(_PARTS))
    + ")$"
)

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_ALL = re.compile(PATTERN)


def seconds(text: str) -> int:
    """How many seconds a duration is, at least 1; `ValueError` where it is none.

    >>> seconds("1h30m")
    5400
    """
    if not _ALL.fullmatch(text):
        raise ValueError("a duration is written like 10s, 5m, 1h30m or 1d")
    return sum(int(count) * _SECONDS[unit] for count, unit in re.findall(r"([0-9]+)([dhms])", text))


def canonical(text: str) -> str:
    """The one spelling of a duration; `ValueError` where it is none.

    >>> canonical("90m"), canonical("24h")
    ('1h30m', '1d')
    """
    rest = seconds(text)
    parts = []
    for unit, length in _SECONDS.items():
        count, rest = divmod(rest, length)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts)
