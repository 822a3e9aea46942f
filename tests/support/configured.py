"""Configurations of models as a registry would answer them, and what stands in a registry's place where a
test needs none: a shelf of them, which a test may change between two calls.
"""

from __future__ import annotations

from typing import Any

from reconciler.runtime.responses import (
    LLMParametersResponse,
    PromptTemplateResponse,
    ProviderModelConfigResponse,
)
from reconciler.settings import Settings

TEMPLATE = {
    "system_prompt": "Be brief.",
    "context_prefix": "Context:",
    "query_prefix": "Question:",
    "answer_prefix": "Answer:",
}


def configured(
    model: str = "gpt-4o",
    *,
    provider: str = "openai",
    kind: str = "openai",
    parameters: dict[str, Any] | None = None,
    template: dict[str, Any] | None = None,
    **fields: Any,
) -> ProviderModelConfigResponse:
    """A model as it is stored."""
    stored = None if template is None else PromptTemplateResponse(id=1, name="words", **template)
    return ProviderModelConfigResponse(
        **{
            "id": 1,
            "provider_name": provider,
            "model_id": model,
            "is_active": True,
            "kind": kind,
            "parameters_id": 1,
            "parameters": LLMParametersResponse(id=1, name="values", **(parameters or {})),
            "prompt_template": stored,
            **fields,
        }
    )


class Shelf:
    """Configurations by provider and id; it counts how often it was asked."""

    def __init__(self, *configs: ProviderModelConfigResponse) -> None:
        self.asked = 0
        self._held = {(one.provider_name, one.model_id): one for one in configs}

    def put(self, config: ProviderModelConfigResponse) -> None:
        """Hold a configuration from now on."""
        self._held[config.provider_name, config.model_id] = config

    def get_provider_model(self, provider: str, model_id: str) -> ProviderModelConfigResponse | None:
        """What is held."""
        self.asked += 1
        return self._held.get((provider, model_id))


def trusting(*hosts: str, **more: Any) -> Settings:
    """What an operator has set who trusts some hosts."""
    return Settings(allowed_hosts=hosts, **more)
