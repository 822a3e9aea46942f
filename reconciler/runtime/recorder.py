"""What calls cost, added up in memory by hour and written every few seconds by a thread: a call pays a
microsecond for it, and never waits for the database.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.errors import ProviderConfigError
from reconciler.protocols.generation import MOST_TOKENS
from reconciler.store import usage
from reconciler.store.session import Connection
from reconciler.store.usage import UsageRow

logger = logging.getLogger("reconciler")

Opened = Callable[[], AbstractContextManager[Connection]]

INTERVAL = 10.0
# A database that is away for longer loses the oldest hours, so that memory is bounded.
KEPT_HOURS = 48
_HOUR = 3600
# What is left at the program's end is written, but a database that is away does not keep it from ending.
_GOODBYE = 5.0
# A stream that was left is counted as soon as its connection is closed.
_LEAVING = 1.0
# Nobody waits for longer for another thread that waits for the server.
_PATIENCE = 5.0
_LONGEST_MS = 2**31 - 1


class _Key(NamedTuple):
    """What is added up together; the hour counts from 1970."""

    hour: int
    provider: str
    model_id: str
    outcome: str


class Recorder:
    """Adds up the calls of one database's models.

    Args:
        opened: Opens a connection in autocommit mode.
        clock: Seconds since 1970.
    """

    def __init__(self, opened: Opened, *, clock: Callable[[], float] = time.time) -> None:
        self._opened = opened
        self._clock = clock
        self._is_told = False
        self._sums: dict[_Key, list[int]]
        self.forget()
        _recorders.add(self)

    def count(
        self,
        provider: str,
        model_id: str,
        outcome: str,
        *,
        latency_ms: int,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> None:
        """Count a call that has ended; it is written later."""
        key = _Key(int(self._clock()) // _HOUR, provider, model_id, outcome)
        more = (1, _tokens(input_tokens), _tokens(output_tokens), latency_ms)
        with self._lock:
            _add(self._sums, key, more, min(latency_ms, _LONGEST_MS))
        _writer.wants(self)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """While a stream is read that will be counted; `finish` waits for it."""
        with self._settled:
            self._streams += 1
        try:
            yield
        finally:
            with self._settled:
                self._streams -= 1
                self._settled.notify_all()

    def finish(self) -> None:
        """Write what was counted, and what is counted in a moment: streams that were just left are when they
        are closed.
        """
        with self._settled:
            self._settled.wait_for(lambda: not self._streams, _LEAVING)
        self.flush()

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._is_told

    def flush(self) -> bool:
        """Write what was counted, and tell whether that worked; if not, it is kept and written later.

        What another thread is writing is written too when this returns.
        """
        if not self._writing.acquire(timeout=_PATIENCE):
            return False
        try:
            return self._flush()
        finally:
            self._writing.release()

    def forget(self) -> None:
        """Begin with nothing: after a fork, what was counted before is the parent's to write."""
        self._sums, self._streams = {}, 0
        self._lock, self._writing, self._settled = threading.Lock(), threading.Lock(), threading.Condition()

    def _flush(self) -> bool:
        with self._lock:
            taken, self._sums = self._sums, {}
        why = "it was interrupted"
        try:
            if taken:
                self._write(taken)
            taken = {}
        except ProviderConfigError as error:
            why = error.message
            if error.code == "closed":
                _drop(taken.values(), why)
                taken = {}
        except Exception as error:  # noqa: BLE001 - an application's engine may raise whatever it likes
            why = type(error).__name__
        finally:
            if taken:
                self._keep(taken, why)
        return not taken

    def _write(self, taken: dict[_Key, list[int]]) -> None:
        with self._opened() as connection:
            refused = usage.add(connection, [_row(key, sums) for key, sums in taken.items()])
        self._is_told = False
        if refused:
            logger.warning("The usage of %s was dropped: PostgreSQL refused it.", refused)

    def _keep(self, taken: dict[_Key, list[int]], why: str) -> None:
        first = int(self._clock()) // _HOUR - KEPT_HOURS
        with self._lock:
            for key, (*sums, longest) in taken.items():
                if key.hour > first:
                    _add(self._sums, key, sums, longest)
        _drop((sums for key, sums in taken.items() if key.hour <= first), "it could not be written in time")
        if not self._is_told:
            self._is_told = True
            logger.warning("Usage is not written for now, and kept: %s", why)
        _writer.wants(self)


def _drop(sums: Iterable[list[int]], why: str) -> None:
    calls = sum(calls for calls, *_ in sums)
    if calls:
        logger.warning("The usage of %s calls was dropped: %s", calls, why)


def _tokens(count: object) -> int:
    """A count as a provider gave it, or a program's own provider; what is no count is none."""
    return min(max(count, 0), MOST_TOKENS) if isinstance(count, int) else 0


def _add(sums: dict[_Key, list[int]], key: _Key, more: tuple[int, ...] | list[int], longest: int) -> None:
    found = sums.get(key)
    if found is None:
        sums[key] = [*more, longest]
        return
    for place, number in enumerate(more):
        found[place] += number
    found[-1] = max(found[-1], longest)


def _row(key: _Key, sums: list[int]) -> UsageRow:
    hour = datetime.fromtimestamp(key.hour * _HOUR, UTC)
    calls, input_tokens, output_tokens, latency_ms, longest_ms = sums
    return UsageRow(hour, *key[1:], calls, input_tokens, output_tokens, latency_ms, longest_ms)


class _Writer:
    """The thread that writes for all recorders, started with the first call that is counted."""

    def __init__(self) -> None:
        self._waiting: set[Recorder] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closing = threading.Event()

    def wants(self, recorder: Recorder) -> None:
        """Remember who has something to write; they live until it is written."""
        if recorder in self._waiting and (self._is_running or self._is_closing.is_set()):
            return
        with self._lock:
            self._waiting.add(recorder)
            # At the program's end a thread would be stopped in the middle of its work.
            if not self._is_running and not self._is_closing.is_set():
                self._thread = threading.Thread(target=self._run, name="reconciler-usage", daemon=True)
                self._thread.start()

    @property
    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Write what is left, within some seconds."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(_GOODBYE)

    def _run(self) -> None:
        while not self._is_closing.wait(INTERVAL):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for recorder in waiting:
            recorder.flush()


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()
_writer = _Writer()
_named: weakref.WeakValueDictionary[object, Recorder] = weakref.WeakValueDictionary()
_naming = threading.Lock()


def recorder_for(name: object, opened: Opened) -> Recorder:
    """The recorder of a database: the same one for all that call it by one name at a time."""
    with _naming:
        recorder = _named.get(name)
        if recorder is None:
            recorder = _named[name] = Recorder(opened)
        return recorder


def flush(name: object) -> None:
    """Write what was counted for a database while it can still be reached by that name."""
    with _naming:
        recorder = _named.get(name)
    if recorder is not None:
        recorder.finish()


def flush_all(name: object) -> None:
    """Write what this program has counted, under whatever names: several may be of one database. Those that
    cannot be written at present are not waited for, but for the one that is named.
    """
    with _naming:
        named = _named.get(name)
    for recorder in tuple(_recorders):
        if recorder is named or not recorder.is_failing:
            recorder.flush()


def _begin_anew() -> None:
    """After a fork: the child has none of the parent's threads, and locks as they happened to be."""
    global _writer, _naming
    _writer, _naming = _Writer(), threading.Lock()
    for recorder in tuple(_recorders):
        recorder.forget()


def write_the_last() -> None:
    """At the program's end: write what is left, within some seconds."""
    _writer.close()


os.register_at_fork(after_in_child=_begin_anew)
