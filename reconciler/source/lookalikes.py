"""Names that people take for each other: those that differ only in case or by characters that look alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

# What is read as the same sign once case is folded: digits, and letters of Cyrillic, Greek and Armenian.
_ALIKE = {
    ord(sign): shape
    for shape, signs in {
        "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
        "a": "\u03b1\u0430",
        "b": "\u0432",
        "c": "\u03f2\u0441",
        "d": "\u0501",
        "e": "\u0435\u04bd",
        "g": "\u0261",
        "h": "\u043d\u04bb",
        "j": "\u0458",
        "k": "\u03ba\u043a",
        "l": "1i|\u0456\u0131\u03b9\u04cf",
        "m": "\u043c",
        "n": "\u03b7",
        "o": "0\u03bf\u043e\u0585",
        "p": "\u03c1\u0440",
        "s": "\u0455",
        "t": "\u03c4\u0442",
        "u": "\u03c5",
        "v": "\u03bd\u0475",
        "x": "\u03c7\u0445",
        "y": "\u03b3\u0443\u04af",
    }.items()
    for sign in signs
}


def pairs(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name that looks like an earlier one, with that one.

    >>> list(pairs(["gpt-4o", "GPT-4o", "gpt-4.1", "gpt-40"]))
    [('GPT-4o', 'gpt-4o'), ('gpt-40', 'gpt-4o')]
    """
    first: dict[str, str] = {}
    for name in names:
        earlier = first.setdefault(_skeleton(name), name)
        if earlier != name:
            yield name, earlier


def _skeleton(name: str) -> str:
    folded = name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()
    return folded.translate(_ALIKE).replace("rn", "m")
