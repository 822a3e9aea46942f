"""A circuit breaker as a value that is fed outcomes: when a provider does not answer, the rest of its models
need not wait for it one after the other.
"""

from __future__ import annotations

from collections import Counter

from reconciler.core.outcome import Outcome

# What says that nobody is there; a refusal of any kind is an answer.
_SILENCE: frozenset[Outcome] = frozenset({"timeout", "unreachable"})


class Breaker:
    """Counts silences in a row, by provider.

    Args:
        threshold: How many in a row open it, at least 1.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._silent: Counter[str] = Counter()

    def note(self, provider: str, outcome: Outcome) -> None:
        """Take in one outcome; any answer closes the breaker again, what was not asked changes nothing."""
        if outcome == "skipped":
            return
        self._silent[provider] = self._silent[provider] + 1 if outcome in _SILENCE else 0

    def is_open(self, provider: str) -> bool:
        """Whether the provider is not asked any more."""
        return self._silent[provider] >= self._threshold

    def is_in_doubt(self, provider: str) -> bool:
        """Whether the last outcome was silence: before more is asked, what is under way should be heard."""
        return self._silent[provider] > 0

    def reason(self, provider: str) -> str:
        """Why, for the models that are skipped."""
        return f"{provider} did not answer {self._silent[provider]} times in a row, so the rest was not asked"
