"""A server on 127.0.0.1 that counts what it is asked, and answers nobody before its gate is opened: so that
a test, and not chance, says who meets whom.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Gate:
    """The server; serves from `with` on. Whatever is asked, it lists the model `m`.

    Attributes:
        asked: How often each path was asked for.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._open = threading.Event()
        self._lock = threading.Lock()
        gate = self

        class Exchange(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                """Stay quiet."""

            def do_GET(self):
                gate.pass_through(self.path)
                content = json.dumps({"object": "list", "data": [{"id": "m"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """Stay quiet: clients that are killed are what the tests are about."""

        self._server = Server(("127.0.0.1", 0), Exchange)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def pass_through(self, path: str) -> None:
        """Count one who asks, and let it wait for the gate."""
        with self._lock:
            self.asked[path] += 1
        self._open.wait(timeout=60)

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
