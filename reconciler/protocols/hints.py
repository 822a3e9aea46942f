"""What to do about an outcome, where a protocol knows more than the provider says: words behind its own."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.outcome import DETAIL_LIMIT
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.redaction import shorten


def hinted(verdict: Verdict, hint: str) -> Verdict:
    """A verdict whose detail ends in a hint, which is never what is cut off.

    >>> hinted(Verdict("model_not_found", "it has no model x"), "ollama pull x").detail
    'it has no model x; ollama pull x'
    """
    said = shorten(verdict.detail, DETAIL_LIMIT - len(hint) - 2)
    return replace(verdict, detail=f"{said}; {hint}")
