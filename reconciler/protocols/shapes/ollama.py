"""Ollama's own requests: options below one field, whole answers instead of streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.formats import format_of, messages
from reconciler.protocols.shapes.places import found_at, is_vector, model_in, text_at

WIRES = {
    "max_new_tokens": "options.num_predict",
    "temperature": "options.temperature",
    "top_p": "options.top_p",
    "top_k": "options.top_k",
    "repetition_penalty": "options.repeat_penalty",
    "frequency_penalty": "options.frequency_penalty",
    "presence_penalty": "options.presence_penalty",
    "stop_sequences": "options.stop",
    "seed": "options.seed",
    "reasoning_effort": "think",
    "response_format": "format",
}


def compose(work: Work) -> Call:
    """A chat."""
    return _call(work, {**_worded(work.wired.fields), "messages": messages(work.prompt), "stream": False})


def compose_completion(work: Work) -> Call:
    """One text to go on with."""
    body = {**_worded(work.wired.fields), "prompt": work.prompt.user, "stream": False}
    return _call(work, {**body, "system": work.prompt.system} if work.prompt.system else body)


def compose_embedding(work: Work) -> Call:
    """A text to embed."""
    return _call(work, {**work.wired.extra, "input": work.prompt.user})


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The answering message."""
    return _told(answer, endpoint, "message.content")


def read_completion(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The text that was gone on with."""
    return _told(answer, endpoint, "response")


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first embedding."""
    document = answer.document
    if not is_vector(found_at(document, "embeddings.0")):
        return None
    return Reply(model=model_in(document, endpoint), input_tokens=count_at(document, "prompt_eval_count"))


def _call(work: Work, body: Mapping[str, Any]) -> Call:
    return call(work, {**body, "model": work.model_id})


def _told(answer: Answer, endpoint: Endpoint, place: str) -> Reply | None:
    document = answer.document
    text = text_at(document, place)
    if text is None:
        return None
    return Reply(
        text,
        model_in(document, endpoint),
        text_at(document, "done_reason"),
        count_at(document, "prompt_eval_count"),
        count_at(document, "eval_count"),
    )


def _worded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields in Ollama's words for formats: JSON, or a schema; plain text has none."""
    worded = dict(fields)
    if "format" in worded:
        wanted = format_of(worded.pop("format"))
        if wanted.is_json:
            worded["format"] = "json" if wanted.schema is None else wanted.schema
    return worded


CHAT = Shape(compose, read)
GENERATE = Shape(compose_completion, read_completion)
EMBED = Shape(compose_embedding, read_embedding)
SHAPES = {"chat": CHAT, "completion": GENERATE, "embedding": EMBED}
