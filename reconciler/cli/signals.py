"""SIGTERM stops a command as Ctrl-C does: what is known is kept, what was begun is ended in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, where nobody has decided otherwise."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C would do now; what runs in the background of a shell is deaf to Ctrl-C itself."""
    del number
    taken = signal.getsignal(signal.SIGINT)
    if not callable(taken):
        raise KeyboardInterrupt
    taken(signal.SIGINT, frame)
