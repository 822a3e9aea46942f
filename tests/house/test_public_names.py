"""What others may import, pinned: a name is added on purpose and never lost by accident."""

import importlib
import subprocess
import sys
from importlib import resources

from support import checkout

import reconciler
import reconciler.errors

ERRORS = {
    "ProviderConfigError": ("error", 1),
    "UsageError": ("usage", 1),
    "SourceError": ("invalid-source", 1),
    "StoreUnavailableError": ("database-unavailable", 1),
    "SchemaError": ("database-schema", 1),
    "EmbeddedServerError": ("embedded-server", 1),
    "RefusedError": ("refused", 3),
    "ConflictError": ("conflict", 3),
    "NotFoundError": ("not-found", 1),
    "RegistrationError": ("registration", 1),
    "OwnershipError": ("managed-by-files", 3),
    "ParameterValidationError": ("invalid-parameters", 1),
    "StatusError": ("status", 1),
    "VerificationError": ("not-verified", 5),
    "GenerationError": ("generation", 1),
    "LockHeldError": ("locked", 4),
}
PUBLIC = [
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


def test_the_front_door_offers_these_names():
    assert sorted(getattr(reconciler, "__all__", [])) == sorted(PUBLIC)


def test_importing_the_front_door_loads_nothing_else():
    listed = "import sys, reconciler; print(*(name for name in sys.modules if name.startswith('reconciler')))"
    asked = subprocess.run(
        [sys.executable, "-c", listed], cwd=checkout.ROOT, capture_output=True, text=True, check=True
    )
    assert asked.stdout.split() == ["reconciler"]


def test_the_errors_have_these_codes_and_exit_statuses():
    members = vars(reconciler.errors).values()
    errors = [one for one in members if isinstance(one, type) and issubclass(one, Exception)]
    assert {error.__name__: (error.code, error.exit_status) for error in errors} == ERRORS


def test_the_error_tree_in_the_documentation_names_every_error():
    drawn = reconciler.errors.__doc__ or ""
    assert [name for name in ERRORS if name not in drawn] == []


def test_the_package_says_that_it_is_typed():
    assert resources.files("reconciler").joinpath("py.typed").is_file()


def test_every_module_can_be_imported_alone():
    names = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in checkout.modules()
    ]
    imported = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    assert len(imported) >= len(names) - 1
