"""How fast one provider is asked, as values that are fed with times: a token bucket, and the waits that the
provider asked for. Apart from what waits, so that no test of it has to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

# Less than this is no wait: what clocks and sums of fractions may be off by.
_INSTANT = 1e-6
# The first wait after a refusal that names none; each further one is twice as long.
_FIRST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: a request costs one token, and tokens come back at a steady rate.

    Attributes:
        rate: Tokens a second, above 0.
        burst: How many it holds at the most, at least 1.
        tokens: What it held at the time `at`; below zero where more was spent than was there.
        at: The time of that, in seconds of any clock.
    """

    rate: float
    burst: float
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until there is a token.

        >>> Bucket(rate=2, burst=1, tokens=0, at=100).wait(now=100.25)
        0.25
        """
        wait = (1 - self._held(now)) / self.rate
        return wait if wait > _INSTANT else 0.0

    def spend(self, count: int, now: float) -> Bucket:
        """The bucket with so many tokens less; a negative count gives some back."""
        return replace(self, tokens=min(self.burst, self._held(now) - count), at=now)

    def _held(self, now: float) -> float:
        return min(self.burst, self.tokens + (now - self.at) * self.rate)


def full_bucket(*, rate: float, burst: float, now: float) -> Bucket:
    """A bucket that nothing was taken from yet."""
    return Bucket(rate, burst, burst, now)


@dataclass(frozen=True, slots=True)
class Pace:
    """When a provider may be asked next.

    Attributes:
        bucket: What its requests cost.
        paused_at: When it last asked for a wait.
        until: The end of that wait.
        refusals: How often it has asked since it last answered otherwise.
    """

    bucket: Bucket
    paused_at: float = -inf
    until: float = -inf
    refusals: int = 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether nobody knows yet that the last wait was long enough: one question is enough to find out."""
        return self.refusals > 0

    def wait(self, now: float) -> float:
        """Seconds until the next question may be put."""
        paused = self.until - now
        return max(self.bucket.wait(now), paused if paused > _INSTANT else 0.0)

    def spend(self, count: int, now: float) -> Pace:
        """After so many requests."""
        return replace(self, bucket=self.bucket.spend(count, now))

    def refused(self, *, started: float, now: float, wait: float) -> Pace:
        """After a refusal that asks for a wait, to a question that was put at the time `started`.

        Questions that were under way together are refused together, and that is one refusal.
        """
        until = max(self.until, now + wait)
        if started < self.paused_at:
            return replace(self, until=until)
        return replace(self, until=until, paused_at=now, refusals=self.refusals + 1)

    def answered(self, *, started: float) -> Pace:
        """After any other answer; one to a question from before a refusal says nothing of the time since."""
        return self if started < self.paused_at or not self.refusals else replace(self, refusals=0)


def back_off(refusals: int, *, jitter: float, longest: float) -> float:
    """Seconds to wait after a refusal that does not say how long: twice as long after each one before it.

    `jitter`, from 0 to 1, spreads those who were refused together: half of the wait is left to chance.

    >>> [back_off(earlier, jitter=1.0, longest=20.0) for earlier in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    """
    wait = _FIRST_WAIT * 2.0 ** min(refusals, 30)
    return min(wait, longest) * (1 + jitter) / 2
