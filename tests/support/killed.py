"""An apply as a process of its own, which waits for its start and can end at a named point of its work as if
the power had failed. Run as `python killed.py URL STATE SIZE [POINT OCCURRENCE MARKER]`.

It says `ready`, begins when it reads a line, then says in one line of JSON what came of it, and waits for the
end of its input, so that whoever wants to kill it finds it alive.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

from support.small_states import model, parameters, provider, run, state, template  # noqa: E402

from reconciler.core.state import Desired, DesiredState  # noqa: E402
from reconciler.errors import ProviderConfigError  # noqa: E402
from reconciler.store.session import connect  # noqa: E402


def before(size: int) -> DesiredState:
    """A state with something of every kind that `after` changes, switches on or off, or has no more."""
    return state(
        provider("p", description="old"),
        provider("off", active=False),
        provider("on"),
        provider("gone"),
        parameters("set", temperature=0.1),
        parameters("gone", top_k=1),
        template("words", system_prompt="old"),
        template("gone"),
        *_models(size, "old", temperature=0.1),
        model("p/off", active=False),
        model("p/on"),
        model("gone/x", parameters="gone", prompt_template="gone"),
    )


def after(size: int) -> DesiredState:
    """The state that comes after it: every kind of step for every kind of entity that can take it."""
    return state(
        provider("p", description="new"),
        provider("off"),
        provider("on", active=False),
        provider("new"),
        parameters("set", temperature=0.9),
        parameters("new", top_k=2),
        template("words", system_prompt="new"),
        template("new"),
        *_models(size, "new", temperature=0.9),
        model("p/off"),
        model("p/on", active=False),
        model("new/x", parameters="new", prompt_template="new"),
    )


def _models(size: int, version: str, *, temperature: float) -> Iterator[Desired]:
    for number in range(size):
        key = f"p/m{number}"
        yield parameters(key, temperature=temperature, extra={"number": [number, {"deep": 1.5}]})
        yield model(key, parameters=key, prompt_template="words", version=version, labels={"team": "rag"})


STATES = {"before": before, "after": after}


class Killed:
    """An apply in a process of its own."""

    def __init__(self, words: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
        )
        assert self.says() == "ready"

    def says(self) -> str:
        """Its next line; empty where it is gone."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def begin(self) -> None:
        """Let it apply."""
        assert self._child.stdin is not None
        self._child.stdin.write("begin\n")
        self._child.stdin.flush()

    def outcome(self) -> dict[str, object]:
        """What came of its apply."""
        return json.loads(self.says())

    def is_over_after(self, seconds: float) -> bool:
        """Give it that long, and tell whether it ended."""
        try:
            self._child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it as the power would."""
        self._child.kill()

    def exit_status(self) -> int:
        """How it ended, once it has; negative for the signal that ended it."""
        return self._child.wait(timeout=60)

    def close(self) -> None:
        """Let go of it, however it is."""
        self._child.kill()
        self._child.wait(timeout=60)
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


@contextmanager
def applying(url: str, name: str, size: int, *dying: str) -> Iterator[Killed]:
    """An apply of one of the `STATES`, ready to begin; `dying`: a point, its occurrence, a file to mark."""
    child = Killed([url, name, str(size), *dying])
    try:
        yield child
    finally:
        child.close()


def _dying(point: str, occurrence: int, marker: Path) -> Callable[[str], None]:
    """Mark that a point was reached that often, for good, and end without a word."""
    seen = 0

    def at(name: str) -> None:
        nonlocal seen
        seen += name == point
        if name == point and seen == occurrence:
            with marker.open("w") as file:
                file.write(f"{point} {occurrence}")
                file.flush()
                os.fsync(file.fileno())
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def _main(url: str, name: str, size: str, *dying: str) -> None:
    wanted = STATES[name](int(size))
    at = _dying(dying[0], int(dying[1]), Path(dying[2])) if dying else lambda _point: None
    with connect(url) as connection:
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            done = run(connection, wanted, at=at)
            said: dict[str, object] = {"run": done.run, "counts": dict(done.counts)}
        except ProviderConfigError as error:
            said = {"error": error.code, "status": error.exit_status}
        print(json.dumps(said), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(*sys.argv[1:])
