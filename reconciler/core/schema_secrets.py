"""What the keys of known vendors look like, so that one that stands in a file is refused, never repeated."""

from __future__ import annotations

import re

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


def without_keys(text: str) -> str:
    """The text with everything of a key's shape replaced.

    >>> without_keys("found AKIA" + "X" * 16)
    'found ***'
    """
    return _KEY.sub("***", text) if may_hold_key(text) else text
