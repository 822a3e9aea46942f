"""What the YAML parser complains of, in words that name the usual causes: tabs, conflict markers, quotes."""

from __future__ import annotations

import re
from typing import Final

from yaml import Mark, MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from reconciler.source.places import Fault, packed

DEPTH_LIMIT: Final = 100
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_TAB_INDENT = re.compile(r"^ *\t", re.MULTILINE)
# What libyaml does not read at all.
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")


def fault(error: YAMLError, text: str) -> Fault:
    """The parser's error as a fault at its place, or at the place of what caused it."""
    if marker := _CONFLICT.search(text):
        message = "a merge conflict is left in the file"
        return Fault(
            "yaml-syntax", _at(text, marker.start()), "", message, "resolve it and remove the markers"
        )
    if isinstance(error, ReaderError):
        return _unreadable(text)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return _marked(error, error.problem_mark, text)
    return Fault("yaml-syntax", 0, "", "this is not YAML")


def nul(text: str) -> Fault:
    """A NUL that stands in a file as it is."""
    hint = "remove it; the file may be no text at all"
    return Fault("bad-text", _at(text, text.index("\0")), "", "the file holds a NUL character", hint)


def too_deep(at: int, path: str) -> Fault:
    """What is nested deeper than anyone reads."""
    message = f"mappings and lists are nested more than {DEPTH_LIMIT} levels deep"
    return Fault("too-deep", at, path, message, "flatten the file")


def _unreadable(text: str) -> Fault:
    found = _UNREADABLE.search(text)
    if found is None:
        return Fault("yaml-syntax", 0, "", "the file holds a character that YAML does not allow")
    if found[0] == "\0":
        return nul(text)
    message = f"the file holds the character U+{ord(found[0]):04X}, which YAML does not allow"
    hint = "remove it, or write it as an escape in double quotes"
    return Fault("yaml-syntax", _at(text, found.start()), "", message, hint)


def _marked(error: MarkedYAMLError, mark: Mark, text: str) -> Fault:
    at = packed(mark.line, mark.column)
    problem = str(error.problem or "this is not YAML")
    # libyaml 0.2.6 has a limit of its own, and meets it in a row of brackets before it tells of the first.
    if "maximum nesting depth" in problem:
        return too_deep(at, "")
    if "invalid Unicode character escape" in problem:
        hint = "write the character itself, or \\U and its eight digits"
        return Fault("bad-text", at, "", "the escape stands for half a character, a lone surrogate", hint)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    if "\t" in line[: mark.column + 1] or _TAB_INDENT.match(line):
        column = line.index("\t")
        message = "there is a tab where YAML wants spaces"
        return Fault("yaml-syntax", packed(mark.line, column), "", message, "indent with spaces")
    context = f", {error.context}" if error.context else ""
    return Fault("yaml-syntax", at, "", problem + context, _hint(problem))


def _hint(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return "put a text that holds a colon and a space in quotes, or mend the indentation"
    if "could not find expected ':'" in problem:
        return "write a colon and a space after the key"
    if "block" in problem:
        return "mend the indentation"
    return "quotes and brackets must be closed, and indentation must be even"


def _at(text: str, index: int) -> int:
    """The packed place of a character."""
    start = text.rfind("\n", 0, index) + 1
    return packed(text.count("\n", 0, index), index - start)
