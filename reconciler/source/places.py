"""Values that know where they stand: plain dicts and lists, each with one whole number a key and a value that
packs line and column, so that places cost next to nothing until somebody asks for one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from reconciler.core.problem import Place, Problem, Related, Severity
from reconciler.core.schema_secrets import without_keys

# The faults of one file that are told; more would not help anyone, and finding them would take for ever.
FAULTS_LIMIT: Final = 1000
# A key may be as long as its file.
_LONGEST = 500
_COLUMN_BITS = 24
_COLUMN = (1 << _COLUMN_BITS) - 1


class Map(dict[str, Any]):
    """A mapping of a file. `marks` holds the place of the first key, of its value, of the second key, …"""

    __slots__ = ("at", "marks")
    at: int
    marks: list[int]

    def value_places(self) -> dict[str, int]:
        """The packed places of the values."""
        return dict(zip(self, self.marks[1::2], strict=True))


class Seq(list[Any]):
    """A list of a file. `marks` holds the places of its items."""

    __slots__ = ("at", "marks")
    at: int
    marks: list[int]


class Fault(NamedTuple):
    """A problem before its file's name is known; `related` are packed places with what to say there."""

    code: str
    at: int
    path: str
    message: str
    hint: str = ""
    related: tuple[tuple[int, str], ...] = ()
    severity: Severity = "error"


def packed(line: int, column: int) -> int:
    """A place as one number; line and column count from zero."""
    return line << _COLUMN_BITS | column


def place(file: str, at: int) -> Place:
    """The place that a packed number stands for.

    >>> place("a.yaml", packed(6, 8))
    Place(file='a.yaml', line=7, column=9)
    """
    return Place(file, (at >> _COLUMN_BITS) + 1, (at & _COLUMN) + 1)


def problem(file: str, fault: Fault) -> Problem:
    """A fault of a file as the problem that people see; whatever looks like a key is blotted out."""
    related = tuple(Related(place(file, at), clean(message)) for at, message in fault.related)
    return Problem(
        severity=fault.severity,
        code=fault.code,
        place=place(file, fault.at),
        path=clean(fault.path),
        message=clean(fault.message),
        hint=clean(fault.hint),
        related=related,
    )


def clean(text: str) -> str:
    """A text as it can be shown: without keys, without signs that spoil a terminal, and not endless."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    blotted = without_keys(short)
    if blotted.isprintable():
        return blotted
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in blotted)


def dotted(path: str, step: str | int) -> str:
    """A path and one step further down.

    >>> dotted(dotted("models", "gpt-4"), 0)
    'models.gpt-4[0]'
    """
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


class Locator:
    """Finds the places of keys and values below one document."""

    def __init__(self, root: Map) -> None:
        self._root = root
        # Counting through a mapping for every one of its many faults would take forever.
        self._orders: dict[int, dict[str, int]] = {}

    def find(self, steps: tuple[str | int, ...]) -> tuple[int, int, str]:
        """The places of the last key and of its value, and the path; steps that lead nowhere are left out."""
        node: Any = self._root
        key_at = value_at = self._root.at
        path = ""
        for step in steps:
            if isinstance(node, Map) and isinstance(step, str) and step in node:
                order = self._order(node)[step]
                key_at, value_at = node.marks[2 * order], node.marks[2 * order + 1]
            elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
                key_at = value_at = node.marks[step]
            else:
                continue
            node = node[step]
            path = dotted(path, step)
        return key_at, value_at, path

    def _order(self, node: Map) -> dict[str, int]:
        known = self._orders.get(id(node))
        if known is None:
            known = self._orders[id(node)] = {key: order for order, key in enumerate(node)}
        return known
