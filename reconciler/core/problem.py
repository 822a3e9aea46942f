"""A problem of the files: one thing that is wrong, its place, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """Where something stands: a file relative to its directory, line and column counted from one."""

    file: str
    line: int
    column: int


class Related(NamedTuple):
    """A second place that a problem speaks of."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (`error`) or suspicious (`warning`) in the files.

    Attributes:
        severity: `error` refuses the files, `warning` is shown and kept.
        code: One of the format's stable codes, such as `unknown-field`.
        place: File, line and column.
        path: The dotted path within the document, such as `parameters.base.temperatur`.
        message: What is wrong.
        hint: What to write instead, or nothing.
        related: Other places that belong to it.
    """

    severity: Severity
    code: str
    place: Place
    path: str
    message: str
    hint: str = ""
    related: tuple[Related, ...] = ()


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file, line and column; duplicates once."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (p.place, p.severity, p.code, p.path, p.message)))


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any of them refuses the files."""
    return any(problem.severity == "error" for problem in problems)
