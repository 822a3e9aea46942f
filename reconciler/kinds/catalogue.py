"""The kinds that are ours: one YAML file each, beside this module, read when it is asked for."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from reconciler.core.provider_kind import ProviderKind
from reconciler.errors import UsageError
from reconciler.kinds import specs

_FOLDER = Path(__file__).parent
_SUFFIX = ".yaml"


@cache
def names() -> tuple[str, ...]:
    """The names of our kinds, sorted; taken from the files' names, none is read."""
    return tuple(sorted(path.stem for path in _FOLDER.iterdir() if path.suffix == _SUFFIX))


@cache
def digest() -> str:
    """sha256 over the files of all our kinds, hexadecimal."""
    found = hashlib.sha256()
    for name in names():
        found.update((_FOLDER / f"{name}{_SUFFIX}").read_bytes())
    return found.hexdigest()


@cache
def built_in(name: str) -> ProviderKind:
    """One of our kinds; the same value each time.

    Raises:
        UsageError: There is none of that name (`unknown-kind`).

    >>> built_in("ollama").default_credentials
    'none'
    """
    if name not in names():
        raise UsageError(f"'{name}' is not a provider kind.", code="unknown-kind", hint=_suggestion(name))
    import yaml

    from reconciler.kinds.documents import BuiltInKindDocument

    text = (_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    document = BuiltInKindDocument.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    return specs.from_built_in(name, document)


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    # People write azure_openai and OpenAI.
    close = get_close_matches(name.lower().replace("_", "-"), names(), n=1)
    return f"did you mean {close[0]}?" if close else f"the kinds are {', '.join(names())}"
