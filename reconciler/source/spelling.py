"""How words of the files are repeated in messages, and which known word was perhaps meant."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

_MOST_SHOWN = 40
# Comparing is slow; nobody mistypes a word this long, or searches among more.
_MOST_COMPARED = 100
_MOST_KNOWN = 2000


def shown(text: str) -> str:
    """A text as it can be repeated in a message: short, and without characters that would spoil it.

    >>> shown("chatt")
    "'chatt'"
    """
    clean = "".join(sign if sign.isprintable() else "?" for sign in text[: _MOST_SHOWN + 1])
    return f"'{clean[:_MOST_SHOWN]}…'" if len(clean) > _MOST_SHOWN else f"'{clean}'"


@lru_cache(maxsize=4096)
def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """A hint that names the known word that is nearest, or nothing.

    >>> did_you_mean("temperatur", ("temperature", "top_p"))
    'did you mean temperature?'
    """
    folded = {_folded(name): name for name in known}
    if same := folded.get(_folded(word)):
        return f"did you mean {same}?"
    near = get_close_matches(word[:_MOST_COMPARED], known[:_MOST_KNOWN], n=1)
    return f"did you mean {near[0]}?" if near else ""


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")
