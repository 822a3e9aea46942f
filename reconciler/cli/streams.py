"""Standard output is the answer and standard error the story; both may be closed, full or broken off."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Literal, TextIO

from reconciler.errors import ProviderConfigError
from reconciler.report.escape import printable
from reconciler.report.layout import Style

Format = Literal["text", "json", "markdown"]


def answer(
    output: Format,
    *,
    text: Callable[[], str],
    json: Callable[[], str],
    markdown: Callable[[], str] | None = None,
) -> None:
    """Print an answer in the form that was asked for; only that form is made."""
    match output:
        case "text":
            write(text())
        case "json":
            write(json())
        case "markdown":
            write((markdown or text)())


def write(text: str) -> None:
    """Write to standard output, whole and now. A reader that has gone is no error, a full disk is."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(f"{text}\n" if text and not text.endswith("\n") else text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise ProviderConfigError(
            f"The answer could not be written: {error.strerror}.", code="output"
        ) from error


def say(line: str) -> None:
    """Tell a line of the story. Nothing depends on anyone hearing it."""
    tell(printable(line))


def tell(text: str) -> None:
    """Write text that is escaped already to standard error."""
    if sys.stderr is None or not text:
        return
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def watched() -> bool:
    """Whether a person watches the story on a terminal that can draw over a line."""
    return is_terminal(sys.stderr) and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def ask(question: str) -> bool:
    """Ask a person on the terminal; anything but yes is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def can_ask() -> bool:
    """Whether a person can read a question and type an answer."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Send what is still buffered nowhere, or the interpreter complains about it on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def tolerant() -> None:
    """Let text that the terminal's encoding lacks be written as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def answer_style() -> Style:
    """What the reader of standard output can see."""
    return _style(sys.stdout)


def story_style() -> Style:
    """What the reader of standard error can see."""
    return _style(sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at the other end."""
    return stream is not None and not stream.closed and stream.isatty()


def _style(stream: TextIO | None) -> Style:
    if not is_terminal(stream):
        return Style()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Style(colour=not plain, width=shutil.get_terminal_size().columns)
