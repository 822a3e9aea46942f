"""One provider's models on their way through a run: what waits, what is under way, and when the next may
start. It is fed with times and verdicts and waits for nothing itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from reconciler.protocols.exchange import Verdict
from reconciler.service.breaker import Breaker
from reconciler.service.limits import Limits
from reconciler.service.pace import Pace, back_off, full_bucket


class Lane:
    """One provider's models.

    Args:
        provider: Its name, for people.
        numbers: Its models.
        limits: What the run may do.
        began: When the run began, by the clock that every other time here is of.
        chance: A number from 0 to 1, another one each time.
    """

    def __init__(
        self,
        provider: str,
        numbers: Iterable[int],
        limits: Limits,
        *,
        began: float,
        chance: Callable[[], float],
    ) -> None:
        self.provider = provider
        self._waiting = deque(numbers)
        self._refused: set[int] = set()
        self._busy = 0
        self._limits = limits
        self._deadline = began + limits.deadline
        self._chance = chance
        self._pace = Pace(full_bucket(rate=limits.rate, burst=limits.burst, now=began))
        self._breaker = Breaker(limits.breaker_threshold)
        self._closed = ""

    @property
    def is_done(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._waiting and not self._busy

    @property
    def next(self) -> int:
        """The model that comes next; there must be one that waits."""
        return self._waiting[0]

    @property
    def _reason(self) -> str:
        """Why nothing more is asked, if so."""
        return self._closed or (
            self._breaker.reason(self.provider) if self._breaker.is_open(self.provider) else ""
        )

    def delay(self, now: float) -> float | None:
        """Seconds until the next model may be asked; `None` where a probe must end first.

        In doubt nothing starts before what is under way has ended: else each probe that timed out would start
        another one, and a dead provider would cost its timeout twice.
        """
        in_doubt = self._pace.is_in_doubt or self._breaker.is_in_doubt(self.provider)
        room = 1 if in_doubt else self._limits.per_provider
        if not self._waiting or self._reason or self._busy >= room:
            return None
        return self._pace.wait(now)

    def dropped(self) -> tuple[tuple[int, ...], str]:
        """The models that will not be asked any more, which wait no longer, and why."""
        reason = "" if self._busy else self._reason
        numbers = tuple(self._waiting) if reason else ()
        if reason:
            self._waiting.clear()
        return numbers, reason

    def take(self, now: float) -> int:
        """Start the next model; it is charged with one request until more is known."""
        self._busy += 1
        self._pace = self._pace.spend(1, now)
        return self._waiting.popleft()

    def ended(
        self,
        number: int,
        verdict: Verdict,
        *,
        requests: int,
        started: float,
        now: float,
        repeats: bool = True,
    ) -> bool:
        """Take in a verdict that took so many requests; whether it stands, or the model is asked again.

        What must not be repeated, since it may cost something, stands.
        """
        self._busy -= 1
        self._pace = self._pace.spend(requests - 1, now)
        self._breaker.note(self.provider, verdict.outcome)
        if not asks_to_wait(verdict):
            self._pace = self._pace.answered(started=started)
            return True
        wait = self._wait(verdict)
        self._pace = self._pace.refused(started=started, now=now, wait=wait)
        self._closed = self._closed or self._impatience(wait, now)
        if self._closed or number in self._refused or not repeats:
            return True
        self._refused.add(number)
        self._waiting.appendleft(number)
        return False

    def _wait(self, verdict: Verdict) -> float:
        if verdict.retry_after is not None:
            return max(verdict.retry_after, 0.0)
        return back_off(self._pace.refusals, jitter=self._chance(), longest=self._limits.longest_wait)

    def _impatience(self, wait: float, now: float) -> str:
        """Why it is not worth waiting, if so."""
        if wait > self._limits.longest_wait or now + wait >= self._deadline:
            return f"{self.provider} asked to wait {wait:.0f} s, so the rest was not asked"
        if self._pace.refusals >= self._limits.most_waits:
            times = self._pace.refusals
            return f"{self.provider} asked to wait {times} times in a row, so the rest was not asked"
        return ""


def asks_to_wait(verdict: Verdict) -> bool:
    """Whether a provider wants to be asked later: one that limits rates, whether it says how long or not, and
    one in trouble where it says how long.
    """
    return verdict.outcome == "rate_limited" or (
        verdict.outcome == "overloaded" and verdict.retry_after is not None
    )
