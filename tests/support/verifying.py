"""A verification as a process of its own, to be killed while it probes. Run as `python verifying.py URL LEASE
LEVEL` it says `probing` once it has claimed everything, renews its claims, and asks nobody anything.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

from support.small_states import ACTOR  # noqa: E402

from reconciler.core.options import Selection  # noqa: E402
from reconciler.engine.prober import Prober  # noqa: E402
from reconciler.engine.verify import verify  # noqa: E402
from reconciler.store.session import connect  # noqa: E402


@contextmanager
def verifying(url: str, lease: float, level: str = "model") -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of probing everything; it is gone at the end, if not before."""
    child = subprocess.Popen(
        [sys.executable, __file__, url, str(lease), level],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "probing"
        yield child
    finally:
        child.kill()
        child.wait(timeout=60)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def _probe_for_ever(_targets, meanwhile):
    import time

    print("probing", flush=True)
    while True:
        time.sleep(meanwhile.every)
        meanwhile.call()


def _main(url: str, lease: str, level: str) -> None:
    with connect(url) as connection:
        prober = Prober(_probe_for_ever, lease=float(lease))
        selection = Selection(all=True, probe=level)
        verify(connection, prober, source="default", context=ACTOR, selection=selection)


if __name__ == "__main__":
    _main(*sys.argv[1:])
