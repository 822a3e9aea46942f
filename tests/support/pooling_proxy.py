"""A proxy that pools transactions as PgBouncer does: a client has a server's session for one transaction, and
the next transaction goes to another one. What a session hears while no client has it is lost.

It speaks as much of PostgreSQL's protocol as it needs: the start, which it answers itself with keys of its
own, and where an answer ends (`ReadyForQuery`). Everything else is passed on as it is.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

from support.ports import free_port

_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
# Each of them is answered by one ReadyForQuery.
_ANSWERED = b"QS"


class _EndedError(Exception):
    """The other side has gone."""


def _exactly(stream: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        part = stream.recv(count - len(read))
        if not part:
            raise _EndedError
        read += part
    return read


def _message(stream: socket.socket) -> bytes:
    """One message: its type, its length, and what it says."""
    head = _exactly(stream, 5)
    return head + _exactly(stream, struct.unpack("!I", head[1:])[0] - 4)


def _startup(stream: socket.socket) -> bytes:
    """The first message, which has no type; encryption is declined."""
    while True:
        length = _exactly(stream, 4)
        body = _exactly(stream, struct.unpack("!I", length)[0] - 4)
        if struct.unpack("!I", body[:4])[0] not in {_SSL_REQUEST, _GSS_REQUEST}:
            return length + body
        stream.sendall(b"N")


class Proxy:
    """A proxy in front of one server.

    Args:
        url: The server's URL; it must let its user in without a password.
        sessions: How many of the server's sessions there are; with one, every transaction has the same.
        honest_keys: Whether clients are told the first session's number, as if it were theirs.

    Attributes:
        url: The URL behind the proxy.
        transactions: How many transactions were handed on.
        dropped: How many messages came for sessions that no client had.
    """

    def __init__(self, url: str, *, sessions: int, honest_keys: bool) -> None:
        self._upstream, port = urlsplit(url), free_port()
        self._sessions, self._honest_keys = sessions, honest_keys
        self._listener = socket.create_server(("127.0.0.1", port))
        self._idle: deque[socket.socket] = deque()
        self._open: list[socket.socket] = [self._listener]
        self._available = threading.Condition()
        self._greeting = b""
        self.transactions = 0
        self.dropped = 0
        user = unquote(self._upstream.username or "postgres")
        self.url = f"postgresql://{user}@127.0.0.1:{port}{self._upstream.path}?sslmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break every connection."""
        for stream in self._open:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(client)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(_EndedError, OSError), client:
            first = _startup(client)
            if struct.unpack("!I", first[4:8])[0] == _CANCEL_REQUEST:
                return
            with self._available:
                while len(self._idle) < self._sessions and not self._greeting:
                    self._idle.append(self._connect(first))
            client.sendall(self._greeting)
            while True:
                self._transaction(client, _message(client))

    def _connect(self, first: bytes) -> socket.socket:
        """Another session of the server; the last one's greeting is what clients are told."""
        server = self._dial()
        server.sendall(first)
        greeting = []
        while not (message := _message(server)).startswith(b"Z"):
            # A server's own key says which session it is; a proxy that pools has keys of its own.
            if message.startswith(b"K") and not self._honest_keys:
                message = b"K" + struct.pack("!III", 12, 4_711_000, 1)
            greeting.append(message)
        self._open.append(server)
        if len(self._idle) == self._sessions - 1:
            self._greeting = b"".join([*greeting, message])
        return server

    def _dial(self) -> socket.socket:
        asked = parse_qs(self._upstream.query)
        host = asked.get("host", [self._upstream.hostname or "127.0.0.1"])[0]
        port = int(asked.get("port", [self._upstream.port or 5432])[0])
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _transaction(self, client: socket.socket, message: bytes) -> None:
        """Hand one transaction to the session that rested longest, and its answers back."""
        if message.startswith(b"X"):
            raise _EndedError
        with self._available:
            assert self._available.wait_for(lambda: self._idle, timeout=60)
            server = self._idle.popleft()
        self._discard(server)
        waiting = message[:1] in _ANSWERED
        server.sendall(message)
        while True:
            for ready in select.select([client, server], [], [])[0]:
                message = _message(ready)
                if ready is client:
                    waiting += message[:1] in _ANSWERED
                    server.sendall(message)
                    continue
                client.sendall(message)
                waiting -= message.startswith(b"Z")
                if message == b"Z\0\0\0\5I" and not waiting:
                    self._return(server)
                    return

    def _return(self, server: socket.socket) -> None:
        with self._available:
            self.transactions += 1
            self._idle.append(server)
            self._available.notify()

    def _discard(self, server: socket.socket) -> None:
        while select.select([server], [], [], 0)[0]:
            _message(server)
            self.dropped += 1


@contextmanager
def pooling_proxy(url: str, *, sessions: int = 2, honest_keys: bool = False) -> Iterator[Proxy]:
    """Yield a proxy in front of the server at a URL."""
    proxy = Proxy(url, sessions=sessions, honest_keys=honest_keys)
    try:
        yield proxy
    finally:
        proxy.close()
