"""An executor whose threads nobody waits for. Looking up a name blocks a thread for as long as the resolver
likes, and neither a deadline nor Ctrl-C may have to wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


class UnwaitedThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own; shutting down abandons what still runs.

    An event loop takes only a `ThreadPoolExecutor` for its own; the pool of this one is never used.
    """

    def submit(
        self, fn: Callable[Parameters, Returned], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Returned]:
        """Start a call at once."""
        future: Future[Returned] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except (OSError, ValueError) as error:
                future.set_exception(error)
            finally:
                # Whatever else went wrong, nobody may wait for this for ever.
                if not future.done():
                    future.set_exception(RuntimeError("the call broke off"))

        Thread(target=run, daemon=True).start()
        return future
