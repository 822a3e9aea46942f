"""Reads the files that changed since the last apply, and those that depend on them. What they share with
other files is looked up there; where the answer could be another one than that of all files together, there
is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain

from reconciler.core.parts import Basis, Part
from reconciler.core.prints import Prints
from reconciler.core.problem import Problem, has_errors, in_order
from reconciler.core.state import DesiredState
from reconciler.source import collect, references, resolve
from reconciler.source.document import Reader
from reconciler.source.load import empties, source_files
from reconciler.source.records import FileRecord

Read = Callable[[str], bytes]


def read_part(prints: Prints, basis: Basis, read: Read) -> Part | None:
    """What the changed files ask for; `None` where that cannot be told without all of them.

    Args:
        prints: The directory's.
        basis: What was applied last.
        read: Reads a file's bytes by its name.
    """
    known = basis.files
    if prints.files.keys() != known.keys():
        return None
    changed = {name for name, sha256 in prints.files.items() if sha256 != known[name].sha256}
    records = _Records(prints, read)
    if not records.add(changed) or not _uses_as_before(records.read, basis):
        return None
    while dependent := _dependent(records.read, basis):
        if not records.add(dependent):
            return None
    ours = frozenset(records.read)
    if not _add_definers(records, basis):
        return None
    return _resolved(records, ours, prints, basis)


class _Records:
    """The files that have been read so far."""

    def __init__(self, prints: Prints, read: Read) -> None:
        self._prints = prints
        self._bytes = read
        self._reader = Reader()
        self.read: dict[str, FileRecord] = {}

    def add(self, names: Iterable[str]) -> bool:
        """Read more files; whether they are whole, and what their fingerprints say."""
        for name in sorted(names):
            content = self._bytes(name)
            if hashlib.sha256(content).hexdigest() != self._prints.files[name]:
                return False
            record = self.read[name] = self._reader.read(name, content)
            if record.is_empty or any(fault.severity == "error" for fault in record.faults):
                return False
        return True


def _uses_as_before(records: Mapping[str, FileRecord], basis: Basis) -> bool:
    """Whether everything that was used still is, and nothing is for the first time: what nothing uses is told
    where it stands, in files that are not read.
    """
    before = {name: set(basis.files[name].refers_to) for name in records}
    after = {name: set(references.of(record)) for name, record in records.items()}
    if any(references.KINDS in some for some in (*before.values(), *after.values())):
        return False
    differing = {one for name in records for one in before[name] ^ after[name]}
    shared = {one for one in differing if one.startswith(("parameters:", "template:"))}
    others = (file.refers_to for name, file in basis.files.items() if name not in records)
    return shared <= set(chain.from_iterable(others))


def _dependent(records: Mapping[str, FileRecord], basis: Basis) -> set[str]:
    """Files not read yet that name something of those that are."""
    defined = {name for record in records.values() for name in references.own_names(record)}
    return {
        name
        for name, file in basis.files.items()
        if name not in records and not defined.isdisjoint(file.refers_to)
    }


def _add_definers(records: _Records, basis: Basis) -> bool:
    """Read what the files name elsewhere, and what that names."""
    while wanted := _undefined(records.read.values()):
        definers = set(basis.definers(wanted))
        if any(name.startswith("kind:") for name in wanted):
            definers |= {name for name, file in basis.files.items() if references.KINDS in file.refers_to}
        definers -= records.read.keys()
        if not definers or not records.add(definers):
            return False
    return True


def _undefined(records: Collection[FileRecord]) -> list[str]:
    from reconciler import kinds

    defined = {name for record in records for name in references.own_names(record)}
    defined |= {references.KINDS, *(f"kind:{name}" for name in kinds.names())}
    named = {name for record in records for name in references.of(record)}
    return sorted(named - defined)


def _resolved(records: _Records, ours: frozenset[str], prints: Prints, basis: Basis) -> Part | None:
    everything = [records.read[name] for name in sorted(records.read)]
    catalogue = collect.collect(everything)
    resolved = resolve.resolve(catalogue, everything)
    entities = {address: entity for address, entity in resolved.entities.items() if entity.place.file in ours}
    found = [*catalogue.problems, *resolved.problems]
    if has_errors(found):
        return None
    own = [records.read[name] for name in sorted(ours)]
    found += empties(own, entities)
    problems: list[Problem] = [one for one in found if one.place.file in ours]
    problems += [one for one in basis.problems if one.place.file not in ours]
    digests = {name: prints.files[name] for name in ours}
    state = DesiredState(
        entities=entities,
        files=source_files(digests, entities, own),
        problems=in_order(problems),
        identity=prints.identity,
        kinds=resolved.kinds,
        reader=prints.reader,
    )
    names = frozenset(name for record in own for name in references.own_names(record))
    return Part(state, prints, names, basis.digest)
