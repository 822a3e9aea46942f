"""The endpoints of OpenAI's protocol that write text, which most other providers and servers offer too: chat,
completions and responses. All its shapes by name are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import value_at
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.shapes import media, streams, vectors
from reconciler.protocols.shapes.answers import call, first_of, moved, reply, text_of
from reconciler.protocols.shapes.formats import messages, typed

# The names by which the endpoints call the most that a model may write.
_LIMITS = ("max_completion_tokens", "max_tokens")
_FORMAT = "response_format"
_ALTERNATIVES = "top_logprobs"


def chat(work: Work) -> Call:
    """A conversation of one question."""
    fields, renamed = _formatted(work.wired.fields), {}
    # The number of alternatives is refused unless they are asked for in so many words.
    if _ALTERNATIVES in fields and "logprobs" not in fields:
        fields, renamed = {**fields, "logprobs": True}, {"logprobs": "logprobs"}
    told = {"model": work.model_id, "messages": messages(work.prompt)}
    return call(work, {**fields, **told}, renamed=renamed)


def completion(work: Work) -> Call:
    """One text to go on with; its limit has one name only, and alternatives are a number there."""
    fields, renamed = moved(work, {**dict.fromkeys(_LIMITS, "max_tokens"), _ALTERNATIVES: "logprobs"})
    told = {"model": work.model_id, "prompt": work.prompt.as_one_text}
    return call(work, {**_formatted(fields), **told}, renamed=renamed)


def responses(work: Work) -> Call:
    """OpenAI's newer endpoint, where a format and an effort stand one level deeper."""
    names = {
        **dict.fromkeys(_LIMITS, "max_output_tokens"),
        "reasoning_effort": "reasoning.effort",
        _FORMAT: "text.format",
    }
    fields, renamed = moved(work, names)
    told: dict[str, Any] = {"model": work.model_id, "input": work.prompt.user}
    if work.prompt.system:
        told["instructions"] = work.prompt.system
    if (chosen := value_at(fields, "text.format")) is not None:
        told["text"] = {**fields["text"], "format": _flat(chosen)}
    if _ALTERNATIVES in fields and "include" not in fields:
        told["include"] = ["message.output_text.logprobs"]
    return call(work, {**fields, **told}, renamed=renamed)


def read_chat(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A message is enough, empty or not: thinking may have taken all the room."""
    choice = first_of(answer.document, "choices")
    message = choice.get("message") if choice else None
    if choice is None or choice.get("error") or not isinstance(message, Mapping):
        return None
    text = text_of(message.get("content"))
    return reply(answer, endpoint, text=text, finish_reason=choice.get("finish_reason"))


def read_completion(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A text is enough, empty or not."""
    choice = first_of(answer.document, "choices")
    if choice is None or choice.get("error") or not isinstance(choice.get("text"), str):
        return None
    return reply(answer, endpoint, text=choice["text"], finish_reason=choice.get("finish_reason"))


def read_responses(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A list of what was put out is enough, thinking alone too."""
    output = value_at(answer.document, "output")
    if not isinstance(output, list) or value_at(answer.document, "status") in {"failed", "cancelled"}:
        return None
    text = "".join(text_of(item.get("content")) for item in output if isinstance(item, Mapping))
    why = value_at(answer.document, "incomplete_details.reason") or value_at(answer.document, "status")
    return reply(answer, endpoint, text=text, finish_reason=why)


def _formatted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A format that is written as a word, in the form of the wire."""
    return {**fields, _FORMAT: typed(fields[_FORMAT])} if _FORMAT in fields else fields


def _flat(chosen: Any) -> Any:
    """A schema without the level that other endpoints put around it."""
    whole = typed(chosen)
    inner = whole.get("json_schema") if isinstance(whole, Mapping) else None
    return {**inner, "type": "json_schema"} if isinstance(inner, Mapping) else whole


SHAPES: Mapping[str, Shape] = {
    "chat": Shape(chat, read_chat, streams.CHAT),
    "completion": Shape(completion, read_completion, streams.COMPLETION),
    "responses": Shape(responses, read_responses, streams.RESPONSES),
    "embedding": Shape(vectors.embedding, vectors.read_embedding),
    "rerank": Shape(vectors.rerank, vectors.read_rerank),
    "moderation": Shape(vectors.moderation, vectors.read_moderation),
    "image": Shape(media.image, media.read_image),
    "speech": Shape(media.speech, media.read_speech),
    "transcription": Shape(media.transcription, media.read_transcription),
}
