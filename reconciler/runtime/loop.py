"""The one event loop in which all calls of this process wait for models: in a thread of its own, started by
the first call, so that connections are kept between calls whoever makes them, from whatever thread or loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from reconciler.errors import UsageError

Made = TypeVar("Made")

# A server that does not let go of its connection does not keep the program from ending.
_GOODBYE = 2.0


class Loop:
    """An event loop in a daemon thread, running from the start."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="reconciler-calls", daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether this thread is the loop's own."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancel what is under way, and end the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_GOODBYE)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            # What ends a task here closes its connections too.
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


_lock = threading.Lock()
_running: Loop | None = None
_parents: list[Loop | None] = []


def running() -> Loop:
    """This process's loop, started where it does not run yet."""
    global _running  # noqa: PLW0603 - there is one in a process
    if _running is None:
        with _lock:
            if _running is None:
                _running = Loop()
    return _running


def submit(work: Coroutine[Any, Any, Made]) -> Future[Made]:
    """Let a coroutine run in the loop; cancelling the future cancels it."""
    return asyncio.run_coroutine_threadsafe(work, running().loop)


def require_elsewhere() -> None:
    """Refuse to wait in the loop's own thread, which would wait for itself.

    Raises:
        UsageError: This is that thread (`own-loop`).
    """
    if _running is not None and _running.is_here:
        raise UsageError(
            "A call that waits was made where calls are waited for.",
            code="own-loop",
            hint="await agenerate() or iterate over astream() there",
        )


def wait_for(work: Coroutine[Any, Any, Made]) -> Made:
    """Run a coroutine in the loop and wait for it; an interruption, as by Ctrl-C, cancels it.

    Raises:
        UsageError: This is the loop's own thread, which would wait for itself (`own-loop`).
    """
    try:
        require_elsewhere()
    except UsageError:
        work.close()
        raise
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def awaited(work: Coroutine[Any, Any, Made]) -> Made:
    """Run a coroutine in the loop and await it in the caller's; cancelling the caller cancels it."""
    return await asyncio.wrap_future(submit(work))


def stop() -> None:
    """At the program's end: cancel what is under way."""
    if _running is not None:
        _running.stop()


def _forget() -> None:
    """After a fork: the child has none of the parent's threads, and locks as they happened to be."""
    global _running, _lock
    # Kept: it would complain that it was never ended, which its own process does.
    _parents.append(_running)
    _running, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
