"""Loads a directory into the desired state: all of its files, and all that is wrong with them at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reconciler import kinds
from reconciler.core import collector
from reconciler.core.problem import Place, Problem, has_errors, in_order
from reconciler.core.state import DesiredState, Identity, SourceFile
from reconciler.errors import SourceError, UsageError
from reconciler.source import files, git, twofold

if TYPE_CHECKING:  # pydantic and the YAML parser are loaded by those who read files
    from reconciler.core.address import Address
    from reconciler.core.state import Desired
    from reconciler.source.document import Reader
    from reconciler.source.places import Fault
    from reconciler.source.records import FileRecord

# Bytes of files from which on a second process saves more than it costs.
_PAYS: Final = 256 * 1024


def load(directory: Path, *, identity: Identity | None = None) -> DesiredState:
    """Load every file below a directory; where it comes from is looked up if `identity` does not say it.

    Bad content raises nothing: every problem of every file is in the state's `problems`, in order, and its
    entities are what could be understood.

    Raises:
        UsageError: The directory does not exist (`no-such-directory`) or is a file (`not-a-directory`).
    """
    require_directory(directory)
    listing = files.find(directory)
    with collector.paused():
        where = identity or git.identity(directory)
        return _state(_read(listing.files), identity=where, faults=listing.faults)


def require_valid(state: DesiredState) -> None:
    """Raise `SourceError` with all problems if the files have errors; warnings pass."""
    if has_errors(state.problems):
        raise SourceError(state.problems)


def state_of(contents: Iterable[tuple[str, bytes]], *, identity: Identity) -> DesiredState:
    """The desired state that files say, given as names and bytes in the order of their names."""
    from reconciler.source.document import Reader

    reader = Reader()
    return _state([_said(reader, name, content) for name, content in contents], identity=identity)


class _Read(NamedTuple):
    """One file that was read: what it says, or why that cannot be had."""

    name: str
    sha256: str = ""
    record: FileRecord | None = None
    fault: Fault | None = None


def _read(found: Sequence[files.Found]) -> list[_Read]:
    """What all files say, in their order; two processes read them where that pays."""
    from reconciler.source.document import Reader

    reader = Reader()

    def work(some: Sequence[files.Found]) -> list[_Read]:
        return [_one(reader, one) for one in some]

    if twofold.is_possible() and _sum_of_sizes(found) >= _PAYS:
        return twofold.worked(work, found)
    return work(found)


def _one(reader: Reader, found: files.Found) -> _Read:
    try:
        content = files.read(found)
    except files.UnreadableError as error:
        return _Read(found.name, fault=error.fault)
    return _said(reader, found.name, content)


def _said(reader: Reader, name: str, content: bytes) -> _Read:
    return _Read(name, hashlib.sha256(content).hexdigest(), reader.read(name, content))


def _sum_of_sizes(found: Iterable[files.Found]) -> int:
    """How many bytes there seem to be."""
    total = 0
    for one in found:
        with suppress(OSError):
            total += os.stat(one.path).st_size  # noqa: PTH116 a `Path` for each takes longer than this
    return total


def _state(
    read: Sequence[_Read], *, identity: Identity, faults: Iterable[tuple[str, Fault]] = ()
) -> DesiredState:
    """The desired state that files say, given in the order of their names.

    `faults` are what is wrong with what is no file, by name.
    """
    from reconciler.source import collect, resolve
    from reconciler.source.places import problem

    records = [one.record for one in read if one.record is not None]
    catalogue = collect.collect(records)
    resolved = resolve.resolve(catalogue, records)
    problems = [problem(name, fault) for name, fault in faults]
    problems += [problem(one.name, one.fault) for one in read if one.fault is not None]
    problems += catalogue.problems + resolved.problems
    if not has_errors(problems):
        problems.extend(empties(records, resolved.entities))
    digests = {one.name: one.sha256 for one in read if one.record is not None}
    return DesiredState(
        entities=resolved.entities,
        files=source_files(digests, resolved.entities, records),
        problems=in_order(problems),
        identity=identity,
        kinds=resolved.kinds,
        reader=reader_of_files(),
    )


def reader_of_files() -> str:
    """What reads the files here: this program's version and its kinds."""
    return f"{metadata.version('llm-reconciler')} {kinds.digest()}"


def errors_of(texts: Mapping[str, str]) -> tuple[Problem, ...]:
    """What the loader would refuse in files that are not written yet, by name and text."""
    contents = ((name, text.encode()) for name, text in sorted(texts.items()))
    with collector.paused():
        state = state_of(contents, identity=Identity("texts"))
    return tuple(problem for problem in state.problems if problem.severity == "error")


def require_directory(directory: Path) -> None:
    """Raise `UsageError` where a directory does not exist, or is a file."""
    # Not the methods of `Path`: they raise where a folder above may not be looked into.
    if os.path.isdir(directory):  # noqa: PTH112
        return
    if os.path.exists(directory):  # noqa: PTH110
        raise UsageError(
            f"{directory} is a file.", code="not-a-directory", hint="name the directory that holds it"
        )
    raise UsageError(
        f"There is no directory {directory}.", code="no-such-directory", hint="check the path; init makes one"
    )


def source_files(
    digests: Mapping[str, str], entities: Mapping[Address, Desired], records: Iterable[FileRecord]
) -> dict[str, SourceFile]:
    """What each file is, defines and refers to."""
    from reconciler.source import references

    defines: dict[str, list[Address]] = {name: [] for name in digests}
    for address, desired in entities.items():
        defines[desired.place.file].append(address)
    refers_to = {record.name: references.of(record) for record in records}
    return {
        name: SourceFile(sha256, tuple(sorted(defines[name])), refers_to[name])
        for name, sha256 in digests.items()
    }


def empties(records: Iterable[FileRecord], entities: Mapping[Address, Desired]) -> Iterator[Problem]:
    """Warnings of files, and of a directory, that define nothing."""
    if not entities:
        hint = "write a provider, or name another directory"
        message = "the directory defines nothing"
        yield Problem("warning", "empty-source", Place(".", 1, 1), "", message, hint)
        return
    for record in records:
        if record.is_empty:
            hint = "remove the file, or write something into it"
            yield Problem(
                "warning", "empty-file", Place(record.name, 1, 1), "", "the file defines nothing", hint
            )
