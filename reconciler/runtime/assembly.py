"""Answers put together of rows: the one place that knows which column becomes which field. An assembly lasts
for one answer, and what several of its models share is made once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.core.address import Address, model_address
from reconciler.core.outcome import OUTCOMES
from reconciler.core.overrides import LiveOverride, parameters_under
from reconciler.core.schemas import DEFAULT_MODE, MODES, Limits
from reconciler.core.transitions import status_of
from reconciler.runtime import sound
from reconciler.runtime.responses import (
    LLMParametersResponse,
    OverrideResponse,
    PromptTemplateResponse,
    ProviderModelConfigResponse,
    ProviderResponse,
    trusted,
)
from reconciler.store.effective import PROVIDER_FROM, SET_FIELDS, SET_FROM, TEMPLATE_FIELDS, TEMPLATE_FROM
from reconciler.store.entities import PROVIDER_FIELDS
from reconciler.store.fetching import EARLIEST, LATEST, Row, moment

_MODES = frozenset(MODES)
_OUTCOMES = frozenset(OUTCOMES)
# A model whose provider nobody registered.
_NOBODY = (True, "", None, None, None)

# An override as the database puts it together, and the template that it names.
_Held = tuple[LiveOverride | None, Sequence[Any] | None]


class Assembly:
    """Makes answers of rows.

    Args:
        at: The moment whose overrides count; by default when the rows were read.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at
        self._sets: dict[int, LLMParametersResponse] = {}
        self._templates: dict[int, PromptTemplateResponse] = {}
        self._providers: dict[str, tuple[Any, ...]] = {}
        self._limits: dict[str, Limits | None] = {}

    def model(self, row: Row) -> ProviderModelConfigResponse:
        """A model as it is now: its own row with its provider's, its set's, its template's and overrides'."""
        row_id, provider, model_id, is_active, hold, mode, version, limits, capabilities, labels = row[:10]
        last_verified, parameters_id, template_id, created_at, updated_at = row[10:15]
        status, outcome, detail, owner, held = row[15:PROVIDER_FROM]
        provider_active, kind, kind_spec, base_url, credentials = self._provider(provider, row)
        parameters = self._set(parameters_id, row)
        template = None if template_id is None else self._template(template_id, row)
        override, named = (None, None) if held is None else self._counting(provider, model_id, held)
        if override is not None:
            is_active = override.fields.get("is_active", is_active)
            parameters, template = _overridden(parameters, template, override, named)
        return trusted(
            ProviderModelConfigResponse,
            {
                "provider_name": provider,
                "model_id": model_id,
                "mode": mode if mode in _MODES else DEFAULT_MODE,
                "version": version,
                "limits": None if limits is None else self._limit(limits),
                "capabilities": None if capabilities is None else sound.words(capabilities),
                "labels": {} if labels is None else sound.labels(labels),
                "id": row_id,
                "is_active": is_active and provider_active,
                "hold": hold,
                "kind": kind,
                "kind_spec": kind_spec,
                "base_url": base_url,
                "credentials": credentials,
                "parameters_id": parameters_id,
                "parameters": parameters,
                "prompt_template_id": None if template is None else template.id,
                "prompt_template": template,
                "verification_status": status_of(status, hold),
                "verification_outcome": outcome if outcome in _OUTCOMES else None,
                "verification_detail": detail or "",
                "last_verified": last_verified,
                "managed_by": owner,
                "override": None if override is None else _told(override),
                "created_at": created_at,
                "updated_at": updated_at,
                "notices": (),
            },
        )

    def _provider(self, name: str, row: Row) -> tuple[Any, ...]:
        known = self._providers.get(name)
        if known is None:
            active, kind, kind_spec, base_url, credentials = row[PROVIDER_FROM:SET_FROM]
            known = _NOBODY
            if kind is not None:
                known = (active, kind, sound.mapping(kind_spec), base_url, sound.credentials(credentials))
            self._providers[name] = known
        return known

    def _set(self, row_id: int, row: Row) -> LLMParametersResponse:
        known = self._sets.get(row_id)
        if known is None:
            known = self._sets[row_id] = parameters(row[SET_FROM:TEMPLATE_FROM])
        return known

    def _template(self, row_id: int, row: Row) -> PromptTemplateResponse:
        known = self._templates.get(row_id)
        if known is None:
            known = self._templates[row_id] = template(row[TEMPLATE_FROM:])
        return known

    def _limit(self, text: str) -> Limits | None:
        if text not in self._limits:
            self._limits[text] = sound.limits(text)
        return self._limits[text]

    def _counting(self, provider: str, model_id: str, held: str) -> _Held:
        """The override that counts now, the newest where there are several."""
        address = model_address(provider, model_id)
        for *parts, is_live, named in sound.parsed(held) or ():
            override = _override(address, parts)
            if is_live if self._at is None else override.counts_at(self._at):
                return override, named
        return None, None


