"""Who carries probes out: starts a lane's next model where its provider, its host and the whole run have room
for it, and hands each verdict to the lane and to the board.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextlib import suppress

from reconciler.core.probe import ProbeTarget
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.hosts import origin_of
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run
from reconciler.service.board import Board
from reconciler.service.lanes import Lane, asks_to_wait
from reconciler.service.limits import Limits


class Crew:
    """Carries out the probes of one run.

    Args:
        board: The targets, and where results go.
        run: What the probes share.
        limits: How much may be asked at once.
        clock: Seconds, by the clock that the lanes were told of.
    """

    def __init__(self, board: Board, run: Run, limits: Limits, *, clock: Callable[[], float]) -> None:
        self._board = board
        self._run = run
        self._rooms = _Rooms(per_host=limits.per_host, total=limits.total)
        self._clock = clock

    async def serve(self, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        """See to it that each of a lane's models gets its result; no more tasks are made than may run."""
        stirred = asyncio.Event()
        while True:
            stirred.clear()
            self._board.skip(*lane.dropped())
            if lane.is_done:
                return
            delay = lane.delay(self._clock())
            if delay == 0:
                await self._start(lane, tasks, stirred)
            else:
                await _wait(stirred, delay)

    async def _start(self, lane: Lane, tasks: asyncio.TaskGroup, stirred: asyncio.Event) -> None:
        """Start the next model once there is room, if it may still start by then."""
        host = _host(self._board.targets[lane.next])
        await self._rooms.enter(host)
        now = self._clock()
        if lane.delay(now) == 0:
            tasks.create_task(self._probe(lane, lane.take(now), host, stirred))
        else:
            self._rooms.leave(host)

    async def _probe(self, lane: Lane, number: int, host: Hashable, stirred: asyncio.Event) -> None:
        view, started = self._run.for_probe(), self._clock()
        try:
            verdict = await _verdict(self._board.targets[number], view)
        finally:
            self._rooms.leave(host)
        if asks_to_wait(verdict):
            view.forget()
        stands = lane.ended(
            number,
            verdict,
            requests=view.requests,
            started=started,
            now=self._clock(),
            # One probe was paid for; who asks to wait is left alone, but not asked twice for it.
            repeats=self._board.targets[number].level != "generate",
        )
        if stands:
            self._board.note(number, verdict)
        else:
            self._board.note_so_far(number, verdict)
        stirred.set()


class _Rooms:
    """How many probes there may be at once, at each host and in all."""

    def __init__(self, *, per_host: int, total: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._hosts: defaultdict[Hashable, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(per_host)
        )

    async def enter(self, host: Hashable) -> None:
        # The host first: who waits for a busy one must not take room from the others.
        await self._hosts[host].acquire()
        await self._total.acquire()

    def leave(self, host: Hashable) -> None:
        self._total.release()
        self._hosts[host].release()


def _host(target: ProbeTarget) -> Hashable:
    """What a target shares with the others of its host; each provider without a plain URL is its own."""
    return origin_of(target.base_url or "") or target.address.provider


async def _wait(stirred: asyncio.Event, seconds: float | None) -> None:
    """Until something has changed, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stirred.wait()


async def _verdict(target: ProbeTarget, view: Run) -> Verdict:
    """One probe within its time."""
    spoken = protocol(target.kind.protocol)
    if spoken is None:
        detail = f"this version does not speak '{target.kind.protocol}', the protocol of {target.kind.name}"
        return Verdict("skipped" if target.level == "none" else "unprobeable", detail)
    try:
        async with asyncio.timeout(target.timeout):
            return await spoken.verify(target, view)
    except TimeoutError:
        return Verdict("timeout", f"{target.address.provider} did not answer within {target.timeout:g} s")
