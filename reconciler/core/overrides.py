"""Overrides: values that a person holds away from the stored ones for a time. They are
joined in where models are read, never written into their rows, so nothing has to be done when one ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.core.address import Address


@dataclass(frozen=True, slots=True)
class LiveOverride:
    """One override.

    Attributes:
        id: Its row; of several for one model the highest counts.
        address: The model.
        fields: What is held: `is_active`, `parameters` (values by name, `None` for one that is taken away),
            `prompt_template` (a name, or `None` for none). A field that is absent is not held.
        reason: Why, as a person gave it.
        actor: Who, as the caller claimed.
        starts_at: From when.
        ends_at: Until when.
    """

    id: int
    address: Address
    fields: Mapping[str, Any]
    reason: str
    actor: str | None
    starts_at: datetime
    ends_at: datetime

    def counts_at(self, now: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= now < self.ends_at


def parameters_under(values: Mapping[str, Any], override: LiveOverride | None) -> dict[str, Any]:
    """The parameters of a model while an override holds: its values over those of the set, `None` for none.

    >>> parameters_under({"temperature": 0.7, "top_k": 5}, None)
    {'temperature': 0.7, 'top_k': 5}
    """
    held = {} if override is None else override.fields.get("parameters") or {}
    return {name: value for name, value in {**values, **held}.items() if value is not None}
