"""What is to be verified and what is known of it: the results of a run, kept apart from how they are had, so
that whatever ends a run ends it with a result for each target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.protocols.exchange import Verdict

OnResult = Callable[[Result], None]


class Board:
    """The targets of a run by number, and their results as they come.

    Args:
        targets: What is to be verified.
        on_result: Told each result once.
    """

    def __init__(self, targets: Sequence[ProbeTarget], on_result: OnResult | None) -> None:
        self.targets = tuple(targets)
        self._results: dict[int, Result] = {}
        self._so_far: dict[int, Verdict] = {}
        self._on_result = on_result

    def note(self, number: int, verdict: Verdict) -> None:
        """Keep what was found of one target."""
        result = self._result(number, verdict)
        self._results[number] = result
        if self._on_result is not None:
            self._on_result(result)

    def note_so_far(self, number: int, verdict: Verdict) -> None:
        """Remember what stands if the target is not asked once more."""
        self._so_far[number] = verdict

    def skip(self, numbers: Iterable[int], reason: str) -> None:
        """Note what stands of targets that are not asked any more."""
        for number in numbers:
            self.note(number, self._standing(number, reason))

    def skip_rest(self, reason: str) -> None:
        """The same for every target without a result."""
        self.skip([number for number in range(len(self.targets)) if number not in self._results], reason)

    def results(self, reason: str) -> tuple[Result, ...]:
        """Every result in order, without telling anybody; what has none is skipped for the reason."""
        return tuple(
            self._results.get(number) or self._result(number, self._standing(number, reason))
            for number in range(len(self.targets))
        )

    def _standing(self, number: int, reason: str) -> Verdict:
        return self._so_far.get(number) or Verdict("skipped", reason)

    def _result(self, number: int, verdict: Verdict) -> Result:
        target = self.targets[number]
        return Result(
            address=target.address,
            outcome=verdict.outcome,
            probe=target.level,
            http_status=verdict.http_status,
            latency_ms=verdict.latency_ms,
            detail=verdict.detail,
            provider_code=verdict.provider_code,
            retry_after=verdict.retry_after,
            answered_by=verdict.answered_by,
            refused_parameters=verdict.refused_parameters,
        )
