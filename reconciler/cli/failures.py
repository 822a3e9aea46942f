"""How a command that fails says so: one line with a hint for people, one whole document for machines."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reconciler import report
from reconciler.cli import logs, status, streams
from reconciler.core.problem import Problem
from reconciler.errors import ProviderConfigError, SourceError, UsageError
from reconciler.settings import PREFIX


class InterruptedByUserError(ProviderConfigError):
    """A person stopped the command; exits as shells expect it."""

    code = "interrupted"
    exit_status: ClassVar[int] = status.INTERRUPTED


class FilesError(SourceError):
    """A `SourceError` that knows the directory its places are relative to, so that they can be opened."""

    def __init__(self, problems: Sequence[Problem], directory: str) -> None:
        super().__init__(problems)
        self.directory = directory


def usage(error: Exception) -> UsageError:
    """What the parser of the command line found wrong, as an error of ours."""
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "") or "reconciler"
    message = str(getattr(error, "format_message", error.__str__)())
    return UsageError(message, hint=f"see `{path} --help`")


def internal(error: BaseException) -> ProviderConfigError:
    """An unexpected exception, named by its class and place only: its text may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    if logs.is_debugging():
        streams.tell("".join(traceback.format_exception(error)))
    return ProviderConfigError(
        f"internal error: {type(error).__name__}{place}.",
        code="internal",
        hint=f"set {PREFIX}DEBUG=1 to see where it comes from, and report it",
    )


def tell(failure: ProviderConfigError, output: str) -> int:
    """Say why, in the form that was asked for, and return the exit status."""
    directory = failure.directory if isinstance(failure, FilesError) else ""
    if output == "json":
        streams.write(report.json.error(failure))
    else:
        streams.tell(report.text.error(failure, directory, streams.story_style()))
    if output == "markdown":
        streams.write(report.markdown.error(failure, directory))
    return status.of_error(failure)


def asked_output(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The form of the answer that a command line asks for, also where the line itself cannot be parsed.

    >>> asked_output(["plan", "--output", "json", "--no-such-option"], {})
    'json'
    """
    output = environ.get(f"{PREFIX}OUTPUT", "")
    for at, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--output" and at + 1 < len(arguments):
            output = arguments[at + 1]
        elif word.startswith("--output="):
            output = word.removeprefix("--output=")
    return output


def arguments_of(argv: Sequence[str] | None) -> list[str]:
    """The words of the command line, without the program's own name."""
    return list(sys.argv[1:] if argv is None else argv)
