"""The thread that keeps a snapshot fresh: it asks, listens, reads what changed, and outlives whatever happens
to the database. Apart from `registry`, so that an application that forgets its registry lets go of this too.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from reconciler.errors import ProviderConfigError, StoreUnavailableError
from reconciler.runtime import reading
from reconciler.runtime import snapshot as snapshots
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.snapshot import Snapshot
from reconciler.store import changes, migrate
from reconciler.store.fetching import Row
from reconciler.store.listening import Feed, Position, Waker
from reconciler.store.session import Connection, connect

logger = logging.getLogger("reconciler")

Say = Callable[[str], None]

# What a row that a hand wrote may provoke besides: the next commit may mend it.
_ODD_ROWS = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    *(MemoryError, OSError, RuntimeError),
)


class _Turn:
    """One thread's time at the registry: what it finds counts only while no other has the turn, for one that
    was told to stop may still wait for a server.

    Attributes:
        is_starting: Whether somebody waits for its first answer.
        failure: Why there was none.
        feed: Its connection's feed.
        is_connected: Whether its last question was answered.
    """

    __slots__ = ("failure", "feed", "is_connected", "is_starting")

    def __init__(self, *, is_starting: bool) -> None:
        self.is_starting = is_starting
        self.failure: Exception | None = None
        self.feed: Feed | None = None
        self.is_connected = False


class Keeper:
    """Keeps one snapshot fresh from a thread of its own.

    Args:
        url: The database.
        poll: Seconds between questions, at most.
        listen: Whether to listen for announcements where that works.
        say: Told once when the database goes, and once when it is back.

    Attributes:
        view: The snapshot; another value after every change. `None` before the first.
    """

    def __init__(self, url: str, *, poll: float, listen: bool, say: Say) -> None:
        self._url = url
        self._poll = poll
        self._listen = listen
        self._say = say
        self.view: Snapshot | None = None
        self._incarnation = ""
        self._current_at = time.monotonic()
        self._ahead = 0.0
        self._is_told = False
        self._thread: threading.Thread | None = None
        self._turn: _Turn | None = None
        self._prepare()

    def _prepare(self) -> None:
        self._waker = Waker()
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        """The database."""
        return self._url

    @property
    def is_listening(self) -> bool:
        """Whether changes are announced."""
        turn = self._turn
        feed = None if turn is None else turn.feed
        return feed is not None and feed.is_listening

    @property
    def is_connected(self) -> bool:
        """Whether the last question was answered."""
        turn = self._turn
        return turn is not None and turn.is_connected

    @property
    def age(self) -> float:
        """Seconds since the snapshot was known to be current."""
        return time.monotonic() - self._current_at

    def now(self) -> datetime:
        """The database's time."""
        return datetime.fromtimestamp(time.monotonic() + self._ahead, UTC)

    def start(self) -> None:
        """Begin, and wait until the snapshot is current.

        Raises:
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The tables are missing, older or newer.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        turn = self._run_beside(is_starting=True)
        try:
            failure = self._wait_for_the_first(turn)
        except BaseException:
            self.stop()
            raise
        if failure is not None:
            self._thread = None
            raise failure

    def _wait_for_the_first(self, turn: _Turn) -> Exception | None:
        """Wait for the first answer, and say why there is none."""
        with self._changed:
            while turn.is_starting and turn.failure is None:
                if self._turn is not turn or self._thread is None or not self._thread.is_alive():
                    return StoreUnavailableError("The registry was closed before it was loaded.")
                self._changed.wait(timeout=1.0)
            return turn.failure

    def stop(self, *, within: float = 0.0) -> None:
        """Let the thread end; wait for that so many seconds, for it may wait for a server."""
        self._turn = None
        self._waker.wake()
        thread, self._thread = self._thread, None
        if thread is not None and within > 0 and thread is not threading.current_thread():
            thread.join(within)

    def restart_in_child(self) -> None:
        """After a fork: neither the thread nor the connection is this process's, the snapshot is."""
        self._prepare()
        if self._turn is not None and self._turn.feed is not None:
            self._turn.feed.abandon()
        if self._thread is not None:
            self._run_beside(is_starting=self.view is None)

    def wait_for(self, generation: int, timeout: float) -> bool:
        """Ask now, and wait for a snapshot of that generation or a later one; whether it came."""
        self._waker.wake()
        with self._changed:
            return self._changed.wait_for(lambda: self._has(generation), timeout)

    def _has(self, generation: int) -> bool:
        return self.view is not None and self.view.generation >= generation

    def _run_beside(self, *, is_starting: bool) -> _Turn:
        turn = self._turn = _Turn(is_starting=is_starting)
        self._thread = threading.Thread(
            target=self._run, args=[turn], name="reconciler-registry", daemon=True
        )
        self._thread.start()
        return turn

    def _run(self, turn: _Turn) -> None:
        attempt = 0
        while self._turn is turn:
            began = time.monotonic()
            try:
                with connect(self._url) as connection:
                    self._follow(connection, turn)
            except (ProviderConfigError, *_ODD_ROWS) as error:
                self._lose(error, turn)
            if turn.is_starting:
                return
            attempt = snapshots.next_attempt(attempt, lived=time.monotonic() - began)
            if self._turn is turn:
                self._waker.rest(snapshots.delay(attempt, random.random()))  # noqa: S311 nobody has to guess it

    def _follow(self, connection: Connection, turn: _Turn) -> None:
        """Keep the snapshot fresh for as long as the connection is good."""
        migrate.require(connection)
        migrate.check_current(migrate.revision(connection))
        feed = turn.feed = Feed(connection)
        try:
            if self._listen:
                feed.propose(uuid4().hex)
            while self._turn is turn:
                self._look(connection, feed, turn)
        finally:
            # While the connection is still open: a child that is forked later must not touch what is not its.
            turn.feed, turn.is_connected = None, False

    def _look(self, connection: Connection, feed: Feed, turn: _Turn) -> None:
        """Ask once, read what changed, and rest until the next question is due."""
        began, announced = time.monotonic(), feed.attend()
        position = self._position(feed)
        view = None
        if self._is_behind(position):
            view = self._read(connection, position)
            feed.judge(announced=announced)
        self._take(view, position, turn, at=began)
        # Never busy for more than half of the time, however fast others commit.
        if not self._waker.rest(min(time.monotonic() - began, snapshots.LONGEST_PAUSE)):
            due = began + snapshots.interval(self._poll, random.random())  # noqa: S311 as above
            feed.rest(due - time.monotonic(), self._waker)

    def _position(self, feed: Feed) -> Position:
        """Where the registry stands, and what its clock says."""
        began = time.monotonic()
        position = feed.position()
        self._ahead = position.at - (began + time.monotonic()) / 2
        return position

    def _is_behind(self, position: Position) -> bool:
        return self.view is None or (self.view.generation, self._incarnation) != (
            position.generation,
            position.incarnation,
        )

    def _read(self, connection: Connection, position: Position) -> Snapshot:
        """The next snapshot: the present one with what changed, or all anew where that does not suffice."""
        view = self.view
        if view is not None and self._incarnation == position.incarnation:
            changed = changes.since(connection, view.generation, also=view.timed.keys())
            # Into the past there is no way but to begin anew.
            merged = snapshots.merge(view, changed, _build) if changed.generation >= view.generation else None
            if merged is not None:
                return merged
        return snapshots.whole(changes.everything(connection), _build)

    def _take(self, view: Snapshot | None, position: Position, turn: _Turn, *, at: float) -> None:
        """What one look found counts: another snapshot, or that the present one is current."""
        with self._changed:
            if self._turn is not turn:
                return
            if view is not None:
                self.view, self._incarnation = view, position.incarnation
            self._current_at = at
            turn.is_connected, turn.is_starting = True, False
            self._changed.notify_all()
        if self._is_told:
            self._is_told = False
            self._tell("The registry's database is back.")

    def _lose(self, error: Exception, turn: _Turn) -> None:
        """Tell it once, or fail the start that waits for it."""
        if self._turn is not turn:
            return
        if turn.is_starting:
            with self._changed:
                turn.failure = error
                self._changed.notify_all()
        elif not self._is_told:
            self._is_told = True
            told = error.message if isinstance(error, ProviderConfigError) else type(error).__name__
            self._tell(f"The registry cannot be refreshed, and its last snapshot is served: {told}")

    def _tell(self, what: str) -> None:
        try:
            self._say(what)
        except Exception:
            # The program's own; the snapshot is kept fresh all the same.
            logger.exception("What the registry was given to say this with failed: %s", what)


def _build(rows: Sequence[Row], at: datetime) -> tuple[ProviderModelConfigResponse, ...]:
    return reading.answers(rows, at=at)
