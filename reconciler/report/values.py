"""Field values as a person reads them: one line, bounded, and never mistaken for another value."""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.core.changes import FieldChange
from reconciler.core.schema_secrets import shareable
from reconciler.report.escape import printable

LIMIT = 72
UNSET = "(unset)"

# What stands without quotes: no spaces or separators, and nothing that reads as a number or a YAML word.
_BARE = re.compile(r"(?!(?:true|false|null)$)[A-Za-z/_](?:[A-Za-z0-9_./:@+=-]*[A-Za-z0-9_/])?")
_LEAD = 16


def shown(value: Any, limit: int = LIMIT) -> str:
    """One value; a longer text is cut and its length given.

    >>> shown(0.7), shown("granite"), shown("0.7"), shown(None)
    ('0.7', 'granite', '"0.7"', '(unset)')
    """
    if value is None:
        return UNSET
    if isinstance(value, str):
        return _cut(value, 0, limit)
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def transition(before: Any, after: Any) -> str:
    """A value before and after; two long texts are cut so that their difference shows.

    >>> transition(0.7, 0.9)
    '0.7 -> 0.9'
    """
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LIMIT:
        same = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), 0)
        start = max(0, same - _LEAD)
        return f"{_cut(before, start, LIMIT)} -> {_cut(after, start, LIMIT)}"
    return f"{shown(before)} -> {shown(after)}"


def presentable(change: FieldChange) -> FieldChange:
    """A changed field as it may be shown: either side may come from a row that a key was pasted into."""
    path, before, after = change
    return FieldChange(path, shareable(path, before), shareable(path, after))


def field_line(change: FieldChange) -> str:
    """One changed field: `temperature: 0.7 -> 0.9`."""
    path, before, after = presentable(change)
    return f"{printable(path)}: {transition(before, after)}"


def field_value(change: FieldChange) -> str:
    """One field of something new: `temperature: 0.9`."""
    return f"{printable(change.path)}: {shown(presentable(change).after)}"


def _cut(text: str, start: int, limit: int) -> str:
    if len(text) <= limit:
        return _quoted(text)
    part = ("…" if start else "") + text[start : start + limit] + ("…" if start + limit < len(text) else "")
    return f"{_quoted(part)} ({len(text):,} characters)"


def _quoted(text: str) -> str:
    return text if _BARE.fullmatch(text) else printable(json.dumps(text, ensure_ascii=False))
