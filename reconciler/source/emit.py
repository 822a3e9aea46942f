"""Writes values as YAML that our loader reads back as they were: any text, any number, any key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.source.scalars import GREATEST_INTEGER, LEAST_INTEGER, TooLargeError, resolve

_INDENT: Final = "  "
# Words that need no quotes wherever they stand, if they mean no number, boolean or null.
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./+@()%-]| (?=[A-Za-z0-9_(])|:(?=[A-Za-z0-9_/]))*")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./+@-]|:(?=[A-Za-z0-9_/]))*")
# A literal block keeps such lines as they are: no leading space at the start, nothing that is no character.
_BLOCK = re.compile(r"[!-~\xa1-\u1fff\u2030-\ud7ff][^\n]*\n(?s:.*)")
_ODD = re.compile("[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = re.compile(
    "[^ !#-\\[\\]-~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
# The parser takes no longer keys in their short form.
_KEY_LIMIT: Final = 1000


def mapping_lines(values: Mapping[str, Any], indent: int) -> Iterator[str]:
    """The lines of a mapping, as a block."""
    margin = _INDENT * indent
    for name, value in values.items():
        shown = key(name)
        head = f"{margin}{shown}:" if len(shown) <= _KEY_LIMIT else f"{margin}? {shown}\n{margin}:"
        yield from _entry(head, value, indent)


def _entry(head: str, value: Any, indent: int) -> Iterator[str]:
    """A key or a dash with what follows it."""
    if isinstance(value, Mapping) and value:
        yield head
        yield from mapping_lines(value, indent + 1)
    elif isinstance(value, (list, tuple)) and value:
        yield head
        for item in value:
            yield from _entry(f"{_INDENT * (indent + 1)}-", item, indent + 2)
    elif isinstance(value, str) and _BLOCK.fullmatch(value) and not _ODD.search(value):
        yield from _block(head, value, indent)
    else:
        yield f"{head} {scalar(value)}"


def _block(head: str, text: str, indent: int) -> Iterator[str]:
    margin = _INDENT * (indent + 1)
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    yield f"{head} |{'-' if breaks == 0 else '' if breaks == 1 else '+'}"
    lines = body.split("\n") + [""] * (breaks - 1)
    yield from (f"{margin}{line}" if line else "" for line in lines)


def key(name: str) -> str:
    """A key: keys are taken as they are spelled, so only their signs decide on quotes.

    >>> key("4.10"), key("gpt-4:free"), key("a b")
    ('4.10', 'gpt-4:free', '"a b"')
    """
    return name if _PLAIN_KEY.fullmatch(name) else quoted(name)


def scalar(value: Any) -> str:
    """A value that has nothing inside.

    >>> [scalar(value) for value in ("no", "12", 12, 1e20, None, True, [])]
    ['no', '"12"', '12', '1e+20', 'null', 'true', '[]']
    """
    match value:
        case str():
            return value if _is_plain(value) else quoted(value)
        case float():
            return repr(value)
        case int() if not isinstance(value, bool) and not LEAST_INTEGER <= value <= GREATEST_INTEGER:
            # A larger whole number was a float in the file, and is one there again.
            return repr(float(value))
        case Mapping():
            return "{}"
        case None | int():
            return json.dumps(value)
        case _:
            return "[]"


def quoted(text: str) -> str:
    """A text in double quotes."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _is_plain(text: str) -> bool:
    if not _PLAIN_TEXT.fullmatch(text):
        return False
    try:
        return resolve(text) == text
    except TooLargeError:
        return False


def _escape(found: re.Match[str]) -> str:
    sign = found[0]
    code = ord(sign)
    if sign in _SHORT:
        return _SHORT[sign]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 widths
