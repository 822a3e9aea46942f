"""What a kind's own errors mean, as lines of a classifier: read before its protocol's
rules. Apart because kinds are data, and know of no classifier.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler.core.provider_kind import ErrorRule, ProviderKind
from reconciler.protocols.classify import Rule


def rules_of(kind: ProviderKind, shared: tuple[Rule, ...] = ()) -> tuple[Rule, ...]:
    """The kind's own rules, in their order, and then those of its protocol.

    >>> kind = ProviderKind("acme", "openai", errors=(ErrorRule("forbidden", words=("mine", "yours")),))
    >>> rules_of(kind)[0].words
    'mine|yours'
    """
    return (*_lines(kind.errors), *shared)


@lru_cache(maxsize=64)
def _lines(errors: tuple[ErrorRule, ...]) -> tuple[Rule, ...]:
    return tuple(_line(error) for error in errors if error.codes or error.words or error.statuses)


def _line(error: ErrorRule) -> Rule:
    # Words are looked for as they stand: a pattern of somebody's own could keep the search busy for hours.
    words = "|".join(re.escape(text.lower()) for text in error.words)
    codes = tuple(code.lower() for code in error.codes)
    return Rule(error.outcome, codes, words, error.statuses)
