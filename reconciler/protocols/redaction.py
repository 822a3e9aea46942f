"""What may be shown of a provider's text: secrets, everything shaped like a key, and control characters are
taken out, and the rest is cut. One door, so that no sentence is built around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from reconciler.core.outcome import DETAIL_LIMIT
from reconciler.core.schema_secrets import without_keys
from reconciler.protocols.credentials import Secret

MASK = "[redacted]"

# Providers repeat keys in their errors, cut short or masked in the middle: more than whole keys' shapes.
_KEY_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk|gsk|xai|csk|pplx|nvapi|hf|fw|r8|ghp|gho|ghs|github_pat|glpat|tgp)
          [-_][A-Za-z0-9*_.-]{6,}              # vendors' prefixes
    | \b(?:AIza|AKIA|ASIA|ya29)[A-Za-z0-9*_.-]{12,}
    | \b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=*-]{6,}
    | \beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*  # tokens made of encoded JSON
    | \S*\*{2,}\S*                              # what the provider has masked itself
    | \b[A-Fa-f0-9]{32,}\b | \b[A-Za-z0-9_-]{40,}\b
    """,
    re.VERBOSE,
)
# Shorter values ("none", "x") stand in ordinary words; no real key is that short.
_SHORTEST_KEY = 8


def redact(text: str, secrets: Iterable[Secret] = (), *, limit: int = DETAIL_LIMIT) -> str:
    """A text without secrets on one line of at most `limit` characters, ending in `…` where it was cut.

    >>> redact("Incorrect API key provided: sk-proj-0123456789abcdef.")
    'Incorrect API key provided: [redacted]'
    """
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = _KEY_SHAPES.sub(MASK, _without(plain, secrets, shortest=1))
    plain = without_keys(plain, MASK)
    return shorten(" ".join(plain.split()), limit)


def conceal(text: str, secrets: Iterable[Secret]) -> str:
    """Our own sentence without any secret, cut to the length of a detail."""
    return shorten(_without(text, secrets, shortest=_SHORTEST_KEY), DETAIL_LIMIT)


def shorten(text: str, limit: int) -> str:
    """A text of at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _without(text: str, secrets: Iterable[Secret], *, shortest: int) -> str:
    spellings = {form for secret in secrets for form in (secret.reveal(), quote(secret.reveal(), safe=""))}
    # The longest first: one secret may be the beginning of another.
    for spelling in sorted(spellings, key=len, reverse=True):
        if len(spelling) >= shortest:
            text = text.replace(spelling, MASK)
    return text
