"""Bedrock's requests: Converse, which is one for all families, and the embedding requests of those families
that are known. The path names the model, and answers name none. Streams are those of ConverseStream in AWS's
API reference: binary messages, of which `metadata` is the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.places import found_at, is_vector, joined_texts, text_at
from reconciler.protocols.shapes.streams import at_another_path

Family = Literal["titan", "cohere"]

WIRES = {
    "max_new_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "stop_sequences": "inferenceConfig.stopSequences",
}
# What stands before a family's name is a region, or the beginning of an ARN.
_FAMILIES: tuple[tuple[Family, re.Pattern[str]], ...] = (
    ("titan", re.compile(r"(^|[./])amazon\.titan-embed-")),
    ("cohere", re.compile(r"(^|[./])cohere\.embed-")),
)


def embedding_family(model_id: str) -> Family | None:
    """Whose words an embedding model understands; `None` where that is not known.

    >>> embedding_family("amazon.titan-embed-text-v2:0"), embedding_family("acme.embed-1")
    ('titan', None)
    """
    found = (family for family, pattern in _FAMILIES if pattern.search(model_id.lower()))
    return next(found, None)


def compose(work: Work) -> Call:
    """A conversation of one message."""
    said = [{"role": "user", "content": [{"text": work.prompt.user}]}]
    body: dict[str, Any] = {**work.wired.fields, "messages": said}
    if work.prompt.system:
        body["system"] = [{"text": work.prompt.system}]
    return call(work, body)


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The answering message."""
    del endpoint
    document = answer.document
    message = found_at(document, "output.message")
    if not isinstance(message, Mapping):
        return None
    return Reply(
        text=joined_texts(message.get("content")),
        finish_reason=text_at(document, "stopReason"),
        input_tokens=count_at(document, "usage.inputTokens"),
        output_tokens=count_at(document, "usage.outputTokens"),
    )


def ask(call: Call, work: Work) -> Call | None:
    """The same conversation at the path for answers that come bit by bit."""
    del work
    there = at_another_path(call, "/converse", "/converse-stream")
    return there and there._replace(headers={**there.headers, "Accept": "application/vnd.amazon.eventstream"})


def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A message of the stream; what it thinks is no text of it."""
    del endpoint
    document = event.document
    match event.name:
        case "contentBlockDelta":
            return Piece(text_at(document, "delta.text") or "")
        case "messageStop":
            return Piece(finish_reason=text_at(document, "stopReason"))
        case "metadata":
            counts = count_at(document, "usage.inputTokens"), count_at(document, "usage.outputTokens")
            return Piece(input_tokens=counts[0], output_tokens=counts[1])
        case "":
            return None
        case _:
            return Piece()


def is_last(event: Event) -> bool:
    """Whether nothing comes after a message."""
    return event.name == "metadata"


def compose_embedding(work: Work) -> Call:
    """Texts to embed, in the words of the model's family; Titan takes one."""
    extra = work.wired.extra
    if embedding_family(work.model_id) == "cohere":
        body = {"input_type": "search_query", **extra, "texts": list(work.texts)}
    else:
        body = {**extra, "inputText": work.texts[0]}
    return call(work, body)


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The embeddings, wherever the family puts them."""
    del endpoint
    document = answer.document
    one = found_at(document, "embedding")
    found = ([one], found_at(document, "embeddings"), found_at(document, "embeddings.float"))
    vectors = next((some for some in found if is_vector(found_at(some, "0"))), None)
    if vectors is None:
        return None
    return Reply(input_tokens=count_at(document, "inputTextTokenCount"), values=vectors)


CONVERSE = Shape(compose, read, Streaming("aws", ask, read_event, is_last))
EMBED = Shape(compose_embedding, read_embedding)
SHAPES = {"chat": CONVERSE, "completion": CONVERSE, "embedding": EMBED}
