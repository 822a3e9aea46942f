"""Probing many models at once: bounded for each provider, in total and in time, so that nothing hangs and
what is known is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.core.outcome import Result
from reconciler.core.probe import Access, ProbeTarget
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run, open_run
from reconciler.service.breaker import Breaker
from reconciler.service.unwaited import UnwaitedThreads

OnResult = Callable[[Result], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked at once, and for how long.

    Attributes:
        per_provider: Probes of one provider at the same time, at least 1.
        total: Probes at the same time, at least 1.
        deadline: Seconds for the whole run; what is not done by then is skipped.
        breaker_threshold: Silences of a provider in a row after which the rest of it is skipped, at least 1.
    """

    per_provider: int = 8
    total: int = 128
    deadline: float = 600.0
    breaker_threshold: int = 3


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while probing; `results` holds one for each target, `skipped` for what was not done."""

    def __init__(self, results: tuple[Result, ...]) -> None:
        self.results = results
        super().__init__("interrupted")


def probe_all(
    targets: Sequence[ProbeTarget],
    access: Access,
    *,
    limits: Limits = Limits(),
    on_result: OnResult | None = None,
) -> tuple[Result, ...]:
    """Verify every target; one result for each, in their order.

    Each probe costs at most its target's timeout. `on_result` is called for each result as it comes, in the
    calling thread. Must not be called where an event loop runs.

    Raises:
        Interrupted: Ctrl-C; it carries the results.
        UsageError: The file of certificates cannot be read (`bad-ca-file`).
    """
    if not targets:
        return ()
    board = _Board(targets, limits, on_result)
    try:
        asyncio.run(_run(board, access, limits))
    except KeyboardInterrupt:
        raise Interrupted(board.results("the run was interrupted")) from None
    return board.results("")


class _Lane:
    """One provider's models that wait, and how many of them are being probed."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.waiting: deque[int] = deque()
        self.busy = 0
        self.changed = asyncio.Condition()


class _Board:
    """What is to be done and what is known, while probes run."""

    def __init__(self, targets: Sequence[ProbeTarget], limits: Limits, on_result: OnResult | None) -> None:
        self.breaker = Breaker(limits.breaker_threshold)
        self.free = asyncio.Semaphore(limits.total)
        self.lanes: dict[str, _Lane] = {}
        self._targets = tuple(targets)
        self._results: dict[int, Result] = {}
        self._on_result = on_result
        for number, target in enumerate(self._targets):
            provider = target.address.provider
            self.lanes.setdefault(provider, _Lane(provider)).waiting.append(number)

    def target(self, number: int) -> ProbeTarget:
        return self._targets[number]

    def note(self, number: int, verdict: Verdict) -> None:
        result = self._result(number, verdict)
        self._results[number] = result
        if self._on_result is not None:
            self._on_result(result)

    def skip_rest(self, reason: str) -> None:
        for number in range(len(self._targets)):
            if number not in self._results:
                self.note(number, Verdict("skipped", reason))

    def results(self, reason: str) -> tuple[Result, ...]:
        """Every result in order; what is not done is skipped for the reason."""
        missing = Verdict("skipped", reason)
        numbers = range(len(self._targets))
        return tuple(self._results.get(number) or self._result(number, missing) for number in numbers)

    def _result(self, number: int, verdict: Verdict) -> Result:
        target = self._targets[number]
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
        )


async def _run(board: _Board, access: Access, limits: Limits) -> None:
    # The HTTP library is only loaded where something is asked.
    from reconciler.protocols.transport import open_transport

    asyncio.get_running_loop().set_default_executor(UnwaitedThreads())
    async with (
        open_transport(access.ca_file) as transport,
        open_run(transport, access, now=datetime.now(UTC)) as run,
    ):
        try:
            async with asyncio.timeout(limits.deadline):
                await _together(_probe_lane(board, run, lane) for lane in _workers(board, limits))
        except TimeoutError:
            board.skip_rest(f"the run's deadline of {limits.deadline:g} s was over")


def _workers(board: _Board, limits: Limits) -> Iterable[_Lane]:
    """A provider's lane for each of its workers."""
    for lane in board.lanes.values():
        for _ in range(min(limits.per_provider, len(lane.waiting))):
            yield lane


async def _together(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all; if one breaks, or the whole is cancelled, leave none behind."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _probe_lane(board: _Board, run: Run, lane: _Lane) -> None:
    """Take a provider's models one after the other, until none waits."""
    while (number := await _next(board, lane)) is not None:
        async with board.free:
            verdict = await _verdict(board, number, run)
        board.breaker.note(lane.provider, verdict.outcome)
        board.note(number, verdict)
        async with lane.changed:
            lane.busy -= 1
            lane.changed.notify_all()


async def _next(board: _Board, lane: _Lane) -> int | None:
    """The next model of a provider. In doubt it is not started before the probes under way have ended: else
    each that timed out would start another one, and a dead provider would cost its timeout twice.
    """
    async with lane.changed:
        await lane.changed.wait_for(
            lambda: (
                not (lane.waiting and lane.busy and board.breaker.is_in_doubt(lane.provider))
                or board.breaker.is_open(lane.provider)
            )
        )
        if not lane.waiting:
            return None
        lane.busy += 1
        return lane.waiting.popleft()


async def _verdict(board: _Board, number: int, run: Run) -> Verdict:
    """One probe within its time, if its provider still answers."""
    target = board.target(number)
    if board.breaker.is_open(target.address.provider):
        return Verdict("skipped", board.breaker.reason(target.address.provider))
    spoken = protocol(target.kind.protocol)
    if spoken is None:
        detail = f"this version does not speak '{target.kind.protocol}', the protocol of {target.kind.name}"
        return Verdict("skipped" if target.level == "none" else "unprobeable", detail)
    try:
        async with asyncio.timeout(target.timeout):
            return await spoken.verify(target, run)
    except TimeoutError:
        return Verdict("timeout", f"{target.address.provider} did not answer within {target.timeout:g} s")
