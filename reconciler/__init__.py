"""A declarative GitOps reconciler for LLM provider configuration.

This is what programs import; every name is loaded when it is first asked for, and the import itself loads
nothing. Classes of the ORM besides these stand in `reconciler.store.tables`.

>>> from reconciler import LLMParametersCreate
>>> LLMParametersCreate(name="precise", temperature=0.0).temperature
0.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.core.requests import (
        LLMParametersCreate,
        LLMParametersUpdate,
        OverrideValues,
        PromptTemplateCreate,
        PromptTemplateUpdate,
        ProviderCreate,
        ProviderModelConfigBase,
        ProviderModelConfigCreate,
        ProviderModelConfigUpdate,
        ProviderUpdate,
    )
    from reconciler.errors import (
        ConflictError,
        EmbeddedServerError,
        GenerationError,
        LockHeldError,
        NotFoundError,
        OwnershipError,
        ParameterValidationError,
        ProviderConfigError,
        RefusedError,
        RegistrationError,
        SchemaError,
        SourceError,
        StatusError,
        StoreUnavailableError,
        UsageError,
        VerificationError,
    )
    from reconciler.protocols.generation import (
        Piece,
        Reply,
    )
    from reconciler.runtime.async_reader import AsyncProviderConfigReader
    from reconciler.runtime.factory import ProviderFactory
    from reconciler.runtime.generation import Generation
    from reconciler.runtime.generator import Generator
    from reconciler.runtime.provider_config import ProviderConfigService
    from reconciler.runtime.providers import (
        AnthropicProvider,
        AzureOpenAIProvider,
        BedrockProvider,
        CohereProvider,
        GeminiProvider,
        LLMProvider,
        OllamaProvider,
        OpenAIProvider,
        VertexProvider,
        WatsonxProvider,
    )
    from reconciler.runtime.registry import Registry
    from reconciler.runtime.responses import (
        LLMParametersResponse,
        OverrideResponse,
        PromptTemplateResponse,
        ProviderModelConfigResponse,
        ProviderRegistryResponse,
        ProviderResponse,
    )
    from reconciler.runtime.streams import (
        AsyncStream,
        Stream,
    )
    from reconciler.runtime.usage import UsageResponse
    from reconciler.settings import Settings
    from reconciler.store.tables import (
        Base,
        LLMParameters,
        PromptTemplate,
        ProviderModelConfig,
    )
    from reconciler.wiring.opening import (
        open_reader,
        open_registry,
        open_service,
    )

    __version__: str

# Which module holds a name.
_PLACES = {
    "reconciler.wiring.opening": (
        "open_reader",
        "open_registry",
        "open_service",
    ),
    "reconciler.runtime.provider_config": ("ProviderConfigService",),
    "reconciler.runtime.async_reader": ("AsyncProviderConfigReader",),
    "reconciler.runtime.registry": ("Registry",),
    "reconciler.runtime.generator": ("Generator",),
    "reconciler.runtime.generation": ("Generation",),
    "reconciler.runtime.factory": ("ProviderFactory",),
    "reconciler.runtime.providers": (
        "AnthropicProvider",
        "AzureOpenAIProvider",
        "BedrockProvider",
        "CohereProvider",
        "GeminiProvider",
        "LLMProvider",
        "OllamaProvider",
        "OpenAIProvider",
        "VertexProvider",
        "WatsonxProvider",
    ),
    "reconciler.runtime.responses": (
        "LLMParametersResponse",
        "OverrideResponse",
        "PromptTemplateResponse",
        "ProviderModelConfigResponse",
        "ProviderRegistryResponse",
        "ProviderResponse",
    ),
    "reconciler.core.requests": (
        "LLMParametersCreate",
        "LLMParametersUpdate",
        "OverrideValues",
        "PromptTemplateCreate",
        "PromptTemplateUpdate",
        "ProviderCreate",
        "ProviderModelConfigBase",
        "ProviderModelConfigCreate",
        "ProviderModelConfigUpdate",
        "ProviderUpdate",
    ),
    "reconciler.store.tables": (
        "Base",
        "LLMParameters",
        "PromptTemplate",
        "ProviderModelConfig",
    ),
    "reconciler.settings": ("Settings",),
    "reconciler.errors": (
        "ConflictError",
        "EmbeddedServerError",
        "GenerationError",
        "LockHeldError",
        "NotFoundError",
        "OwnershipError",
        "ParameterValidationError",
        "ProviderConfigError",
        "RefusedError",
        "RegistrationError",
        "SchemaError",
        "SourceError",
        "StatusError",
        "StoreUnavailableError",
        "UsageError",
        "VerificationError",
    ),
    "reconciler.runtime.usage": ("UsageResponse",),
    "reconciler.runtime.streams": (
        "AsyncStream",
        "Stream",
    ),
    "reconciler.protocols.generation": (
        "Piece",
        "Reply",
    ),
}

__all__ = [
    "AnthropicProvider",
    "AsyncProviderConfigReader",
    "AsyncStream",
    "AzureOpenAIProvider",
    "Base",
    "BedrockProvider",
    "CohereProvider",
    "ConflictError",
    "EmbeddedServerError",
    "GeminiProvider",
    "Generation",
    "GenerationError",
    "Generator",
    "LLMParameters",
    "LLMParametersCreate",
    "LLMParametersResponse",
    "LLMParametersUpdate",
    "LLMProvider",
    "LockHeldError",
    "NotFoundError",
    "OllamaProvider",
    "OpenAIProvider",
    "OverrideResponse",
    "OverrideValues",
    "OwnershipError",
    "ParameterValidationError",
    "Piece",
    "PromptTemplate",
    "PromptTemplateCreate",
    "PromptTemplateResponse",
    "PromptTemplateUpdate",
    "ProviderConfigError",
    "ProviderConfigService",
    "ProviderCreate",
    "ProviderFactory",
    "ProviderModelConfig",
    "ProviderModelConfigBase",
    "ProviderModelConfigCreate",
    "ProviderModelConfigResponse",
    "ProviderModelConfigUpdate",
    "ProviderRegistryResponse",
    "ProviderResponse",
    "ProviderUpdate",
    "RefusedError",
    "RegistrationError",
    "Registry",
    "Reply",
    "SchemaError",
    "Settings",
    "SourceError",
    "StatusError",
    "StoreUnavailableError",
    "Stream",
    "UsageError",
    "UsageResponse",
    "VerificationError",
    "VertexProvider",
    "WatsonxProvider",
    "__version__",
    "open_reader",
    "open_registry",
    "open_service",
]


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # else every name that is misspelt would have a type

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            found = version("llm-reconciler")
        else:
            from importlib import import_module

            place = next((module for module, names in _PLACES.items() if name in names), None)
            if place is None:
                raise AttributeError(f"module 'reconciler' has no attribute {name!r}")
            found = getattr(import_module(place), name)
        globals()[name] = found
        return found
