"""The requests of watsonx.ai. Every body says which project or space pays. Text chat and text generation name
the same parameters differently, and a kind's table may have been written for the other of the two.
Streams are those of `text/chat_stream` and `text/generation_stream` in IBM's API reference, which end where
the connection does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, Event, Piece, Reply, Shape, Streaming, Work
from reconciler.protocols.shapes import openai, streams
from reconciler.protocols.shapes.answers import call, count_at, moved
from reconciler.protocols.shapes.formats import messages, typed
from reconciler.protocols.shapes.places import found_at, is_vector, model_in, ranked, text_at

_MODEL = "model_id"
_GOES_ON = "not_finished"
# The first that is there pays.
PAYERS = ("project_id", "space_id")
_NOTHING: Mapping[str, str] = {}

# Of text generation, where all parameters stand below one field.
WIRES = {
    "max_new_tokens": "parameters.max_new_tokens",
    "min_new_tokens": "parameters.min_new_tokens",
    "temperature": "parameters.temperature",
    "top_p": "parameters.top_p",
    "top_k": "parameters.top_k",
    "repetition_penalty": "parameters.repetition_penalty",
    "stop_sequences": "parameters.stop_sequences",
    "seed": "parameters.random_seed",
    "decoding_method": "parameters.decoding_method",
    "logprobs": "parameters.return_options.token_logprobs",
}
WIRES_OF_CHAT = {
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "repetition_penalty": "repetition_penalty",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop_sequences": "stop",
    "seed": "seed",
    "logprobs": "top_logprobs",
    "response_format": "response_format",
    "reasoning_effort": "reasoning_effort",
}
_TO_CHAT = {WIRES[name]: WIRES_OF_CHAT[name] for name in WIRES if name in WIRES_OF_CHAT}
_TO_TEXT = {flat: inner for inner, flat in _TO_CHAT.items()}


def compose_chat(work: Work) -> Call:
    """A chat, with parameters under the names of text chat whatever the kind's table says."""
    fields, renamed = moved(work, _TO_CHAT)
    body = {**fields, "messages": messages(work.prompt)}
    if "response_format" in body:
        body["response_format"] = typed(body["response_format"])
    if "top_logprobs" in body:
        body.setdefault("logprobs", True)
    return _call(work, body, {"logprobs": "logprobs", **renamed})


def read_chat(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first choice; its text is missing where thinking took all room."""
    chosen = openai.read_chat(answer, endpoint)
    return chosen and chosen._replace(model=model_in(answer.document, endpoint, _MODEL))


def compose_generation(work: Work) -> Call:
    """One text to go on with, with parameters under the names of text generation."""
    fields, renamed = moved(work, _TO_TEXT)
    body = {**fields, "input": work.prompt.as_one_text}
    options = found_at(body, "parameters.return_options")
    if isinstance(options, Mapping) and "token_logprobs" in options:
        body["parameters"] = {**body["parameters"], "return_options": _returned(options)}
    return _call(work, body, {"parameters.return_options.top_n_tokens": "logprobs", **renamed})


def read_generation(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The first result."""
    document = answer.document
    result = found_at(document, "results.0")
    text = text_at(result, "generated_text")
    if text is None:
        return None
    return Reply(
        text,
        model_in(document, endpoint, _MODEL),
        text_at(result, "stop_reason"),
        count_at(result, "input_token_count"),
        count_at(result, "generated_token_count"),
    )


def ask_chat(call: Call, work: Work) -> Call | None:
    """The same chat, to be answered bit by bit at a path of its own."""
    del work
    return streams.at_another_path(call, "/text/chat", "/text/chat_stream")


def ask_generation(call: Call, work: Work) -> Call | None:
    """The same text, to be gone on with bit by bit at a path of its own."""
    del work
    return streams.at_another_path(call, "/text/generation", "/text/generation_stream")


def read_chat_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A chunk of a chat."""
    piece = streams.read_chat(event, endpoint)
    return piece and piece._replace(model=model_in(event.document, endpoint, _MODEL))


def read_generation_event(event: Event, endpoint: Endpoint) -> Piece | None:
    """A chunk of a text; each says why it ends, if only that it does not."""
    result = found_at(event.document, "results.0")
    if not isinstance(result, Mapping):
        return None
    reason = text_at(result, "stop_reason") or ""
    return Piece(
        text_at(result, "generated_text") or "",
        model_in(event.document, endpoint, _MODEL),
        None if reason.lower() == _GOES_ON else reason or None,
        # Chunks that do not know it say that it was nothing.
        count_at(result, "input_token_count") or None,
        count_at(result, "generated_token_count"),
    )


def compose_embedding(work: Work) -> Call:
    """Texts to embed."""
    return _call(work, {**work.wired.extra, "inputs": list(work.texts)})


def read_embedding(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """The embeddings."""
    results = found_at(answer.document, "results")
    vectors = [found_at(one, "embedding") for one in results] if isinstance(results, list) else []
    is_good = bool(vectors) and all(map(is_vector, vectors))
    return _counted(answer, endpoint, vectors) if is_good else None


def compose_ranking(work: Work) -> Call:
    """A query and texts to rank; itself for the only one where there are none."""
    asked = {"query": work.prompt.user, "inputs": [{"text": text} for text in work.texts]}
    return _call(work, {**work.wired.extra, **asked})


def read_ranking(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A score for each text."""
    results = found_at(answer.document, "results")
    is_good = isinstance(found_at(results, "0.score"), int | float)
    return _counted(answer, endpoint, ranked(results)) if is_good else None


def _call(work: Work, body: Mapping[str, Any], renamed: Mapping[str, str] = _NOTHING) -> Call:
    payer = [(name, work.plain[name]) for name in PAYERS if work.plain.get(name)][:1]
    whole = {**body, _MODEL: work.model_id, **dict(payer)}
    return call(work, whole, renamed=renamed)


def _counted(answer: Answer, endpoint: Endpoint, values: Any) -> Reply:
    document = answer.document
    tokens = count_at(document, "input_token_count")
    return Reply(model=model_in(document, endpoint, _MODEL), input_tokens=tokens, values=values)


def _returned(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of what is told besides the text: how many likely words, on top of the switches for that."""
    likeliest = options["token_logprobs"]
    told = {"generated_tokens": True, **options, "token_logprobs": bool(likeliest)}
    is_count = isinstance(likeliest, int) and not isinstance(likeliest, bool) and likeliest > 0
    return {**told, "top_n_tokens": likeliest} if is_count else told


CHAT = Shape(compose_chat, read_chat, Streaming("sse", ask_chat, read_chat_event, streams.is_done))
GENERATION = Shape(
    compose_generation,
    read_generation,
    Streaming("sse", ask_generation, read_generation_event, streams.is_done),
)
SHAPES = {
    "chat": CHAT,
    "completion": GENERATION,
    "embedding": Shape(compose_embedding, read_embedding),
    "rerank": Shape(compose_ranking, read_ranking),
}
