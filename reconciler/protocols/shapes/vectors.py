"""Endpoints of OpenAI's protocol that judge texts with numbers: embeddings, reranking, moderation. They take
no generation parameters, so only what stands in `extra` is sent.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import value_at
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Work
from reconciler.protocols.shapes.answers import call, first_of, reply
from reconciler.protocols.shapes.places import ranked

_BYTES = 4


def embedding(work: Work) -> Call:
    """Texts to embed."""
    return call(work, {**work.wired.extra, "model": work.model_id, "input": work.text_or_texts})


def rerank(work: Work) -> Call:
    """Texts to rank, as vLLM, Together, Jina and others take them."""
    told = {"model": work.model_id, "query": work.prompt.user, "documents": list(work.texts)}
    return call(work, {**work.wired.extra, **told})


def moderation(work: Work) -> Call:
    """Texts to judge."""
    return call(work, {**work.wired.extra, "model": work.model_id, "input": work.text_or_texts})


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """Vectors, as numbers or encoded, in the order of the texts."""
    if first_of(answer.document, "data") is None:
        return None
    items = [one for one in answer.document["data"] if isinstance(one, Mapping)]
    vectors = [_numbers(one.get("embedding")) for one in sorted(items, key=_place)]
    return reply(answer, endpoint)._replace(values=vectors) if all(vectors) else None


def read_rerank(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A rank for each text, under the name that the server has for them."""
    found: Any = answer.document
    if isinstance(found, Mapping):
        found = found.get("results", found.get("data"))
    first = found[0] if isinstance(found, list) and found else None
    if not isinstance(first, Mapping) or "index" not in first:
        return None
    return reply(answer, endpoint)._replace(values=ranked(found))


def read_moderation(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A judgement on each text."""
    found = value_at(answer.document, "results")
    is_judged = isinstance(found, list) and bool(found) and isinstance(found[0], Mapping)
    return reply(answer, endpoint)._replace(values=found) if is_judged else None


def _place(item: Mapping[str, Any]) -> int:
    place = item.get("index")
    return place if isinstance(place, int) else 0


def _numbers(vector: Any) -> Any:
    """A vector as numbers, where it was asked for as the base64 of floats; any other form stays as it is."""
    if not isinstance(vector, str):
        return vector if isinstance(vector, (list, Mapping)) else None
    try:
        content = b64decode(vector, validate=True)
    except ValueError:
        return None
    return list(struct.unpack(f"<{len(content) // _BYTES}f", content[: len(content) // _BYTES * _BYTES]))
