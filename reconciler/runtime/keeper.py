"""The thread that keeps a snapshot fresh: it asks, listens, reads what changed, and outlives whatever happens
to the database. Apart from `registry`, so that an application that forgets its registry lets go of this too.
"""

from __future__ import annotations

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

Say = Callable[[str], None]

# What a row that a hand wrote may provoke besides: the next commit may mend it.
_ODD_ROWS = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    *(MemoryError, OSError, RuntimeError),
)


class Keeper:
    """Keeps one snapshot fresh from a thread of its own.

    Args:
        url: The database.
        poll: Seconds between questions, at most.
        listen: Whether to listen for announcements where that works.
        say: Told once when the database goes, and once when it is back.

    Attributes:
        view: The snapshot; another value after every change. `None` before the first.
        is_connected: Whether the last question was answered.
        is_listening: Whether changes are announced.
    """

    def __init__(self, url: str, *, poll: float, listen: bool, say: Say) -> None:
        self._url = url
        self._poll = poll
        self._listen = listen
        self._say = say
        self.view: Snapshot | None = None
        self.is_connected = False
        self._incarnation = ""
        self._current_at = time.monotonic()
        self._ahead = 0.0
        self._failure: Exception | None = None
        self._is_told = False
        self._feed: Feed | None = None
        self._thread: threading.Thread | None = None
        # The thread whose turn it is; one that was told to stop may still wait for a server.
        self._turn: object = None
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
        feed = self._feed
        return feed is not None and feed.is_listening

    @property
    def age(self) -> float:
        """Seconds since the snapshot was known to be current."""
        return time.monotonic() - self._current_at

    def now(self) -> datetime:
        """The database's time."""
        return datetime.fromtimestamp(time.monotonic() + self._ahead, UTC)

    def start(self) -> None:
        """Begin, and wait for the first snapshot.

        Raises:
            StoreUnavailableError: PostgreSQL did not answer.
            SchemaError: The tables are missing, older or newer.
        """
        if self._thread is not None:
            return
        self._failure = None
        self._run_beside()
        try:
            failure = self._wait_for_the_first()
        except BaseException:
            self.stop()
            raise
        if failure is not None:
            self._thread = None
            raise failure

    def _wait_for_the_first(self) -> Exception | None:
        """Wait for a snapshot, and say why there is none."""
        with self._changed:
            while self.view is None and self._failure is None:
                if self._thread is None or not self._thread.is_alive():
                    return StoreUnavailableError("The registry was closed before it was loaded.")
                self._changed.wait(timeout=1.0)
            return self._failure

    def stop(self, *, within: float = 0.0) -> None:
        """Let the thread end; wait for that so many seconds, for it may wait for a server."""
        self._turn = None
        self._waker.wake()
        thread, self._thread = self._thread, None
        if thread is not None and within > 0 and thread is not threading.current_thread():
            thread.join(within)

    def restart_in_child(self) -> None:
        """After a fork: neither the thread nor the connection is this process's, the snapshot is."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.abandon()
        self._prepare()
        self.is_connected = False
        if self._thread is not None:
            self._run_beside()

    def wait_for(self, generation: int, timeout: float) -> bool:
        """Ask now, and wait for a snapshot of that generation or a later one; whether it came."""
        self._waker.wake()
        with self._changed:
            return self._changed.wait_for(lambda: self._has(generation), timeout)

    def _has(self, generation: int) -> bool:
        return self.view is not None and self.view.generation >= generation

    def _run_beside(self) -> None:
        turn = self._turn = object()
        self._thread = threading.Thread(
            target=self._run, args=[turn], name="reconciler-registry", daemon=True
        )
        self._thread.start()

    def _run(self, turn: object) -> None:
        attempt = 0
        while self._turn is turn:
            began = time.monotonic()
            try:
                with connect(self._url) as connection:
                    self._follow(connection, turn)
            except (ProviderConfigError, *_ODD_ROWS) as error:
                self._lose(error)
            finally:
                self._feed, self.is_connected = None, False
            if self.view is None:
                return
            attempt = snapshots.next_attempt(attempt, lived=time.monotonic() - began)
            if self._turn is turn:
                self._waker.rest(snapshots.delay(attempt, random.random()))  # noqa: S311 nobody has to guess it

    def _follow(self, connection: Connection, turn: object) -> None:
        """Keep the snapshot fresh for as long as the connection is good."""
        migrate.require(connection)
        migrate.check_current(migrate.revision(connection))
        feed = self._feed = Feed(connection)
        if self._listen:
            feed.propose(uuid4().hex)
        while self._turn is turn:
            began, announced = time.monotonic(), feed.attend()
            position = self._position(feed)
            if self._is_behind(position):
                self._replace(self._read(connection, position), position)
                feed.judge(announced=announced)
            self._current_at = began
            self._tell_return()
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

    def _replace(self, view: Snapshot, position: Position) -> None:
        with self._changed:
            self.view, self._incarnation = view, position.incarnation
            self._changed.notify_all()

    def _tell_return(self) -> None:
        self.is_connected = True
        if self._is_told:
            self._is_told = False
            self._say("The registry's database is back.")

    def _lose(self, error: Exception) -> None:
        """Tell it once, or fail the start where there is nothing to serve yet."""
        if self.view is None:
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        elif not self._is_told:
            self._is_told = True
            told = error.message if isinstance(error, ProviderConfigError) else type(error).__name__
            self._say(f"The registry cannot be refreshed, and its last snapshot is served: {told}")


def _build(rows: Sequence[Row], at: datetime) -> tuple[ProviderModelConfigResponse, ...]:
    return reading.answers(rows, at=at)
