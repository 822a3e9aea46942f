"""Nested values as indented lines that are YAML too; written here because only the source and the kinds
know a YAML library, and because every scalar must be safe on a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Words that no YAML reader takes for anything but text; all else is quoted.
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_./-]*", re.IGNORECASE)


def lines(value: Any, indent: int = 0) -> Iterator[str]:
    """Each line of a nested value, keys in the order in which they come.

    >>> list(lines({"temperature": 0.7, "labels": {"team": "rag"}}))
    ['temperature: 0.7', 'labels:', '  team: rag']
    """
    space = " " * indent
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _entry(f"{space}{_scalar(str(key))}:", item, indent + 2)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from _entry(f"{space}-", item, indent + 2)
    else:
        yield space + _scalar(value)


def _entry(start: str, item: Any, indent: int) -> Iterator[str]:
    if isinstance(item, (Mapping, list, tuple)) and item:
        yield start
        yield from lines(item, indent)
    else:
        yield f"{start} {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isprintable() else _ascii(text)


def _ascii(text: str) -> str:
    # Quotes and the first controls are escaped already.
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    # YAML joins no surrogate pairs, so what JSON writes as a pair takes the long form.
    short = json.dumps(character)[1:-1].replace("\x7f", r"\u007f")
    return short if short.count("\\") == 1 else f"\\U{ord(character):08x}"
