"""Bedrock's requests: Converse, which is one for all families, and the embedding requests of those families
that are known. The path names the model, and answers name none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.places import found_at, is_vector, joined_texts, text_at

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


def compose_embedding(work: Work) -> Call:
    """A text to embed, in the words of the model's family."""
    extra, asked = work.wired.extra, work.prompt.user
    if embedding_family(work.model_id) == "cohere":
        body = {"input_type": "search_query", **extra, "texts": [asked]}
    else:
        body = {**extra, "inputText": asked}
    return call(work, body)


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The embedding, wherever the family puts it."""
    del endpoint
    document = answer.document
    places = ("embedding", "embeddings.0", "embeddings.float.0")
    if not any(is_vector(found_at(document, place)) for place in places):
        return None
    return Reply(input_tokens=count_at(document, "inputTextTokenCount"))


CONVERSE = Shape(compose, read)
EMBED = Shape(compose_embedding, read_embedding)
SHAPES = {"chat": CONVERSE, "completion": CONVERSE, "embedding": EMBED}
