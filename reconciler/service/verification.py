"""Probing many models at once: bounded for each provider, each host, in total and in time, so that nothing
hangs and what is known is kept.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, runtime_checkable

from reconciler.core.outcome import Result
from reconciler.core.probe import Access, ProbeTarget
from reconciler.protocols.run import open_run
from reconciler.service.board import Board, OnResult
from reconciler.service.crew import Crew
from reconciler.service.lanes import Lane
from reconciler.service.limits import Limits
from reconciler.service.unwaited import UnwaitedThreads

USUAL_LIMITS = Limits()


class Meanwhile(NamedTuple):
    """What is called again and again while probes run, such as renewing claims.

    Attributes:
        call: Called in a thread of its own, for as long as probes run; what it raises ends the run.
        every: Seconds between two calls, above 0; the first call comes after as long.
    """

    call: Callable[[], None]
    every: float


@runtime_checkable
class Watcher(Protocol):
    """Who is told of results and wants to know how many will come, such as a progress bar."""

    def __call__(self, result: Result) -> None:
        """One more result."""

    def expect(self, count: int) -> None:
        """So many results will come, beside those that were expected before."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while probing; `results` holds one for each target, `skipped` for what was not done."""

    def __init__(self, results: tuple[Result, ...]) -> None:
        self.results = results
        super().__init__("interrupted")


def probe_all(
    targets: Sequence[ProbeTarget],
    access: Access,
    *,
    limits: Limits = USUAL_LIMITS,
    on_result: OnResult | Watcher | None = None,
    meanwhile: Meanwhile | None = None,
    chance: Callable[[], float] = random.random,
) -> tuple[Result, ...]:
    """Verify every target; one result for each, in their order.

    Each probe costs at most its target's timeout, which counts from its own start. A provider that asks to
    wait is left alone for as long, others are not held up by it, and a model that was told to wait is asked
    once more.

    Args:
        targets: What to verify.
        access: What the operator allows.
        limits: How much is asked at once, how fast, and for how long.
        on_result: Told each result as it comes, in the calling thread; what it raises ends the run. A
            `Watcher` is told first how many there will be.
        meanwhile: Called again and again; what it raises ends the run and is raised here.
        chance: A number from 0 to 1, another one each time; it spreads repeated questions.

    Must not be called where an event loop runs.

    Raises:
        Interrupted: Ctrl-C; it carries the results.
        UsageError: The file of certificates cannot be read (`bad-ca-file`).
    """
    if not targets:
        return ()
    if isinstance(on_result, Watcher):
        on_result.expect(len(targets))
    board = Board(targets, on_result)
    try:
        asyncio.run(_run(board, access, limits, meanwhile, chance))
    except KeyboardInterrupt:
        raise Interrupted(board.results("the run was interrupted")) from None
    return board.results("")


async def _run(
    board: Board,
    access: Access,
    limits: Limits,
    meanwhile: Meanwhile | None,
    chance: Callable[[], float],
) -> None:
    # The HTTP library is only loaded where something is asked.
    from reconciler.protocols.transport import open_transport

    loop = asyncio.get_running_loop()
    loop.set_default_executor(UnwaitedThreads())
    async with (
        open_transport(access.ca_file, proxy=access.proxy) as transport,
        open_run(transport, access, now=datetime.now(UTC)) as run,
    ):
        crew = Crew(board, run, limits, clock=loop.time)
        lanes = _lanes(board, limits, began=loop.time(), chance=chance)
        limit = asyncio.timeout(limits.deadline)
        try:
            async with limit:
                await _together(crew, lanes, meanwhile)
        except TimeoutError:
            if not limit.expired():
                raise
            board.skip_rest(f"the run's deadline of {limits.deadline:g} s was over")


def _lanes(board: Board, limits: Limits, *, began: float, chance: Callable[[], float]) -> tuple[Lane, ...]:
    """A lane for each provider, with the numbers of its models."""
    numbers = defaultdict(list)
    for number, target in enumerate(board.targets):
        numbers[target.address.provider].append(number)
    return tuple(Lane(provider, own, limits, began=began, chance=chance) for provider, own in numbers.items())


async def _together(crew: Crew, lanes: Sequence[Lane], meanwhile: Meanwhile | None) -> None:
    """Serve all lanes; if anything breaks, or the whole is cancelled, leave none behind."""
    try:
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(_call_again(meanwhile)) if meanwhile else None
            await asyncio.wait([tasks.create_task(crew.serve(lane, tasks)) for lane in lanes])
            if calling is not None:
                calling.cancel()
    except BaseExceptionGroup as group:
        # The others only broke off because of the first one.
        raise group.exceptions[0] from None


async def _call_again(meanwhile: Meanwhile) -> None:
    # It may wait for a database, and nobody's time-out may run on for that. Leaving waits for a call that is
    # under way: what it uses is the caller's again afterwards.
    with ThreadPoolExecutor(max_workers=1) as thread:
        while True:
            await asyncio.sleep(meanwhile.every)
            await asyncio.get_running_loop().run_in_executor(thread, meanwhile.call)
