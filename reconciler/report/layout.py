"""How plain text is laid out: colour, tables that know the terminal's width, counts, times and durations."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

Colour = Literal["", "red", "green", "yellow", "cyan", "dim", "bold"]
_CODES: Mapping[str, str] = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
}

# Narrower than this, a wrapped column is harder to read than one that runs over the edge.
_NARROWEST = 24


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader's screen can do: colour, and its width in columns where it is a screen."""

    colour: bool = False
    width: int | None = None

    def paint(self, text: str, colour: Colour) -> str:
        """The text in a colour, where there is colour."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour and colour else text


PLAIN = Style()


class Cell(NamedTuple):
    """One cell of a table, already escaped."""

    text: str
    colour: Colour = ""


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], style: Style = PLAIN) -> list[str]:
    """Aligned columns; the last one is wrapped to the width of the screen."""
    heading = tuple(Cell(text, "dim") for text in headings)
    widths = [max(columns(row[at].text) for row in (heading, *rows)) for at in range(len(headings) - 1)]
    return [line for row in (heading, *rows) for line in _row(row, widths, style)]


def _row(row: Sequence[Cell], widths: Sequence[int], style: Style) -> list[str]:
    *firsts, last = row
    start = "".join(_padded(cell, width, style) for cell, width in zip(firsts, widths, strict=True))
    indent = sum(widths) + 2 * len(widths)
    head, *tail = _wrapped(last.text, indent, style)
    lines = [start + style.paint(head, last.colour)]
    lines += [" " * indent + style.paint(line, last.colour) for line in tail]
    return [line.rstrip() for line in lines]


def _padded(cell: Cell, width: int, style: Style) -> str:
    return style.paint(cell.text, cell.colour) + " " * (width - columns(cell.text) + 2)


def _wrapped(text: str, indent: int, style: Style) -> list[str]:
    if style.width is None or indent + columns(text) <= style.width:
        return [text]
    return textwrap.wrap(text, max(_NARROWEST, style.width - indent)) or [""]


def columns(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> columns("日本")
    4
    """
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "entity", "entities"), counted(4800, "model")
    ('1 entity', '4,800 models')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the second; `never` where there is none."""
    return "never" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def stages(seconds: Mapping[str, float]) -> str:
    """How long each stage took.

    >>> stages({"load": 0.0214, "plan": 1.5})
    'load 0.02 s, plan 1.50 s'
    """
    return ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
