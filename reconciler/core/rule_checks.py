"""The rules of kinds, asked about many sets: most hold plain numbers within their ranges, and what many
models share is asked once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core import rules
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.state import Spec

# Fields of a set that describe it, and say nothing to a provider.
_SILENT = frozenset({"description", "use_case", "labels", "unsupported", "extra"})


class RuleChecks:
    """Remembers what kinds have said, of one run's sets; see `rules.check`.

    >>> kind = ProviderKind("acme", "openai", parameters={"top_p": rules.ParameterRule(maximum=1.0)})
    >>> checks = RuleChecks()
    >>> [found.code for found in checks.found(kind, "m", "chat", {"top_p": 2.0}, name="bold")]
    ['out-of-range']
    """

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, bool], Mapping[str, tuple[float, float]]] = {}
        self._found: dict[tuple[Any, ...], tuple[rules.Finding, ...]] = {}

    def found(
        self, kind: ProviderKind, model_id: str, mode: str, values: Spec, *, name: str | None
    ) -> tuple[rules.Finding, ...]:
        """What a kind has against a resolved set on one of its models.

        Args:
            kind: The kind.
            model_id: The model, as its provider spells it.
            mode: The model's mode.
            values: The resolved set.
            name: The set's name, where several models may share it.
        """
        known = (kind.name, kind.built_in)
        ranges = self._ranges.get(known)
        if ranges is None:
            ranges = self._ranges[known] = rules.plain_ranges(kind)
        if _is_plain(values, ranges):
            return ()
        if name is None:
            return rules.check(kind, model_id=model_id, mode=mode, parameters=values)
        variant = rules.variant_of(kind, model_id, mode)
        # Not by its name: two variants of a user's kind may have the same.
        key = (*known, kind.variants.index(variant) if variant else None, mode, name)
        if key not in self._found:
            self._found[key] = rules.check(kind, model_id=model_id, mode=mode, parameters=values)
        return self._found[key]


def _is_plain(values: Spec, ranges: Mapping[str, tuple[float, float]]) -> bool:
    """Whether a set holds numbers within ranges and nothing else, as nearly all do."""
    for name, value in values.items():
        if name not in ranges:
            if name in _SILENT:
                continue
            return False
        least, greatest = ranges[name]
        if value.__class__ is not float and value.__class__ is not int:
            return False
        if not least <= value <= greatest:
            return False
    return True
