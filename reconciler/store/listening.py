"""Where the registry stands, and hearing that it moved: asking always works; notifications only hasten the
next question, on a connection that has heard one of its own. Apart: nothing else keeps a connection open.
"""

from __future__ import annotations

import os
import select
import time
import weakref
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg import Notify, sql

from reconciler.store.session import Connection

# A trigger notifies it at every rise of the generation, with the schema and the generation.
CHANGES = "reconciler_generation"
PROOF = "reconciler_proof_"
# Through a proxy that hands on transactions, a notification to oneself never comes.
PROVEN_WITHIN = 2.0
# One change may be seen in the instant before it is announced; two in a row were not announced at all.
MOST_MISSED = 2
# Longer than anybody means, and short enough for the system's counter of milliseconds.
_LONGEST_REST = 86_400.0

# Rows that were restored may have any generation: the server's start, the database and the file of the table
# tell that they are others.
_POSITION = """
SELECT COALESCE(max(generation), 0), extract(epoch FROM clock_timestamp())::float8,
       concat_ws(' ', pg_postmaster_start_time(), 'registry'::regclass::oid, pg_relation_filenode('registry'),
                 (SELECT oid FROM pg_database WHERE datname = current_database()))
FROM registry
"""


class Position(NamedTuple):
    """Where the registry stands.

    Attributes:
        generation: The generation; every commit that changes something raises it.
        at: The database's clock, in seconds since 1970.
        incarnation: What is another text wherever generations cannot be compared.
    """

    generation: int
    at: float
    incarnation: str


class Waker:
    """Wakes a thread that rests; whoever has it may, from anywhere."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        # Closed with the last who could still wake it: a number that is closed may soon be another's file.
        weakref.finalize(self, _close, self._reader, self._writer).atexit = False

    def fileno(self) -> int:
        """What can be read from when somebody woke it."""
        return self._reader

    def wake(self) -> None:
        """End the present rest, or the next."""
        # A full pipe wakes as well.
        with suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def rest(self, seconds: float, *more: int) -> bool:
        """Wait that long, or until another descriptor has something to read, or somebody wakes it: whether
        somebody did.
        """
        polled = select.poll()
        for descriptor in (self._reader, *more):
            polled.register(descriptor, select.POLLIN)
        polled.poll(min(max(0.0, seconds), _LONGEST_REST) * 1000)
        try:
            return bool(os.read(self._reader, 4096))
        except BlockingIOError:
            return False


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Feed:
    """One connection that is asked where the registry stands, and listens where that is proven to work.

    Args:
        connection: A connection in autocommit mode, of this feed alone.

    Attributes:
        is_listening: Whether changes are announced; asking at intervals is needed all the same.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._heard: list[Notify] = []
        self._token = ""
        self._proven_by = 0.0
        self._missed = 0
        self.is_listening = False
        connection.add_notify_handler(self._heard.append)

    def position(self) -> Position:
        """Where the registry stands now."""
        row = self._connection.execute(_POSITION).fetchone()
        assert row is not None
        return Position(*row)

    def propose(self, token: str) -> None:
        """Send a notification to this session itself; `attend` finds out whether it came.

        Behind a proxy that pools, the server's session is not ours: then nothing is left behind in it.

        Args:
            token: Letters and digits that nobody else sends.
        """
        row = self._connection.execute("SELECT pg_backend_pid(), pg_is_in_recovery()").fetchone()
        # Nor can a standby be listened to.
        if row != (self._connection.info.backend_pid, False):
            return
        # A channel that nobody else uses: whoever listens there for ever is never disturbed.
        self._token, self._proven_by = token, time.monotonic() + PROVEN_WITHIN
        channel = sql.Identifier(PROOF + token)
        self._connection.execute(sql.SQL("LISTEN {}").format(channel))
        self._connection.execute(sql.SQL("NOTIFY {}, {}").format(channel, sql.Literal(token)))

    def attend(self) -> bool:
        """Take what was announced, and begin to listen where the proof was among it; whether there was any.

        After that the registry is to be asked, for what came before is not announced again.
        """
        self._gather()
        heard, announced = tuple(self._heard), bool(self._heard)
        self._heard.clear()
        if any(map(self._proves, heard)):
            self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANGES)))
            self._connection.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(PROOF + self._token)))
            self._token, self.is_listening = "", True
        return announced

    def judge(self, *, announced: bool) -> None:
        """Listen no more where changes are found that were not announced: a proxy that is hardly used gives
        us the same session for a while, and the proof comes through.

        Args:
            announced: Whether the change that was found was announced before it was asked for.
        """
        self._missed = 0 if announced or self._heard else self._missed + 1
        if self.is_listening and self._missed >= MOST_MISSED:
            self.is_listening = False
            self._connection.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(CHANGES)))

    def rest(self, seconds: float, waker: Waker) -> None:
        """Wait that long, or until something is announced, somebody wakes it, or the connection breaks."""
        self._gather()
        if not self._heard:
            waker.rest(seconds, self._connection.fileno())

    def abandon(self) -> None:
        """After a fork: never touch the connection again, which is the parent's, and let go of its socket."""
        # A connection that broke has let go of its socket already.
        with suppress(OSError, psycopg.Error):
            nothing = os.open(os.devnull, os.O_RDWR)
            # Whatever is still written to it goes nowhere.
            os.dup2(nothing, self._connection.pgconn.socket, inheritable=False)
            os.close(nothing)

    def _gather(self) -> None:
        """What has arrived beside the answers to statements."""
        driver = self._connection.pgconn
        driver.consume_input()
        while (found := driver.notifies()) is not None:
            self._heard.append(Notify(found.relname.decode(), found.extra.decode(), found.be_pid))

    def _proves(self, heard: Notify) -> bool:
        mine = heard.channel == PROOF + self._token and heard.payload == self._token
        return mine and bool(self._token) and time.monotonic() <= self._proven_by
