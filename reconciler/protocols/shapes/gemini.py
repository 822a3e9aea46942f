"""Google's requests: contents made of parts, and a `generationConfig` beside them. Gemini and Vertex AI share
the one that generates, and differ in how they embed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.shapes import anthropic
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.formats import format_of
from reconciler.protocols.shapes.places import (
    found_at,
    is_vector,
    joined_texts,
    model_in,
    text_at,
)

_CONFIG = "generationConfig"
_MODEL = "modelVersion"

# What is sent beside a parameter because of it.
_ADDED = {
    "generationConfig.responseSchema": "response_format",
    "generationConfig.responseLogprobs": "logprobs",
}

WIRES = {
    "max_new_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "presence_penalty": "generationConfig.presencePenalty",
    "stop_sequences": "generationConfig.stopSequences",
    "seed": "generationConfig.seed",
    "logprobs": "generationConfig.logprobs",
    "response_format": "generationConfig.responseMimeType",
    "reasoning_effort": "generationConfig.thinkingConfig.thinkingLevel",
}


def compose(work: Work) -> Call:
    """A request to generate; the path names the model."""
    body = {**work.wired.fields, "contents": [{"role": "user", "parts": [{"text": work.prompt.user}]}]}
    if work.prompt.system:
        body["systemInstruction"] = {"parts": [{"text": work.prompt.system}]}
    config = body.get(_CONFIG)
    if isinstance(config, Mapping):
        body[_CONFIG] = _worded(config)
    return call(work, body, renamed=_ADDED)


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first candidate; it has no parts where thinking took all room."""
    document = answer.document
    candidate = found_at(document, "candidates.0")
    if not isinstance(candidate, Mapping):
        return None
    return Reply(
        joined_texts(found_at(candidate, "content.parts")),
        model_in(document, endpoint, _MODEL),
        text_at(candidate, "finishReason"),
        count_at(document, "usageMetadata.promptTokenCount"),
        _answered_tokens(document),
    )


def compose_embedding(work: Work) -> Call:
    """A text to embed at Gemini."""
    body = {**work.wired.extra, "content": {"parts": [{"text": work.prompt.user}]}}
    return call(work, body)


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """Gemini's one embedding, which names no model."""
    document = answer.document
    if not is_vector(found_at(document, "embedding.values")):
        return None
    return Reply(model=model_in(document, endpoint, _MODEL))


def compose_prediction(work: Work) -> Call:
    """A text to embed at Vertex AI, which is a prediction there."""
    body = {**work.wired.extra, "instances": [{"content": work.prompt.user}]}
    return call(work, body)


def read_prediction(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first prediction's embedding."""
    found = found_at(answer.document, "predictions.0.embeddings")
    if not is_vector(found_at(found, "values")):
        return None
    tokens = count_at(found, "statistics.token_count")
    return Reply(model=model_in(answer.document, endpoint, _MODEL), input_tokens=tokens)


def _worded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in Google's words for formats, and with the switch that probabilities need."""
    worded = dict(config)
    if "responseMimeType" in worded:
        wanted = format_of(worded["responseMimeType"])
        worded["responseMimeType"] = "application/json" if wanted.is_json else "text/plain"
        if wanted.schema is not None:
            worded["responseSchema"] = wanted.schema
    if "logprobs" in worded:
        worded.setdefault("responseLogprobs", True)
    return worded


def _answered_tokens(document: Any) -> int | None:
    """Thinking is paid for as the answer is."""
    spoken = count_at(document, "usageMetadata.candidatesTokenCount")
    thought = count_at(document, "usageMetadata.thoughtsTokenCount")
    return None if spoken is None and thought is None else (spoken or 0) + (thought or 0)


GENERATE = Shape(compose, read)
EMBED = Shape(compose_embedding, read_embedding)
PREDICT = Shape(compose_prediction, read_prediction)
SHAPES = {"chat": GENERATE, "completion": GENERATE, "embedding": EMBED}
SHAPES_OF_VERTEX = {
    "chat": GENERATE,
    "completion": GENERATE,
    "embedding": PREDICT,
    "anthropic": anthropic.MESSAGES_ON_VERTEX,
}
