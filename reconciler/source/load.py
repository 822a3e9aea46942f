"""Loads a directory into the desired state: all of its files, and all that is wrong with them at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import kinds
from reconciler.core import collector
from reconciler.core.problem import Place, Problem, has_errors, in_order
from reconciler.core.state import DesiredState, Identity, SourceFile
from reconciler.errors import SourceError, UsageError
from reconciler.source import files, git

if TYPE_CHECKING:  # pydantic and the YAML parser are loaded by those who read files
    from reconciler.core.address import Address
    from reconciler.core.state import Desired
    from reconciler.source.places import Fault
    from reconciler.source.records import FileRecord


def load(directory: Path, *, identity: Identity | None = None) -> DesiredState:
    """Load every file below a directory; where it comes from is looked up if `identity` does not say it.

    Bad content raises nothing: every problem of every file is in the state's `problems`, in order, and its
    entities are what could be understood.

    Raises:
        UsageError: The directory does not exist (`no-such-directory`) or is a file (`not-a-directory`).
    """
    require_directory(directory)
    listing = files.find(directory)
    faults = list(listing.faults)
    with collector.paused():
        # The faults of files are complete once all of them have been read, which `state_of` does first.
        where = identity or git.identity(directory)
        return state_of(_contents(listing, faults), identity=where, faults=faults)


def require_valid(state: DesiredState) -> None:
    """Raise `SourceError` with all problems if the files have errors; warnings pass."""
    if has_errors(state.problems):
        raise SourceError(state.problems)


def state_of(
    contents: Iterable[tuple[str, bytes]], *, identity: Identity, faults: Iterable[tuple[str, Fault]] = ()
) -> DesiredState:
    """The desired state that files say, given as names and bytes in the order of their names.

    `faults` are what is wrong with files that could not be read, by name.
    """
    from reconciler.source import collect, resolve
    from reconciler.source.document import Reader
    from reconciler.source.places import problem

    reader, records, digests = Reader(), [], {}
    for name, content in contents:
        digests[name] = hashlib.sha256(content).hexdigest()
        records.append(reader.read(name, content))
    catalogue = collect.collect(records)
    resolved = resolve.resolve(catalogue, records)
    problems = [problem(name, fault) for name, fault in faults]
    problems += catalogue.problems + resolved.problems
    if not has_errors(problems):
        problems.extend(empties(records, resolved.entities))
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


def _contents(listing: files.Listing, faults: list[tuple[str, Fault]]) -> Iterator[tuple[str, bytes]]:
    for found in listing.files:
        try:
            content = files.read(found)
        except files.UnreadableError as error:
            faults.append((found.name, error.fault))
        else:
            yield found.name, content


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
