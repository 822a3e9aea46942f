"""Plain text for people: problems of the files and errors. Plans, results and the registry have rooms of
their own beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.problem import Place, Problem
from reconciler.errors import ProviderConfigError, SourceError
from reconciler.report.escape import printable
from reconciler.report.layout import PLAIN, Colour, Style, counted

_COLOURS: Mapping[str, Colour] = {"error": "red", "warning": "yellow"}
_NOUNS = (
    ("provider", "provider"),
    ("parameters", "parameter set"),
    ("template", "template"),
    ("model", "model"),
)


def where(place: Place, directory: str = "") -> str:
    """A place as editors and terminals read it: `providers.d/openai.yaml:7:9`."""
    name = "/".join(part for part in (directory.rstrip("/"), place.file) if part) or "."
    numbers = (f":{number}" for number in (place.line, place.column) if number > 0)
    return printable(name) + "".join(numbers)


def problems(found: Sequence[Problem], directory: str = "", style: Style = PLAIN) -> str:
    """Every problem with its hint and its other places, and a line that counts them."""
    if not found:
        return ""
    lines = [line for problem in found for line in _problem(problem, directory, style)]
    return "\n".join((*lines, problem_count(found)))


def _problem(problem: Problem, directory: str, style: Style) -> Iterator[str]:
    mark = style.paint(f"{problem.severity}[{problem.code}]", _COLOURS[problem.severity])
    yield f"{where(problem.place, directory)}: {mark}: {printable(problem.message)}"
    if problem.hint:
        yield f"    hint: {printable(problem.hint)}"
    for related in problem.related:
        yield f"    see {where(related.place, directory)}: {printable(related.message)}"


def problem_count(found: Sequence[Problem]) -> str:
    """How many errors and warnings there are, and in how many files.

    >>> problem_count([])
    'No problems.'
    """
    if not found:
        return "No problems."
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    parts = [counted(errors, "error")] * bool(errors) + [counted(warnings, "warning")] * bool(warnings)
    files = len({problem.place.file for problem in found})
    return f"{', '.join(parts)} in {counted(files, 'file')}."


def entity_count(counts: Mapping[str, int]) -> str:
    """How many entities of each kind: `2 providers, 3 parameter sets, 1 template, 2 models`."""
    return ", ".join(counted(counts.get(kind, 0), noun) for kind, noun in _NOUNS)


def validation(
    found: Sequence[Problem], counts: Mapping[str, int], directory: str, style: Style = PLAIN
) -> str:
    """The answer of `validate`: what is wrong, or that nothing is, with what the files describe."""
    if any(problem.severity == "error" for problem in found):
        return problems(found, directory, style)
    verdict = style.paint("Valid", "green") + f": {entity_count(counts)}."
    return "\n".join(part for part in (problems(found, directory, style), verdict) if part)


def error(problem: ProviderConfigError, directory: str = "", style: Style = PLAIN) -> str:
    """Why a command failed, and what to do about it; for bad files, every problem in them."""
    if isinstance(problem, SourceError):
        return problems(problem.problems, directory, style)
    mark = style.paint(f"error[{printable(problem.code)}]", "red")
    hint = f"\n    hint: {printable(problem.hint)}" if problem.hint else ""
    return f"{mark}: {printable(problem.message)}{hint}"
