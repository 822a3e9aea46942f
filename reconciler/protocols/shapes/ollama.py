"""Ollama's own requests: options below one field. Streams are documents, one a line, as its API document
says: the last one is `done` and tells the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.formats import format_of, messages
from reconciler.protocols.shapes.places import found_at, is_vector, model_in, text_at
from reconciler.protocols.shapes.streams import ask_plainly

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
    """Texts to embed."""
    return _call(work, {**work.wired.extra, "input": work.text_or_texts})


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The answering message."""
    return _told(answer, endpoint, "message.content")


def read_completion(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The text that was gone on with."""
    return _told(answer, endpoint, "response")


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The embeddings."""
    document = answer.document
    if not is_vector(found_at(document, "embeddings.0")):
        return None
    tokens = count_at(document, "prompt_eval_count")
    return Reply(model=model_in(document, endpoint), input_tokens=tokens, values=document["embeddings"])


def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A line of a chat."""
    return _piece(event, endpoint, "message.content")


def read_completion_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A line of a text."""
    return _piece(event, endpoint, "response")


def is_last(event: Event) -> bool:
    """Whether a line is the last one."""
    return found_at(event.document, "done") is True


def _piece(event: Event, endpoint: Endpoint, place: str) -> Piece | None:
    document = event.document
    if not isinstance(document, Mapping):
        return None
    return Piece(
        text_at(document, place) or "",
        model_in(document, endpoint),
        text_at(document, "done_reason"),
        count_at(document, "prompt_eval_count"),
        count_at(document, "eval_count"),
    )


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


CHAT = Shape(compose, read, Streaming("lines", ask_plainly, read_event, is_last))
GENERATE = Shape(
    compose_completion, read_completion, Streaming("lines", ask_plainly, read_completion_event, is_last)
)
EMBED = Shape(compose_embedding, read_embedding)
SHAPES = {"chat": CHAT, "completion": GENERATE, "embedding": EMBED}
