"""How far a verification is: a line that is drawn again and again on a terminal and wiped at the end, a line
now and then elsewhere. Standard output never sees any of it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli import streams
from reconciler.core.outcome import Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Logs of CI show life by a line so often; a run that ends sooner writes none.
SECONDS_BETWEEN_LINES = 10.0

_REDRAWN_A_SECOND = 8
_NARROWEST_BAR = 10
_WIDEST_BAR = 40


class Tally(NamedTuple):
    """How far a verification is, after so many seconds; `total` counts what is to be done in all."""

    good: int = 0
    bad: int = 0
    other: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """How many results there are."""
        return self.good + self.bad + self.other

    @property
    def counts(self) -> tuple[tuple[str, str], ...]:
        """The kinds of results that there are, each with its colour."""
        kinds = (("ok", self.good, "green"), ("bad", self.bad, "red"), ("other", self.other, "yellow"))
        return tuple((f"{number:,} {name}", colour) for name, number, colour in kinds if number)

    def counted(self, result: Result) -> Tally:
        """With one more result."""
        if result.outcome == "ok":
            return self._replace(good=self.good + 1)
        return self._replace(bad=self.bad + 1) if result.is_bad else self._replace(other=self.other + 1)

    def words(self) -> str:
        """It as a line of a log.

        >>> Tally(good=1200, bad=3, total=2000, seconds=12.4).words()
        'Verifying: 1,203 of 2,000 after 12 s, 1,200 ok, 3 bad'
        """
        after = f"Verifying: {self.done:,} of {self.total:,} after {self.seconds:.0f} s"
        return ", ".join((after, *(words for words, _ in self.counts)))


class Progress:
    """Shows the results of a verification as they come; called with each of them.

    Args:
        every: Seconds between two lines where no terminal is watched.
    """

    def __init__(self, every: float = SECONDS_BETWEEN_LINES) -> None:
        self._every = every
        self._tally = Tally()
        self._began = 0.0
        self._shown = ExitStack()
        self._is_shown = False

    def expect(self, count: int) -> None:
        """So many more results will come; from the first of them on there is something to see."""
        self._tally = self._tally._replace(total=self._tally.total + count)
        self._show()

    def __call__(self, result: Result) -> None:
        """One more result."""
        counted = self._tally.counted(result)
        self._tally = counted._replace(total=max(counted.total, counted.done))
        self._show()

    def close(self) -> None:
        """Stop, and wipe what was drawn."""
        self._shown.close()
        self._is_shown = False

    def _show(self) -> None:
        if not self._is_shown:
            self._is_shown, self._began = True, time.monotonic()
            showing = _drawn(self._now) if streams.watched() else _told(self._now, self._every)
            self._shown.enter_context(showing)

    def _now(self) -> Tally:
        return self._tally._replace(seconds=time.monotonic() - self._began)


@contextmanager
def _told(now: Callable[[], Tally], every: float) -> Iterator[None]:
    """A line every so many seconds, from a thread of its own: where all hang, nothing else happens."""
    closing = threading.Event()

    def tell() -> None:
        while not closing.wait(every):
            streams.say(now().words())

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        closing.set()
        teller.join()


@contextmanager
def _drawn(now: Callable[[], Tally]) -> Iterator[None]:
    """A line that is drawn over; what others say meanwhile appears above it."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr)
    with Live(
        console=console,
        get_renderable=lambda: _line(now(), console),
        refresh_per_second=_REDRAWN_A_SECOND,
        transient=True,
        redirect_stdout=False,
    ):
        yield


def _line(tally: Tally, console: Console) -> Table:
    """The line, with a bar where the terminal is wide enough for one."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    minutes, seconds = divmod(int(tally.seconds), 60)
    words = Text(f"{tally.done:,}/{tally.total:,} {minutes}:{seconds:02}", no_wrap=True, overflow="crop")
    for text, colour in tally.counts:
        words.append(f" {text}", colour)
    line = Table.grid(padding=(0, 1, 0, 0))
    # The last column stays empty: terminals differ in what they do after it.
    room = console.width - words.cell_len - 2
    if room < _NARROWEST_BAR:
        words.truncate(console.width - 1)
        line.add_row(words)
    else:
        bar = ProgressBar(tally.total, tally.done, width=min(room, _WIDEST_BAR))
        line.add_row(words, bar)
    return line


@contextmanager
def watched() -> Iterator[Progress]:
    """A progress that is closed when what it watches has ended, however it ended."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.close()