def _override(address: Address, parts: Sequence[Any]) -> LiveOverride:
    row_id, fields, reason, actor, starts_at, ends_at = parts
    return LiveOverride(
        row_id,
        address,
        sound.override_fields(fields),
        reason,
        actor,
        moment(starts_at) or EARLIEST,
        moment(ends_at) or LATEST,
    )


def _told(override: LiveOverride) -> OverrideResponse:
    return trusted(
        OverrideResponse,
        {
            "id": override.id,
            "address": str(override.address),
            "fields": override.fields,
            "reason": override.reason,
            "actor": override.actor,
            "starts_at": override.starts_at,
            "ends_at": override.ends_at,
        },
    )


def _overridden(
    parameters: LLMParametersResponse,
    template: PromptTemplateResponse | None,
    override: LiveOverride,
    named: Sequence[Any] | None,
) -> tuple[LLMParametersResponse, PromptTemplateResponse | None]:
    if "parameters" in override.fields:
        parameters = _with_values(parameters, parameters_under(parameters.values, override))
    if "prompt_template" in override.fields:
        template = None if named is None else _held_template(named)
    return parameters, template


def _with_values(stored: LLMParametersResponse, values: Mapping[str, Any]) -> LLMParametersResponse:
    fields = vars(stored).items()
    return trusted(
        LLMParametersResponse,
        {name: values.get(name) if name in sound.PARAMETERS else value for name, value in fields},
    )


def _held_template(named: Sequence[Any]) -> PromptTemplateResponse:
    """A template that came as JSON, whose times are texts."""
    *others, created_at, updated_at = named
    return template((*others, moment(created_at), moment(updated_at)))


def parameters(row: Sequence[Any], users: Sequence[str] = ()) -> LLMParametersResponse:
    """A parameter set, of the columns of its fields."""
    values = dict(zip(SET_FIELDS, row, strict=True))
    sound.repair(values)
    values["used_by"], values["notices"] = tuple(users), ()
    return trusted(LLMParametersResponse, values)


def template(row: Sequence[Any], users: Sequence[str] = ()) -> PromptTemplateResponse:
    """A template, of the columns of its fields."""
    values = dict(zip(TEMPLATE_FIELDS, row, strict=True))
    values["labels"] = sound.labels(values["labels"])
    values["used_by"], values["notices"] = tuple(users), ()
    return trusted(PromptTemplateResponse, values)


def provider(row: Sequence[Any]) -> ProviderResponse:
    """A provider, of the columns of its fields."""
    values = dict(zip(PROVIDER_FIELDS, row, strict=True))
    values["labels"] = sound.labels(values["labels"])
    values["credentials"] = sound.credentials(values["credentials"])
    values["protected"] = bool(values["protected"])
    for name in ("kind_spec", "verification"):
        values[name] = sound.mapping(values[name])
    return trusted(ProviderResponse, values)
