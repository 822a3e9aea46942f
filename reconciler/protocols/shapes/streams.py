"""What answers that come bit by bit share, and those of OpenAI's protocol: chat, completions and responses.
From OpenAI's API reference ("Chat completion chunk object", "Streaming events" of responses) and Azure's,
which sends a first chunk without choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import merged, value_at
from reconciler.protocols.generation import Call, Event, Piece, Streaming, Work
from reconciler.protocols.shapes.answers import count_at, text_of
from reconciler.protocols.shapes.places import found_at, model_in, text_at

# What stands in the place of a last event.
DONE = "[DONE]"
_USAGE = {"stream_options": {"include_usage": True}}
_ASKED = ("usage.prompt_tokens", "usage.input_tokens")
_ANSWERED = ("usage.completion_tokens", "usage.output_tokens")
_LAST = frozenset({"response.completed", "response.incomplete"})


def ask(call: Call, work: Work) -> Call:
    """The same request, with the answer bit by bit, and tokens counted where one can ask for that."""
    body = {**call.body, "stream": True}
    return call._replace(body=merged(_USAGE, body) if work.endpoint.streaming == "usage" else body)


def ask_plainly(call: Call, work: Work) -> Call:
    """The same request, with the answer bit by bit."""
    del work
    return call._replace(body={**call.body, "stream": True})


def at_another_path(call: Call, ending: str, other: str) -> Call | None:
    """The same request at a path with another ending; `None` where the path ends in neither.

    >>> at_another_path(Call({}, "/models/m:generateContent"), ":generateContent", ":stream").path
    '/models/m:stream'
    """
    if not call.path.endswith(ending):
        return None
    return call._replace(path=call.path.removesuffix(ending) + other)


def is_done(event: Event) -> bool:
    """Whether an event is the mark of the end."""
    return isinstance(event.document, str) and event.document == DONE


def never(event: Event) -> bool:
    """For streams that end where the connection does."""
    del event
    return False


def read_chat(event: Event, endpoint: Endpoint) -> Piece | None:
    """A chunk of a chat."""
    return _chunk(event, endpoint, "delta")


def read_completion(event: Event, endpoint: Endpoint) -> Piece | None:
    """A chunk of a text."""
    return _chunk(event, endpoint, "")


def read_responses(event: Event, endpoint: Endpoint) -> Piece | None:
    """An event of OpenAI's newer endpoint; its last one says how it ended and what it cost."""
    document = event.document
    kind = text_at(document, "type") or ""
    if not kind.startswith("response."):
        return None
    if kind == "response.output_text.delta":
        return Piece(text_at(document, "delta") or "")
    whole = found_at(document, "response")
    if kind not in _LAST:
        return Piece(model=model_in(whole, endpoint))
    why = value_at(whole, "incomplete_details.reason") or value_at(whole, "status") or kind
    return Piece(
        "", model_in(whole, endpoint), str(why), count_at(whole, *_ASKED), count_at(whole, *_ANSWERED)
    )


def is_last_response(event: Event) -> bool:
    """Whether a response has ended with this event."""
    return is_done(event) or text_at(event.document, "type") in _LAST


def _chunk(event: Event, endpoint: Endpoint, place: str) -> Piece | None:
    document = event.document
    choices = found_at(document, "choices")
    # The last chunk has no choices, and tells what it all cost.
    if not isinstance(choices, list):
        return None
    choice: Any = choices[0] if choices else None
    told = choice if not place else found_at(choice, place)
    text = text_of(found_at(told, "content" if place else "text")) if isinstance(told, Mapping) else ""
    return Piece(
        text,
        model_in(document, endpoint),
        text_at(choice, "finish_reason") or None,
        count_at(document, *_ASKED),
        count_at(document, *_ANSWERED),
    )


CHAT = Streaming("sse", ask, read_chat, is_done)
COMPLETION = Streaming("sse", ask, read_completion, is_done)
RESPONSES = Streaming("sse", ask_plainly, read_responses, is_last_response)
