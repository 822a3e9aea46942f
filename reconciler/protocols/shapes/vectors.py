"""Endpoints of OpenAI's protocol that judge texts with numbers: embeddings, reranking, moderation. They take
no generation parameters, so only what stands in `extra` is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import value_at
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Work
from reconciler.protocols.shapes.answers import call, first_of, reply


def embedding(work: Work) -> Call:
    """One text to embed."""
    return call(work, {**work.wired.extra, "model": work.model_id, "input": work.prompt.user})


def rerank(work: Work) -> Call:
    """One text to rank, as vLLM, Together, Jina and others take it."""
    told = {"model": work.model_id, "query": work.prompt.user, "documents": [work.prompt.user]}
    return call(work, {**work.wired.extra, **told})


def moderation(work: Work) -> Call:
    """One text to judge."""
    return call(work, {**work.wired.extra, "model": work.model_id, "input": work.prompt.user})


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A vector, as numbers or encoded."""
    first = first_of(answer.document, "data")
    vector = first.get("embedding") if first else None
    is_vector = isinstance(vector, (list, str, Mapping)) and bool(vector)
    return reply(answer, endpoint) if is_vector else None


def read_rerank(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A rank for each text, under the name that the server has for them."""
    found: Any = answer.document
    if isinstance(found, Mapping):
        found = found.get("results", found.get("data"))
    first = found[0] if isinstance(found, list) and found else None
    return reply(answer, endpoint) if isinstance(first, Mapping) and "index" in first else None


def read_moderation(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A judgement on each text."""
    found = value_at(answer.document, "results")
    is_judged = isinstance(found, list) and bool(found) and isinstance(found[0], Mapping)
    return reply(answer, endpoint) if is_judged else None
