"""What a type checker is told of the public names. Nothing here runs: mypy reads it with the package, and an
`ignore` that is not needed is an error too, so that what must not be accepted stays refused.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, assert_type

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

import reconciler
from reconciler import (
    AsyncProviderConfigReader,
    AsyncStream,
    Generation,
    Generator,
    LLMParametersCreate,
    LLMParametersResponse,
    LLMProvider,
    OpenAIProvider,
    OverrideResponse,
    PromptTemplateResponse,
    ProviderConfigError,
    ProviderConfigService,
    ProviderFactory,
    ProviderModelConfigCreate,
    ProviderModelConfigResponse,
    ProviderRegistryResponse,
    ProviderResponse,
    Registry,
    Stream,
    UsageResponse,
    open_registry,
    open_service,
)

Config = ProviderModelConfigResponse


def ways_in(session: Session) -> None:
    assert_type(ProviderConfigService(session, actor="me"), ProviderConfigService)
    opened: AbstractContextManager[ProviderConfigService] = open_service("embedded")
    with opened as service:
        assert_type(service, ProviderConfigService)
    with open_registry(poll=0.5) as registry:
        assert_type(registry, Registry)
    ProviderConfigService("postgresql://localhost/llm")  # type: ignore[arg-type]
    open_service(1)  # type: ignore[arg-type]


def reading(service: ProviderConfigService, registry: Registry) -> None:
    found = service.get_provider_model("openai", "gpt-4o")
    assert_type(found, Config | None)
    assert_type(registry.get("openai", "gpt-4o"), Config | None)
    assert_type(service.list_providers(active_only=True, label="team=rag"), ProviderRegistryResponse)
    assert_type(list(service.list_providers()), list[Config])
    assert_type(service.list_providers().providers, tuple[Config, ...])
    assert_type(service.get_parameters("precise"), LLMParametersResponse | None)
    assert_type(service.get_prompt_template("rag"), PromptTemplateResponse | None)
    assert_type(service.get_provider("openai"), ProviderResponse | None)
    assert_type(service.list_overrides(), tuple[OverrideResponse, ...])
    assert_type(service.usage(), tuple[UsageResponse, ...])
    print(found.is_active)  # type: ignore[union-attr]
    if found is not None:
        assert_type(found.parameters, LLMParametersResponse)
        assert_type(found.parameters.temperature, float | None)
        assert_type(found.is_active, bool)
        assert_type(found.to_litellm(), dict[str, Any])
        assert_type(found.to_openai_kwargs(), dict[str, Any])
        print(found.is_actve)  # type: ignore[attr-defined]


def writing(service: ProviderConfigService) -> None:
    precise = LLMParametersCreate(name="precise", temperature=0.2)
    assert_type(service.register_provider_model("openai", "gpt-4o", precise, kind="openai"), Config)
    asked = [ProviderModelConfigCreate(provider_name="openai", model_id="gpt-4o")]
    assert_type(service.register_provider_models(asked, verify=False), tuple[Config, ...])
    assert_type(service.update_provider_model("openai", "gpt-4o", {"parameters_id": 1}), Config)
    assert_type(service.verify_provider_model("openai", "gpt-4o", probe="reach"), Config)
    held: Mapping[str, Any] = {"parameters": {"temperature": 0.0}}
    until = timedelta(hours=1)
    assert_type(
        service.override_provider_model("openai", "gpt-4o", held, until=until, reason="drift"), Config
    )
    service.register_provider_model("openai", "gpt-4o", kin="openai")  # type: ignore[call-arg]
    service.verify_provider_model("openai", "gpt-4o", probe="all")  # type: ignore[arg-type]
    service.override_provider_model("openai", "gpt-4o", held, until=until)  # type: ignore[call-arg]


async def reading_later(session: AsyncSession) -> None:
    reader = AsyncProviderConfigReader(session)
    assert_type(await reader.get_provider_model("openai", "gpt-4o"), Config | None)
    assert_type(await reader.list_providers(), ProviderRegistryResponse)


async def asking(service: ProviderConfigService, registry: Registry, config: Config) -> None:
    assert_type(Generator(registry), Generator)
    generator = Generator(service, timeout=30)
    answer = generator.generate("openai", "gpt-4o", "Where?", context="There.")
    assert_type(answer, Generation)
    assert_type(answer.output_tokens, int | None)
    assert_type(await generator.agenerate("openai", "gpt-4o", "Where?"), Generation)
    stream = generator.stream("openai", "gpt-4o", "Where?")
    assert_type(stream, Stream)
    assert_type(list(stream), list[str])
    pieces = generator.astream("openai", "gpt-4o", "Where?")
    assert_type(pieces, AsyncStream)
    assert_type([piece async for piece in pieces], list[str])
    assert_type(generator.embed("openai", "embedder", ["a"]), list[list[float]])
    assert_type(ProviderFactory(service).create_provider("openai", "gpt-4o"), LLMProvider)
    assert_type(OpenAIProvider(config).generate("Where?"), Generation)
    generator.generate("openai", "gpt-4o")  # type: ignore[call-arg]


def failing(error: ProviderConfigError) -> None:
    assert_type((error.code, error.provider, error.hint), tuple[str, str | None, str | None])
    print(reconciler.ProviderConfigServise)  # type: ignore[attr-defined]
