"""Rows of models as the store reads them, by the names of their places, and answers made of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.runtime import reading
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.store.effective import MODEL_FIELDS, SET_FIELDS, TEMPLATE_FIELDS
from reconciler.store.fetching import Row

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)

_MODEL = {
    "id": 1,
    "provider_name": "openai",
    "model_id": "gpt-4o",
    "is_active": True,
    "mode": "chat",
    "parameters_id": 1,
    "created_at": NOW,
    "updated_at": NOW,
    "provider_is_active": True,
    "kind": "openai",
}
_ENTITY = {"id": 1, "name": "base", "is_active": True, "created_at": NOW, "updated_at": NOW}


def set_row(**values: Any) -> Row:
    """The columns of a parameter set."""
    return tuple((_ENTITY | values).get(name) for name in SET_FIELDS)


def template_row(**values: Any) -> Row:
    """The columns of a template."""
    return tuple((_ENTITY | values).get(name) for name in TEMPLATE_FIELDS)


def row(*, parameters: Row | None = None, template: Row | None = None, **values: Any) -> Row:
    """A model's row: its own columns, by default active and of a registered provider, and what it uses."""
    if template is not None:
        values = {"prompt_template_id": template[TEMPLATE_FIELDS.index("id")], **values}
    own = tuple((_MODEL | values).get(name) for name in MODEL_FIELDS)
    return (*own, *(parameters or set_row()), *(template or (None,) * len(TEMPLATE_FIELDS)))


def override(
    number: int = 1,
    *,
    starts: datetime | str = NOW - HOUR,
    ends: datetime | str = NOW + HOUR,
    is_live: bool = True,
    template: Row | None = None,
    **fields: Any,
) -> list[Any]:
    """An override as the database puts it together."""
    times = (str(starts), str(ends))
    named = None if template is None else json.loads(json.dumps(template, default=str))
    return [number, json.dumps(fields), "an incident", "night shift", *times, is_live, named]


def held(*overrides: list[Any]) -> str:
    """The overrides of one model, the newest first."""
    return json.dumps(sorted(overrides, key=lambda one: -one[0]))


def answer(made: Row, *, at: datetime | None = None) -> ProviderModelConfigResponse:
    """The answer that is made of one row."""
    (found,) = reading.answers([made], at=at)
    return found
