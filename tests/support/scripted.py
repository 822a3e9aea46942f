"""Servers of the rawest kind: sockets on 127.0.0.1 that say what a script tells them, byte for byte, a
proxy that leads all names to one place, and names that stand for what a test likes.
"""

import contextlib
import socket
import struct
import threading

OK = b"HTTP/1.1 200 OK\r\n"


class Scripted:
    """A server that reads a request's head and then lets `script` have the connection.

    Args:
        script: Called in a thread with the connection, once for each; an error of the network ends it.
    """

    def __init__(self, script):
        self.heads: list[bytes] = []
        self.closing = threading.Event()
        self._script = script
        self._connections: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        # 127.0.0.1:PORT
        self.host = "{}:{}".format(*self._socket.getsockname())
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        # Closing alone would not wake the thread that waits for the next connection.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        # A client that keeps its connection for the next request would be waited for.
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    @property
    def url(self):
        """The server's root."""
        return f"http://{self.host}/"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (more := connection.recv(1)):
                    return
                head += more
            self.heads.append(head)
            self._script(connection)


def says(*pieces):
    """A script that says all of this and hangs up."""
    return lambda connection: connection.sendall(b"".join(pieces))


def repeats(start, piece):
    """A script that goes on and on, as fast as it is listened to."""

    def script(connection):
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return script


def resets(*pieces):
    """A script that says all of this and breaks the connection off."""

    def script(connection):
        connection.sendall(b"".join(pieces))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def leads_to(host):
    """The script of a proxy: whatever it is asked for, it connects to `host`."""
    address, _, port = host.rpartition(":")

    def script(connection):
        with socket.create_connection((address, int(port))) as beyond:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(beyond, connection), daemon=True)
            back.start()
            _pump(connection, beyond)
            back.join(10)

    return script


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Names:
    """A resolver whose answers are set beforehand, one lookup after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = answers
        self.asked = []

    async def __call__(self, host, _port):
        self.asked.append(host)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer
