"""Cohere's requests, version 2: chat, embeddings, and the ranking of documents. Answers name no model."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.formats import messages, typed
from reconciler.protocols.shapes.places import found_at, is_vector, joined_texts, text_at

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


def compose_embedding(work: Work) -> Call:
    """A text to embed as one that is searched for, unless the file passes on another use."""
    body = {"input_type": "search_query", "embedding_types": ["float"], **work.wired.extra}
    return call(work, {**body, "model": work.model_id, "texts": [work.prompt.user]})


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first embedding, of whichever type."""
    del endpoint
    types = found_at(answer.document, "embeddings")
    if not isinstance(types, Mapping):
        return None
    if not any(is_vector(found_at(vectors, "0")) for vectors in types.values()):
        return None
    return Reply(input_tokens=count_at(answer.document, "meta.billed_units.input_tokens"))


def compose_ranking(work: Work) -> Call:
    """A query, with itself for the only document."""
    asked = {"model": work.model_id, "query": work.prompt.user, "documents": [work.prompt.user]}
    return call(work, {**work.wired.extra, **asked})


def read_ranking(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A score for the document."""
    del endpoint
    score = found_at(answer.document, "results.0.relevance_score")
    return Reply() if isinstance(score, int | float) else None


CHAT = Shape(compose, read)
EMBED = Shape(compose_embedding, read_embedding)
RERANK = Shape(compose_ranking, read_ranking)
SHAPES = {"chat": CHAT, "completion": CHAT, "embedding": EMBED, "rerank": RERANK}
