"""What calls cost, added up in memory by hour and written every few seconds by a thread: a call pays a
microsecond for it, and never waits for the database.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.errors import ProviderConfigError
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
        self._sums: dict[_Key, list[int]] = {}
        self._lock = threading.Lock()
        self._is_told = False
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
        with self._lock:
            _add(self._sums, key, (1, input_tokens or 0, output_tokens or 0, latency_ms), latency_ms)
        _writer.wants(self)

    def flush(self) -> bool:
        """Write what was counted, and tell whether that worked; if not, it is kept and written later."""
        with self._lock:
            taken, self._sums = self._sums, {}
        if not taken:
            return True
        try:
            with self._opened() as connection:
                usage.add(connection, [_row(key, sums) for key, sums in taken.items()])
        except ProviderConfigError as error:
            self._keep(taken, error)
            return False
        self._is_told = False
        return True

    def forget(self) -> None:
        """After a fork: what was counted before is the parent's to write."""
        self._sums, self._lock = {}, threading.Lock()

    def _keep(self, taken: dict[_Key, list[int]], error: ProviderConfigError) -> None:
        first = int(self._clock()) // _HOUR - KEPT_HOURS
        late = 0
        with self._lock:
            for key, (*sums, longest) in taken.items():
                if key.hour > first:
                    _add(self._sums, key, sums, longest)
                else:
                    late += sums[0]
        if late:
            logger.warning("The usage of %s calls was dropped: it could not be written in time.", late)
        if not self._is_told:
            self._is_told = True
            logger.warning("Usage is not written for now, and kept: %s", error.message)
        _writer.wants(self)


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
        if recorder in self._waiting and self._thread is not None:
            return
        with self._lock:
            self._waiting.add(recorder)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="reconciler-usage", daemon=True)
                self._thread.start()

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
        recorder.flush()


def _begin_anew() -> None:
    """After a fork: the child has none of the parent's threads, and locks as they happened to be."""
    global _writer, _naming
    _writer, _naming = _Writer(), threading.Lock()
    for recorder in tuple(_recorders):
        recorder.forget()


def _end() -> None:
    _writer.close()


atexit.register(_end)
os.register_at_fork(after_in_child=_begin_anew)
