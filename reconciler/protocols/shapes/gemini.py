"""Google's requests: contents made of parts, and a `generationConfig` beside them. Gemini and Vertex AI share
the one that generates, and differ in how they embed. Streams are those of `streamGenerateContent` with
`alt=sse` in the API references of both: whole answers, each with a part of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
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
from reconciler.protocols.shapes.streams import at_another_path, never

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


def ask(call: Call, work: Work) -> Call | None:
    """The same request at the path for answers that come bit by bit, as events."""
    del work
    there = at_another_path(call, ":generateContent", ":streamGenerateContent")
    return there and there._replace(query={**there.query, "alt": "sse"})


def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A part of the first candidate; a question that is blocked has none."""
    document = event.document
    if not isinstance(document, Mapping):
        return None
    candidate = found_at(document, "candidates.0")
    return Piece(
        joined_texts(found_at(candidate, "content.parts")),
        model_in(document, endpoint, _MODEL),
        text_at(candidate, "finishReason") or text_at(document, "promptFeedback.blockReason"),
        count_at(document, "usageMetadata.promptTokenCount"),
        _answered_tokens(document),
    )


def compose_embedding(work: Work) -> Call:
    """A text to embed at Gemini; several have a path of their own."""
    if len(work.texts) == 1:
        return call(work, {**work.wired.extra, "content": _content(work.texts[0])})
    shared = {**work.wired.extra, "model": f"models/{work.model_id}"}
    requests = [{**shared, "content": _content(text)} for text in work.texts]
    single = call(work, {"requests": requests})
    return at_another_path(single, ":embedContent", ":batchEmbedContents") or single


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """Gemini's embeddings, which name no model."""
    document = answer.document
    several = found_at(document, "embeddings")
    found = several if isinstance(several, list) else [found_at(document, "embedding")]
    vectors = [found_at(one, "values") for one in found]
    if not vectors or not all(map(is_vector, vectors)):
        return None
    return Reply(model=model_in(document, endpoint, _MODEL), values=vectors)


def compose_prediction(work: Work) -> Call:
    """Texts to embed at Vertex AI, each a prediction there."""
    body = {**work.wired.extra, "instances": [{"content": text} for text in work.texts]}
    return call(work, body)


def read_prediction(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The predictions' embeddings."""
    predictions = found_at(answer.document, "predictions")
    found = [found_at(one, "embeddings") for one in predictions] if isinstance(predictions, list) else []
    vectors = [found_at(one, "values") for one in found]
    if not vectors or not all(map(is_vector, vectors)):
        return None
    counts = [count for one in found if (count := count_at(one, "statistics.token_count")) is not None]
    model = model_in(answer.document, endpoint, _MODEL)
    return Reply(model=model, input_tokens=sum(counts) if counts else None, values=vectors)


def _content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


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


GENERATE = Shape(compose, read, Streaming("sse", ask, read_event, never))
EMBED = Shape(compose_embedding, read_embedding)
PREDICT = Shape(compose_prediction, read_prediction)
SHAPES = {"chat": GENERATE, "completion": GENERATE, "embedding": EMBED}
SHAPES_OF_VERTEX = {
    "chat": GENERATE,
    "completion": GENERATE,
    "embedding": PREDICT,
    "anthropic": anthropic.MESSAGES_ON_VERTEX,
}
