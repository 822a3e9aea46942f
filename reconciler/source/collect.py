"""All files together: one table for each kind of entity, what is defined twice, and which names there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Generic, NamedTuple, TypeVar

from reconciler.core.problem import Problem, Related
from reconciler.source.places import Fault, dotted, place, problem
from reconciler.source.records import FileRecord, KindRecord, ProviderRecord, SetRecord
from reconciler.source.spelling import did_you_mean

Record = TypeVar("Record")

_SINGULAR = {"providers": "provider", "parameters": "parameter set", "templates": "template", "kinds": "kind"}


# Finding what was meant takes a moment, which thousands of names do not have.
_HINTS_LIMIT: Final = 30


class Entry(NamedTuple, Generic[Record]):
    """A record and its file."""

    file: str
    record: Record


Table = Mapping[str, Entry[Record]]


class Names:
    """The names of one section: those that stand in the files, readable or not."""

    def __init__(self, section: str, records: Iterable[FileRecord], others: Iterable[str] = ()) -> None:
        records = tuple(records)
        self._known = {name for record in records for name in record.declared.get(section, ())} | set(others)
        # A file that cannot be read to its end may define whatever word stands in it.
        self._words = frozenset[str]().union(*(record.words for record in records))
        self._hints: dict[str, str] = {}

    def may_exist(self, name: str) -> bool:
        """Whether a name is defined, or would be if some other error were mended."""
        return name in self._known or name in self._words

    def hint(self, name: str) -> str:
        """What may have been meant."""
        if name not in self._hints and len(self._hints) < _HINTS_LIMIT:
            self._hints[name] = did_you_mean(name, tuple(sorted(self._known)))
        return self._hints.get(name, "")


class Catalogue(NamedTuple):
    """Everything that the files define, by name, and what is wrong with it so far."""

    providers: Table[ProviderRecord]
    parameters: Table[SetRecord]
    templates: Table[SetRecord]
    kinds: Table[KindRecord]
    problems: list[Problem]


def collect(records: Iterable[FileRecord]) -> Catalogue:
    """Put the records of all files together; of what is defined twice, the first counts."""
    records = tuple(records)
    problems = [problem(record.name, fault) for record in records for fault in record.faults]
    for section in _SINGULAR:
        problems.extend(_duplicates(section, records))
    return Catalogue(
        _table({record.name: record.providers for record in records}),
        _table({record.name: record.parameters for record in records}),
        _table({record.name: record.templates for record in records}),
        _table({record.name: record.kinds for record in records}),
        problems,
    )


def _table(by_file: Mapping[str, Mapping[str, Record]]) -> dict[str, Entry[Record]]:
    table: dict[str, Entry[Record]] = {}
    for file, records in by_file.items():
        for name, record in records.items():
            table.setdefault(name, Entry(file, record))
    return table


def _duplicates(section: str, records: Iterable[FileRecord]) -> list[Problem]:
    first: dict[str, tuple[str, int]] = {}
    problems = []
    for record in records:
        for name, at in record.declared.get(section, {}).items():
            file, earlier = first.setdefault(name, (record.name, at))
            if file != record.name:
                message = f"the {_SINGULAR[section]} {name} is defined in two files"
                hint = f"keep one of them; the other is {file}:{place(file, earlier).line}"
                fault = Fault("duplicate-entity", at, dotted(section, name), message, hint)
                problems.append(_with_related(record.name, fault, file, earlier))
    return problems


def _with_related(name: str, fault: Fault, file: str, at: int) -> Problem:
    return replace(problem(name, fault), related=(Related(place(file, at), "it stands here first"),))
