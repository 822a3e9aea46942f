"""The lines to providers: one client for all who ask under the same permissions, opened by the first call,
kept as long as somebody may call again, and closed in the loop that it belongs to.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Hashable, Mapping
from contextlib import suppress

from reconciler.core.probe import Access
from reconciler.errors import UsageError
from reconciler.protocols.client import Client, open_client


class _Held:
    """A client that a task of its own holds open, for what is opened in a task is closed there."""

    def __init__(self, access: Access) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Client] = self.loop.create_future()
        self._over = asyncio.Event()
        self._task = self.loop.create_task(self._hold(access))

    @property
    def is_of_use(self) -> bool:
        """Whether it belongs to this loop, and was not refused."""
        refused = self.ready.done() and (self.ready.cancelled() or self.ready.exception() is not None)
        return self.loop is asyncio.get_running_loop() and not refused

    def release(self) -> None:
        """Let the client be closed; any thread may say so."""
        # A loop that has ended has closed everything.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._over.set)

    async def _hold(self, access: Access) -> None:
        try:
            async with open_client(access) as client:
                self.ready.set_result(client)
                await self._over.wait()
        except UsageError as error:
            self.ready.set_exception(error)
        finally:
            if not self.ready.done():
                self.ready.cancel()


class Line:
    """The way to models under what an operator allows; see `line_of`."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._held: _Held | None = None

    async def client(self) -> Client:
        """The client, of the loop that this runs in.

        Raises:
            UsageError: The operator's certificates or proxy cannot be used.
        """
        if self._held is None or not self._held.is_of_use:
            held = self._held = _Held(self.access)
            weakref.finalize(self, held.release).atexit = False
        # Who gives up waiting must not take the client from the others.
        return await asyncio.shield(self._held.ready)


_lines: weakref.WeakValueDictionary[Hashable, Line] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def line_of(access: Access) -> Line:
    """The line for an operator's permissions: the same one for all who hold it at a time."""
    environ: Mapping[str, str] = access.environ
    allowed = (access.allowed_env, access.allowed_files, access.allowed_hosts)
    # The environment by itself, for it is read at each call; the line keeps it, so its number stays its own.
    key = (id(environ), *allowed, access.ca_file, access.proxy)
    with _lock:
        line = _lines.get(key)
        if line is None:
            line = _lines[key] = Line(access)
        return line


def _begin_anew() -> None:
    """After a fork: a lock as it happened to be."""
    global _lock  # noqa: PLW0603 - there is one in a process
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)
