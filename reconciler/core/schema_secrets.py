"""What the keys of known vendors look like, so that one that stands in a file is refused, never repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

# Each is long enough to be a real key, so that prose and model ids do not match.
_SHAPES = (
    r"sk-[A-Za-z0-9_-]{20,}",
    r"sk_(?:live|test)_[A-Za-z0-9]{16,}",
    r"csk-[A-Za-z0-9]{20,}",
    r"gsk_[A-Za-z0-9]{20,}",
    r"hf_[A-Za-z0-9]{20,}",
    r"r8_[A-Za-z0-9]{30,}",
    r"fw_[A-Za-z0-9]{20,}",
    r"nvapi-[A-Za-z0-9_-]{20,}",
    r"xai-[A-Za-z0-9]{20,}",
    r"pplx-[A-Za-z0-9]{20,}",
    r"tgp_v1_[A-Za-z0-9_-]{20,}",
    r"A(?:KIA|SIA)[0-9A-Z]{16}",
    r"ABSK[A-Za-z0-9+/]{40,}",
    r"AIza[0-9A-Za-z_-]{30,}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{30,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"xox[abprs]-[A-Za-z0-9-]{20,}",
    r"eyJ[A-Za-z0-9_-]{10,300}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"[Bb]earer [A-Za-z0-9._~+/-]{20,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
)
# The same syntax for Python and for JSON Schema.
KEY_PATTERN = "(?<![A-Za-z0-9])(?:" + "|".join(_SHAPES) + ")"
_KEY = re.compile(KEY_PATTERN)
MASK = "***"

# Every shape holds one of these: a text without them needs no closer look.
_SIGNS = (
    *(
        "sk-",
        "sk_",
        "hf_",
        "r8_",
        "fw_",
        "nvapi-",
        "xai-",
        "pplx-",
        "tgp_",
        "KIA",
        "SIA",
        "ABSK",
        "AIza",
        "ya29.",
    ),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "eyJ", "earer ", "-----BEGIN"),
)


def holds_key(text: str) -> bool:
    """Whether a text holds something that has the shape of a known vendor's key.

    >>> holds_key("AKIA" + "X" * 16), holds_key("gpt-4o")
    (True, False)
    """
    return _KEY.search(text) is not None


def may_hold_key(text: str) -> bool:
    """Whether a long text is worth a closer look: quick, and never wrong when it says no."""
    return any(sign in text for sign in _SIGNS)


def without_keys(text: str, mask: str = MASK) -> str:
    """The text with everything of a key's shape replaced.

    >>> without_keys("found AKIA" + "X" * 16)
    'found ***'
    """
    return _KEY.sub(mask, text) if may_hold_key(text) else text


_REFERENCE = re.compile(r"env:[A-Za-z0-9_]+|file:/.*", re.DOTALL)


def shareable(name: str, value: Any) -> Any:
    """A field's value as it may be shown: a person may have pasted a key into the row that it comes from.

    Under `credentials` only references are shown, elsewhere all but what has the shape of a key.

    >>> shareable("credentials.api_key", "hunter2"), shareable("credentials", {"api_key": "env:A_API_KEY"})
    ('***', {'api_key': 'env:A_API_KEY'})
    """
    if name.startswith("credentials"):
        return _each(value, _reference_only) if value != "none" else value
    return _each(value, without_keys)


def shareable_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Several fields as they may be shown."""
    return {name: shareable(name, value) for name, value in fields.items()}


def is_shareable(name: str, value: Any) -> bool:
    """Whether a field's value may be shown as it is.

    >>> is_shareable("credentials", {"api_key": "hunter2"}), is_shareable("temperature", 0.7)
    (False, True)
    """
    return bool(shareable(name, value) == _each(value, str))


def _reference_only(text: str) -> str:
    return text if _REFERENCE.fullmatch(text) else MASK


def _each(value: Any, shown: Callable[[str], str]) -> Any:
    match value:
        case str():
            return shown(value)
        case Mapping():
            return {name: _each(inner, shown) for name, inner in value.items()}
        case list() | tuple():
            return [_each(inner, shown) for inner in value]
        case _:
            return value
