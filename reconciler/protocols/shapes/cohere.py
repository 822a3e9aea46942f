"""Cohere's requests, version 2: chat, embeddings, and the ranking of documents. Answers name no model.
Streams are those of Cohere's API reference, "Chat with streaming" (version 2).
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.formats import messages, typed
from reconciler.protocols.shapes.places import found_at, is_vector, joined_texts, ranked, text_at
from reconciler.protocols.shapes.streams import ask_plainly

WIRES = {
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop_sequences": "stop_sequences",
    "seed": "seed",
    "logprobs": "logprobs",
    "response_format": "response_format",
}


def compose(work: Work) -> Call:
    """A chat; probabilities are told of the chosen words or not at all."""
    body = {**work.wired.fields, "model": work.model_id, "messages": messages(work.prompt), "stream": False}
    if "response_format" in body:
        body["response_format"] = typed(body["response_format"])
    if "logprobs" in body:
        body["logprobs"] = bool(body["logprobs"])
    return call(work, body)


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The answering message; what it thought is no text of it."""
    del endpoint
    document = answer.document
    message = found_at(document, "message")
    if not isinstance(message, Mapping):
        return None
    return Reply(
        text=joined_texts(message.get("content")),
        finish_reason=text_at(document, "finish_reason"),
        input_tokens=count_at(document, "usage.tokens.input_tokens", "usage.billed_units.input_tokens"),
        output_tokens=count_at(document, "usage.tokens.output_tokens", "usage.billed_units.output_tokens"),
    )


def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """An event; the last one says why it ended and what it cost."""
    del endpoint
    document = event.document
    match text_at(document, "type"):
        case "content-delta":
            return Piece(text_at(document, "delta.message.content.text") or "")
        case "message-end":
            usage = found_at(document, "delta.usage")
            return Piece(
                finish_reason=text_at(document, "delta.finish_reason"),
                input_tokens=count_at(usage, "tokens.input_tokens", "billed_units.input_tokens"),
                output_tokens=count_at(usage, "tokens.output_tokens", "billed_units.output_tokens"),
            )
        case None:
            return None
        case _:
            return Piece()


def is_last(event: Event) -> bool:
    """Whether a message has ended with this event."""
    return text_at(event.document, "type") == "message-end"


def compose_embedding(work: Work) -> Call:
    """Texts to embed as ones that are searched for, unless the file passes on another use."""
    body = {"input_type": "search_query", "embedding_types": ["float"], **work.wired.extra}
    return call(work, {**body, "model": work.model_id, "texts": list(work.texts)})


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The embeddings, of whichever type."""
    del endpoint
    types = found_at(answer.document, "embeddings")
    if not isinstance(types, Mapping):
        return None
    vectors = next((found for found in types.values() if is_vector(found_at(found, "0"))), None)
    if vectors is None:
        return None
    tokens = count_at(answer.document, "meta.billed_units.input_tokens")
    return Reply(input_tokens=tokens, values=vectors)


def compose_ranking(work: Work) -> Call:
    """A query and documents; itself for the only one where there are none."""
    asked = {"model": work.model_id, "query": work.prompt.user, "documents": list(work.texts)}
    return call(work, {**work.wired.extra, **asked})


def read_ranking(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A score for each document."""
    del endpoint
    results = found_at(answer.document, "results")
    is_scored = isinstance(found_at(results, "0.relevance_score"), int | float)
    return Reply(values=ranked(results)) if is_scored else None


CHAT = Shape(compose, read, Streaming("sse", ask_plainly, read_event, is_last))
EMBED = Shape(compose_embedding, read_embedding)
RERANK = Shape(compose_ranking, read_ranking)
SHAPES = {"chat": CHAT, "completion": CHAT, "embedding": EMBED, "rerank": RERANK}
