"""The input of a benchmark: a directory of the file format, as large as is asked for and always the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MODELS_A_FILE = 40


def write(directory: Path, models: int) -> int:
    """Write so many models, one provider and 40 models a file; return how many files there are.

    Each model has an inline set of six parameters of its own, which its kind takes: nothing is warned of.
    """
    directory.mkdir(parents=True, exist_ok=True)
    starts = range(0, models, MODELS_A_FILE)
    for number, first in enumerate(starts, start=1):
        lines = _provider(number, range(first, min(first + MODELS_A_FILE, models)))
        (directory / f"provider-{number:05d}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(starts)


def _provider(number: int, models: range) -> Iterator[str]:
    name = f"provider-{number:05d}"
    yield "version: 1"
    yield "providers:"
    yield f"  {name}:"
    yield "    kind: openai-compatible"
    yield f"    base_url: https://{name}.example/v1"
    yield "    models:"
    for model in models:
        yield from _model(model)


def _model(number: int) -> Iterator[str]:
    yield f"      family-{number % 7}/model-{number:07d}:"
    yield "        parameters:"
    yield f"          max_new_tokens: {256 + number % 3840}"
    yield f"          temperature: {number % 200 / 100}"
    yield f"          top_p: {(number % 99 + 1) / 100}"
    yield f"          frequency_penalty: {number % 21 / 10}"
    yield f"          presence_penalty: {number % 19 / 10}"
    yield f"          seed: {number}"
