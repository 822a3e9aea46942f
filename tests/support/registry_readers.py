"""Programs of their own that read the registry, and when each of them saw a generation. Run as
`python registry_readers.py URL POLL`.

It says `ready` and its registry's generation, then for each generation that it reads from its input when it
saw it: seconds of the clock that all processes of a machine share.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

from support.polling import eventually  # noqa: E402

from reconciler.runtime.registry import Registry  # noqa: E402


class Reader:
    """One such program."""

    def __init__(self, url: str, poll: float) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, url, str(poll)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
        )

    def says(self) -> str:
        """Its next line; empty where it is gone."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def await_generation(self, generation: int) -> None:
        """Let it look out for a generation."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{generation}\n")
        self._child.stdin.flush()
        assert self.says() == "waiting"

    def close(self) -> None:
        """End it."""
        self._child.kill()
        self._child.communicate(timeout=60)


@contextmanager
def readers(url: str, count: int, *, poll: float) -> Iterator[tuple[Reader, ...]]:
    """Yield programs that have read the registry."""
    with ExitStack() as stack:
        started = [Reader(url, poll) for _ in range(count)]
        for reader in started:
            stack.callback(reader.close)
        said = [reader.says() for reader in started]
        assert all(line.startswith("ready") for line in said), said
        yield tuple(started)


def _main(url: str, poll: str) -> None:
    with Registry(url, poll=float(poll)) as registry:
        eventually(lambda: registry.is_listening, within=1.0)
        print("ready", registry.generation, flush=True)
        for line in sys.stdin:
            print("waiting", flush=True)
            # Looked at as an application would, which does not ask for it.
            while registry.generation < int(line):
                time.sleep(0.0005)
            print(time.monotonic(), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
