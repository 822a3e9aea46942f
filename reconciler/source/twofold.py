"""Work that is done by two processes at once: each takes the next piece as soon as it is done with its last,
so that both end together. The second is a fork, so that it need not import anything.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Sequence[Item]], list[Result]]

# One byte is a piece's number.
_PIECES = 200


def is_possible() -> bool:
    """Whether a second process can be had, and has a processor of its own.

    Never beside other threads: a fork has them not, and locks as they happened to be.
    """
    return hasattr(os, "memfd_create") and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1


def worked(work: Work[Item, Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of all items, in their order, done by two processes.

    Args:
        work: Makes the results of some items that follow each other; they can be pickled. Whatever becomes of
            the second process, this one does its pieces again.
        items: The items.
    """
    size = -(-len(items) // _PIECES) or 1
    pieces = [items[start : start + size] for start in range(0, len(items), size)]
    numbers = _numbers(len(pieces))
    with open(os.memfd_create("reconciler", os.MFD_CLOEXEC), "w+b") as theirs:  # noqa: PTH123 no path leads there
        child = _second(work, pieces, numbers, theirs)
        try:
            done = dict(_taken(work, pieces, numbers))
            is_whole = os.waitpid(child, 0)[1] == 0
            child = 0
        finally:
            os.close(numbers)
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        if is_whole:
            theirs.seek(0)
            done.update(_unpickled(theirs))
    results = (done[number] if number in done else work(piece) for number, piece in enumerate(pieces))
    return [one for some in results for one in some]


def _numbers(count: int) -> int:
    """Where each process reads the number of its next piece, and nothing when all are taken."""
    reader, writer = os.pipe()
    os.write(writer, bytes(range(count)))
    os.close(writer)
    return reader


def _taken(
    work: Work[Item, Result], pieces: Sequence[Sequence[Item]], numbers: int
) -> Iterator[tuple[int, list[Result]]]:
    while taken := os.read(numbers, 1):
        yield taken[0], work(pieces[taken[0]])


def _second(
    work: Work[Item, Result], pieces: Sequence[Sequence[Item]], numbers: int, results: BinaryIO
) -> int:
    """Start the second process; its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for done in _taken(work, pieces, numbers):
            pickle.dump(done, results, pickle.HIGHEST_PROTOCOL)
        results.flush()
        status = 0
    finally:
        # Nothing of the first process's is ended here, and nothing is said.
        os._exit(status)


def _unpickled(results: BinaryIO) -> Iterator[tuple[int, list[Result]]]:
    end = os.fstat(results.fileno()).st_size
    while results.tell() < end:
        yield pickle.load(results)  # noqa: S301 this program's own, and nobody else can write there
