"""Puts new files into a directory: none that exists is touched, and none lands outside of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import UsageError


def write_new(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files, name to text, into a directory that is made where it is missing.

    Raises:
        UsageError: A file exists already (`exists`), would lie outside of the directory (`bad-name`), or the
            system refuses (`unwritable`).
    """
    try:
        paths = {name: _free(directory, name) for name in sorted(contents)}
        for name, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(contents[name])
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}.", code="unwritable") from error


def _free(directory: Path, name: str) -> Path:
    """The path of a file that is not there yet."""
    path = directory / name
    # Unlike `Path.resolve`, this has an answer for links that lead in a circle too.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        raise UsageError(f"{name} would be written outside of {directory}.", code="bad-name")
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"{path} exists, and nothing is overwritten.",
            code="exists",
            hint="name another directory, or move the file away",
        )
    return path
