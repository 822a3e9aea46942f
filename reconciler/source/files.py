"""Which files belong to a directory, and their bytes. Nothing here blocks, leaves the directory or reads
without end, whatever the directory holds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.source.places import Fault

SIZE_LIMIT: Final = 16 * 1024 * 1024
COUNT_LIMIT: Final = 200_000
_SUFFIXES = (".yaml", ".yml")


class Found(NamedTuple):
    """One file, by its name relative to the directory."""

    name: str
    path: str


class Listing(NamedTuple):
    """The files of a directory, sorted by name, and by name what is wrong with those that cannot be read."""

    files: tuple[Found, ...]
    faults: tuple[tuple[str, Fault], ...]


class UnreadableError(Exception):
    """A file's bytes cannot be had; `fault` says why."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.fault = _fault(code, message, hint)


def find(directory: Path) -> Listing:
    """List the files of a directory and its sub-directories, each real file once."""
    walk = _Walk(directory)
    files = walk.files()
    return Listing(tuple(sorted(files)), tuple(walk.faults))


def read(found: Found) -> bytes:
    """A file's bytes; `UnreadableError` where it has none, or too many."""
    try:
        # Without the flag, opening a pipe that somebody put in a file's place would wait for ever.
        descriptor = os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError("unreadable", _reason(error), "make it readable, or remove it") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("not-a-file", "this is no regular file", "remove or rename it")
        content = _content(descriptor, status.st_size)
    except OSError as error:
        raise UnreadableError("unreadable", _reason(error), "make it readable, or remove it") from error
    finally:
        os.close(descriptor)
    if len(content) > SIZE_LIMIT:
        message = f"the file is larger than {SIZE_LIMIT // 1024 // 1024} MiB"
        raise UnreadableError("too-large", message, "split it into several files")
    return content


def _content(descriptor: int, size: int) -> bytes:
    """All bytes up to the limit and one more; `size` is how many there seem to be, for a buffer of that."""
    parts, total = [], 0
    while part := os.read(descriptor, min(max(size, 0), SIZE_LIMIT) + 1):
        parts.append(part)
        total += len(part)
        if total > SIZE_LIMIT:
            break
    return b"".join(parts)


class _Walk:
    """One walk through a directory."""

    def __init__(self, directory: Path) -> None:
        self._root = os.path.realpath(directory)
        self._count = 0
        self._seen: set[str] = set()
        self.faults: list[tuple[str, Fault]] = []

    def files(self) -> list[Found]:
        """The directory's files; real ones first, so that a link never takes a file's name from it."""
        links: list[os.DirEntry[str]] = []
        found = list(self._below(self._root, "", links))
        while links:
            # Links are taken in the order of their names, wherever in the tree they were met.
            links.sort(key=lambda entry: entry.path, reverse=True)
            found.extend(self._behind(links.pop(), links))
        return found

    def _below(self, folder: str, prefix: str, links: list[os.DirEntry[str]]) -> Iterator[Found]:
        pending = [(folder, prefix)]
        while pending:
            folder, prefix = pending.pop()
            for entry in self._entries(folder, prefix):
                if entry.is_symlink():
                    links.append(entry)
                elif entry.is_dir(follow_symlinks=False):
                    if not self._is_misnamed(entry.name, prefix):
                        pending.append((entry.path, f"{prefix}{entry.name}/"))
                elif is_ours(entry.name):
                    yield from self._one(
                        entry.path, prefix + entry.name, is_file=entry.is_file(follow_symlinks=False)
                    )

    def _entries(self, folder: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted((one for one in entries if not is_hidden(one.name)), key=lambda one: one.name)
        except OSError as error:
            self._refuse(
                prefix.rstrip("/") or ".", "unreadable", _reason(error), "make the directory readable"
            )
            return []

    def _one(self, path: str, name: str, *, is_file: bool) -> Iterator[Found]:
        if not is_file:
            self._refuse(name, "not-a-file", "this is no regular file", "remove or rename it")
        elif path not in self._seen and self._count < COUNT_LIMIT:
            self._seen.add(path)
            self._count += 1
            yield Found(shown(name), path)
        elif self._count == COUNT_LIMIT:
            self._count += 1
            self._refuse(".", "too-large", f"there are more than {COUNT_LIMIT} files", "split the directory")

    def _behind(self, link: os.DirEntry[str], links: list[os.DirEntry[str]]) -> Iterator[Found]:
        """What a link leads to; links to what is not ours are nobody's business."""
        name = os.path.relpath(link.path, self._root)
        try:
            path = os.path.realpath(link.path, strict=True)
            mode = Path(path).stat().st_mode
        except OSError:
            if is_ours(link.name) or "." not in link.name:
                self._refuse(name, "symlink", "the link leads nowhere, or in a circle", "remove or mend it")
            return
        if not (stat.S_ISDIR(mode) or is_ours(link.name)):
            return
        if not path.startswith(self._root + os.sep):
            self._leaves(name, path)
        elif not stat.S_ISDIR(mode):
            yield from self._one(path, name, is_file=stat.S_ISREG(mode))
        elif self._is_loop(link.path, path):
            self._refuse(name, "symlink", "the link leads back to where it stands", "remove it")
        elif not self._is_misnamed(link.name, name[: -len(link.name)]):
            yield from self._below(path, name + "/", links)

    def _leaves(self, name: str, path: str) -> None:
        if path == self._root:
            self._refuse(name, "symlink", "the link leads back to where it stands", "remove it")
        else:
            message = "the link leads out of the directory"
            self._refuse(name, "symlink", message, "copy what it leads to, or link within the directory")

    def _is_loop(self, link: str, path: str) -> bool:
        return (link + os.sep).startswith(path + os.sep)

    def _is_misnamed(self, name: str, prefix: str) -> bool:
        if is_ours(name):
            self._refuse(prefix + name, "not-a-file", "this is a directory", "rename it")
        return is_ours(name)

    def _refuse(self, name: str, code: str, message: str, hint: str) -> None:
        self.faults.append((shown(name), _fault(code, message, hint)))


def is_ours(name: str) -> bool:
    """Whether a file of this name belongs to a source."""
    return name.lower().endswith(_SUFFIXES)


def is_hidden(name: str) -> bool:
    """Whether a name is one that editors, backups and systems keep for themselves.

    >>> [is_hidden(name) for name in (".git", "#a.yaml#", "a.yaml~", "~$a.yaml", "a.yaml")]
    [True, True, True, True, False]
    """
    return name.startswith((".", "#", "~")) or name.endswith("~")


def _fault(code: str, message: str, hint: str) -> Fault:
    return Fault(code, 0, "", message, hint)


def _reason(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or 'the system refuses'}"


def shown(name: str) -> str:
    """A file's name as it can be printed and stored, whatever bytes it is made of."""
    name = name.replace(os.sep, "/")
    clean = name.encode("utf-8", "backslashreplace").decode()
    return clean if clean.isprintable() else clean.encode("unicode_escape").decode()
