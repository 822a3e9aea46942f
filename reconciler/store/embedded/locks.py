"""Kernel locks on files: what tells who is there. The kernel lets go of a lock when its last holder ends,
however it ended, so nothing here can go stale as a recorded process id can.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

POLL = 0.005


def take(path: Path, *, shared: bool = False) -> int | None:
    """Take the lock now and return its descriptor, or `None` where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock exclusively."""
    descriptor = take(path, shared=True)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def held(path: Path, *, patience: float, shared: bool = False) -> Iterator[int]:
    """Hold the lock inside the block; waits for up to `patience` seconds.

    Raises:
        TimeoutError: others held it all that time.
    """
    taken = until(lambda: take(path, shared=shared), patience)
    if taken is None:
        raise TimeoutError(path.name)
    try:
        yield taken
    finally:
        os.close(taken)


def until(ask: Callable[[], T | None], patience: float) -> T | None:
    """Ask until there is an answer, for up to `patience` seconds; `None` where there was none."""
    end = time.monotonic() + patience
    while (answer := ask()) is None and time.monotonic() < end:
        time.sleep(POLL)
    return answer


def holders(path: Path) -> tuple[int, ...]:
    """List the processes that hold the lock, as far as the kernel tells (Linux does)."""
    try:
        table = Path("/proc/locks").read_text(encoding="ascii")
        number = path.stat().st_ino
    except OSError:
        return ()
    # A line reads "1: FLOCK ADVISORY READ 4711 fe:00:1234 0 EOF"; for one that waits, "->" comes second.
    mine = re.findall(rf"^\d+: FLOCK +ADVISORY +\w+ +(\d+) \w+:\w+:{number} ", table, re.MULTILINE)
    return tuple(sorted(int(holder) for holder in mine))
