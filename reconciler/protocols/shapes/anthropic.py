"""Anthropic's messages: the system prompt stands beside them, and the room for an answer has to be named. The
same messages are understood on Vertex AI, where the path names the model. Streams are those of Anthropic's
page "Streaming messages", and of Vertex AI's `streamRawPredict`.
"""

from __future__ import annotations

from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
from reconciler.protocols.shapes.answers import call, count_at
from reconciler.protocols.shapes.places import found_at, joined_texts, model_in, text_at
from reconciler.protocols.shapes.streams import ask_plainly, at_another_path

# For an application that names no limit, where the API wants one: every model of theirs takes it.
MOST_TOKENS = 4096
VERTEX_VERSION = "vertex-2023-10-16"

WIRES = {
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop_sequences",
    "reasoning_effort": "output_config.effort",
}


def compose(work: Work) -> Call:
    """A message; `MOST_TOKENS` where the parameters name no limit."""
    return call(work, {**_message(work), "model": work.model_id})


def compose_for_vertex(work: Work) -> Call:
    """The same for Vertex AI: the version stands in the body, the model in the path alone."""
    body = {**_message(work), "anthropic_version": VERTEX_VERSION}
    return call(work, body)


def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The texts of a message; none of them where thinking took all room."""
    document = answer.document
    content = found_at(document, "content")
    if not isinstance(content, list):
        return None
    return Reply(
        joined_texts(content),
        model_in(document, endpoint),
        text_at(document, "stop_reason"),
        count_at(document, "usage.input_tokens"),
        count_at(document, "usage.output_tokens"),
    )


def ask_on_vertex(call: Call, work: Work) -> Call | None:
    """The same message, to be answered bit by bit at a path of its own."""
    there = at_another_path(call, ":rawPredict", ":streamRawPredict")
    return there and ask_plainly(there, work)


def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """An event: the model comes first, why it ended and what it cost last; a ping says nothing."""
    document = event.document
    match text_at(document, "type"):
        case "message_start":
            message = found_at(document, "message")
            return Piece(
                model=model_in(message, endpoint), input_tokens=count_at(message, "usage.input_tokens")
            )
        case "content_block_delta":
            # What it thinks has another name there.
            return Piece(text_at(document, "delta.text") or "")
        case "message_delta":
            reason = text_at(document, "delta.stop_reason")
            return Piece(finish_reason=reason, output_tokens=count_at(document, "usage.output_tokens"))
        case "content_block_start" | "content_block_stop" | "message_stop":
            return Piece()
        case _:
            return None


def is_last(event: Event) -> bool:
    """Whether a message has ended with this event."""
    return text_at(event.document, "type") == "message_stop"


def _message(work: Work) -> dict[str, Any]:
    body = {"max_tokens": MOST_TOKENS, **work.wired.fields}
    body["messages"] = [{"role": "user", "content": work.prompt.user}]
    return {**body, "system": work.prompt.system} if work.prompt.system else body


MESSAGES = Shape(compose, read, Streaming("sse", ask_plainly, read_event, is_last))
MESSAGES_ON_VERTEX = Shape(compose_for_vertex, read, Streaming("sse", ask_on_vertex, read_event, is_last))
SHAPES = {"chat": MESSAGES, "completion": MESSAGES}
