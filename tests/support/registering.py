"""A program that registers models, as a process of its own: `python registering.py URL NAME` says `ready`,
waits for a line, registers the same models and the same set as all others, and one of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

from support import services  # noqa: E402

SHARED = 40


@contextmanager
def programs(url: str, names: Sequence[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready to register; they are gone at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(_program(url, name)) for name in names]


@contextmanager
def _program(url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, __file__, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        yield child
    finally:
        child.kill()
        child.wait(timeout=60)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def _main(url: str, name: str) -> None:
    with services.through_engine(url, actor=name) as service:
        print("ready", flush=True)
        sys.stdin.readline()
        asked = [
            {"provider_name": "openai", "model_id": f"m{number}", "parameters": {"name": "s", "top_p": 0.5}}
            for number in range(SHARED)
        ]
        own = {"provider_name": "openai", "model_id": name}
        found = service.register_provider_models([*asked, own], verify=False)
        print(len(found), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
