"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(ask: Callable[[], object], *, within: float = 20.0) -> bool:
    """Ask until the answer is true, for up to `within` seconds; tell whether it came."""
    end = time.monotonic() + within
    while not ask():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
