"""Answers that come bit by bit, for threads and for coroutines: the pieces are fetched in the loop of all
calls, and the connection is closed as soon as nobody wants more of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeAlias

from reconciler.runtime import loop
from reconciler.runtime.generation import Generation

# A piece, the whole at the end, or why there is no end.
Arrival: TypeAlias = str | BaseException
Put: TypeAlias = Callable[[Arrival], None]


class _Delivery:
    """What both kinds of streams are.

    Attributes:
        generation: The whole answer, once it has come; `None` before, and for one that was left early.
    """

    def __init__(self) -> None:
        self.generation: Generation | None = None
        self._is_over = False
        self._fetching: Future[None] | None = None

    def close(self) -> None:
        """Want no more: the connection is closed, and what is left of the answer is not read."""
        self._is_over = True
        if self._fetching is not None:
            self._fetching.cancel()

    def __del__(self) -> None:
        self.close()

    def _taken(self, arrival: Arrival) -> str | None:
        """A piece that arrived; nothing at the end."""
        if isinstance(arrival, str) and not isinstance(arrival, Generation):
            return arrival
        self._is_over = True
        if isinstance(arrival, Generation):
            self.generation = arrival
        elif not isinstance(arrival, asyncio.CancelledError):
            raise arrival
        return None


class Stream(_Delivery):
    """The pieces of an answer as they come, as texts; the whole is `generation` at the end.

    A `for` that is left early closes the connection, and so do `close()` and the end of a `with`.

    Raises:
        UsageError: It is read in the loop of all calls, which would wait for itself (`own-loop`).

    >>> with generator.stream("openai", "gpt-4o", "Where are the maps?") as pieces:
    ...     "|".join(pieces), pieces.generation.output_tokens
    ('In| the| reading| room.', 5)
    """

    def __init__(self, begin: Callable[[Put], Future[None]]) -> None:
        super().__init__()
        loop.require_elsewhere()
        self._arrived: SimpleQueue[Arrival] = SimpleQueue()
        self._fetching = begin(self._arrived.put)

    def __iter__(self) -> Iterator[str]:
        try:
            while (piece := self._next()) is not None:
                yield piece
        finally:
            self.close()

    def __next__(self) -> str:
        piece = self._next()
        if piece is None:
            raise StopIteration
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> str | None:
        if self._is_over:
            return None
        try:
            loop.require_elsewhere()
            arrival = self._arrived.get()
        except BaseException:
            self.close()
            raise
        return self._taken(arrival)


class AsyncStream(_Delivery):
    """The same for coroutines; the model is asked when the first piece is wanted.

    An `async for` that is left early closes the connection, and so do `close()`, `aclose()` and the end of an
    `async with`.

    >>> import asyncio
    >>> async def read():
    ...     return [piece async for piece in generator.astream("openai", "gpt-4o", "Where are the maps?")]
    >>> asyncio.run(read())
    ['In', ' the', ' reading', ' room.']
    """

    def __init__(self, begin: Callable[[Put], Awaitable[Future[None]]]) -> None:
        super().__init__()
        self._begin = begin
        self._arrived: asyncio.Queue[Arrival] | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return _Pass(self)

    async def __anext__(self) -> str:
        piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def aclose(self) -> None:
        """The same as `close()`, for `contextlib.aclosing`."""
        self.close()

    async def _next(self) -> str | None:
        if self._is_over:
            return None
        try:
            if self._arrived is None:
                self._arrived = asyncio.Queue()
                self._fetching = await self._begin(_across(self._arrived))
            arrival = await self._arrived.get()
        except BaseException:
            self.close()
            raise
        return self._taken(arrival)


class _Pass:
    """One `async for` over a stream: nothing else tells that it was left."""

    def __init__(self, stream: AsyncStream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return await anext(self._stream)

    def __del__(self) -> None:
        self._stream.close()


def _across(arrived: asyncio.Queue[Arrival]) -> Put:
    """Puts into a queue of this loop from another thread."""
    loop = asyncio.get_running_loop()

    def put(arrival: Arrival) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, arrival)

    return put
