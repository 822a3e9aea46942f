"""Streams as providers send them, one for each endpoint that has any: the bytes, and what they say. Written
down from the providers' own documents; events that carry nothing new are among them, as they are there.
"""

import binascii
import json
import struct
from typing import NamedTuple


class Recorded(NamedTuple):
    """A stream.

    Attributes:
        kind: The provider's kind.
        mode: What the model is for.
        model: The model's id.
        body: What the server sends.
        text: What the model says in it.
        named: The model that it names, if any.
        finish: Why it ended.
        counts: Tokens of the question and of the answer, where it says so.
        path: The end of the path that it is asked for at.
        asked: What the request holds besides the one for a whole answer.
        content_type: What the server says that it is.
    """

    kind: str
    mode: str
    model: str
    body: bytes
    text: str
    named: str | None
    finish: str
    counts: tuple[int | None, int | None]
    path: str
    asked: dict
    content_type: str = "text/event-stream"


def sse(*events, end="\n"):
    """Server-sent events: a text stands for itself, a pair for a name and a document."""
    parts = []
    for event in events:
        if isinstance(event, str):
            parts.append(f"{event}{end}{end}")
        elif isinstance(event, tuple):
            parts.append(f"event: {event[0]}{end}data: {json.dumps(event[1])}{end}{end}")
        else:
            parts.append(f"data: {json.dumps(event)}{end}{end}")
    return "".join(parts).encode()


def lines(*documents):
    """A document a line."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)


def message(payload, **headers):
    """One message of AWS's event stream; names of headers without their colon, with `_` for `-`."""
    named = b""
    for name, text in headers.items():
        key, value = f":{name.replace('_', '-')}".encode(), text.encode()
        named += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(named) + len(content), len(named))
    checked = prelude + struct.pack(">I", binascii.crc32(prelude)) + named + content
    return checked + struct.pack(">I", binascii.crc32(checked))


def aws(*events):
    """AWS's event stream: pairs of an event's name and its document."""
    return b"".join(message(told, event_type=name, message_type="event") for name, told in events)


DONE = "data: [DONE]"
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
PLAIN = {"stream": True}


def chunk(model="gpt-4o-2024-08-06", choice=None, **fields):
    """A chunk of a chat in OpenAI's protocol."""
    choices = [] if choice is None else [{"index": 0, "logprobs": None, "finish_reason": None, **choice}]
    return {"id": "c-1", "object": "chat.completion.chunk", "model": model, "choices": choices, **fields}


def said(text, **choice):
    """A chunk with a piece of a text."""
    return chunk(choice={"delta": {"content": text}, **choice})


COUNTED = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
CHAT = sse(
    chunk(choice={"delta": {"role": "assistant", "content": "", "refusal": None}}, usage=None),
    said("po"),
    said("ng ✓"),
    chunk(choice={"delta": {}, "finish_reason": "stop"}),
    chunk(usage=COUNTED),
    DONE,
)
_CLAUDE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514"}
CLAUDE = sse(
    ("message_start", {"type": "message_start", "message": {**_CLAUDE, "usage": {"input_tokens": 9}}}),
    (
        "content_block_start",
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    ),
    ("ping", {"type": "ping"}),
    (
        "content_block_delta",
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
    ),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    ("content_block_delta", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "po"}}),
    ("content_block_delta", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ng ✓"}}),
    (
        "message_delta",
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    ),
    ("message_stop", {"type": "message_stop"}),
)


def candidate(text, **fields):
    """A part of an answer of Google's."""
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, **fields}], "modelVersion": "gemini-2.5-pro"}


GEMINI = sse(
    {
        "candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}],
        "modelVersion": "gemini-2.5-pro",
    },
    candidate("po"),
    {
        **candidate("ng ✓", finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 1},
    },
    end="\r\n",
)
RESPONSES = sse(
    (
        "response.created",
        {"type": "response.created", "response": {"model": "o1-pro", "status": "in_progress"}},
    ),
    ("response.output_item.added", {"type": "response.output_item.added", "item": {"type": "reasoning"}}),
    ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "po"}),
    ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "ng ✓"}),
    ("response.output_text.done", {"type": "response.output_text.done", "text": "pong ✓"}),
    (
        "response.completed",
        {
            "type": "response.completed",
            "response": {
                "model": "o1-pro",
                "status": "completed",
                "error": None,
                "usage": {"input_tokens": 9, "output_tokens": 3},
            },
        },
    ),
)
COHERE = sse(
    ("message-start", {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant"}}}),
    (
        "content-start",
        {"type": "content-start", "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    ),
    ("content-delta", {"type": "content-delta", "delta": {"message": {"content": {"thinking": "hm"}}}}),
    ("content-delta", {"type": "content-delta", "delta": {"message": {"content": {"text": "po"}}}}),
    ("content-delta", {"type": "content-delta", "delta": {"message": {"content": {"text": "ng ✓"}}}}),
    ("content-end", {"type": "content-end", "index": 0}),
    (
        "message-end",
        {
            "type": "message-end",
            "delta": {
                "finish_reason": "COMPLETE",
                "usage": {
                    "billed_units": {"input_tokens": 2, "output_tokens": 3},
                    "tokens": {"input_tokens": 9, "output_tokens": 3},
                },
            },
        },
    ),
)


def granite(text, reason="not_finished", count=0, asked=0):
    """A chunk of watsonx's text generation."""
    result = {"generated_text": text, "generated_token_count": count, "input_token_count": asked}
    return {"model_id": "granite-13b", "results": [{**result, "stop_reason": reason}]}


GENERATION = sse(
    'id: 1\nevent: message\ndata: {"model_id": "granite-13b", "results": []}',
    ("message", granite("", asked=9)),
    ("message", granite("po", count=1)),
    ("message", granite("ng ✓", "eos_token", 3)),
)


def watson(choice=None, **fields):
    """A chunk of watsonx's text chat."""
    choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
    return {"model_id": "granite-3-8b", "model": "granite-3-8b", "choices": choices, **fields}


WATSON_CHAT = sse(
    'id: 1\nevent: message\ndata: {"choices": [], "model_id": "granite-3-8b"}',
    ("message", watson({"delta": {"role": "assistant", "content": "po"}})),
    ("message", watson({"delta": {"content": "ng ✓"}, "finish_reason": "stop"})),
    ("message", watson(usage=COUNTED)),
)
_LLAMA = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z", "done": False}
_LAST = {"done": True, "done_reason": "stop", "total_duration": 1, "prompt_eval_count": 9, "eval_count": 3}
OLLAMA = lines(
    {**_LLAMA, "message": {"role": "assistant", "content": "", "thinking": "hm"}},
    {**_LLAMA, "message": {"role": "assistant", "content": "po"}},
    {**_LLAMA, "message": {"role": "assistant", "content": "ng ✓"}},
    {**_LLAMA, "message": {"role": "assistant", "content": ""}, **_LAST},
)
OLLAMA_TEXT = lines(
    {**_LLAMA, "response": "po"}, {**_LLAMA, "response": "ng ✓"}, {**_LLAMA, "response": "", **_LAST}
)
BEDROCK = aws(
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "po"}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "ng ✓"}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 3}, "metrics": {"latencyMs": 84}}),
)
_AMAZON = "application/vnd.amazon.eventstream"
_TEXT = sse(
    {"model": "x", "choices": [{"text": "po", "finish_reason": None}]},
    {"model": "x", "choices": [{"text": "ng ✓", "finish_reason": "length"}], "usage": COUNTED},
    DONE,
)
_AZURE = sse({"choices": [], "model": "", "prompt_filter_results": [{"prompt_index": 0}]}) + CHAT
_GPT = "gpt-4o-2024-08-06"
# A server that keeps the connection alive with words that mean nothing, and tells the counts unasked.
_ROUTED = b": OPENROUTER PROCESSING\n\n" + CHAT.replace(b"data: ", b"data:")
_POST = "completions"

RECORDED = {
    "openai": Recorded("openai", "chat", "gpt-4o", CHAT, "pong ✓", _GPT, "stop", (9, 3), _POST, USAGE),
    "openai responses": Recorded(
        *("openai", "chat", "o1-pro", RESPONSES, "pong ✓", "o1-pro", "completed", (9, 3), "/responses", PLAIN)
    ),
    "openai completion": Recorded(
        *("openai", "completion", "x", _TEXT, "pong ✓", "x", "length", (9, 3), "/v1/completions", USAGE)
    ),
    "azure": Recorded(
        *(
            "azure-openai",
            "chat",
            "mine",
            _AZURE,
            "pong ✓",
            None,
            "stop",
            (9, 3),
            "/chat/completions?api-version=2024-10-21",
            USAGE,
        )
    ),
    "openrouter": Recorded(
        *("openrouter", "chat", "openai/gpt-4o", _ROUTED, "pong ✓", None, "stop", (9, 3), _POST, PLAIN)
    ),
    "mistral": Recorded("mistral", "chat", "m", CHAT, "pong ✓", _GPT, "stop", (9, 3), _POST, PLAIN),
    "anthropic": Recorded(
        *("anthropic", "chat", "claude-sonnet-4", CLAUDE, "pong ✓", "claude-sonnet-4-20250514", "end_turn"),
        *((9, 3), "/v1/messages", PLAIN),
    ),
    "vertex claude": Recorded(
        *("vertex", "chat", "claude-sonnet-4", CLAUDE, "pong ✓", None, "end_turn"),
        *((9, 3), "claude-sonnet-4:streamRawPredict", PLAIN),
    ),
    "gemini": Recorded(
        *("gemini", "chat", "gemini-2.5-pro", GEMINI, "pong ✓", "gemini-2.5-pro", "STOP"),
        *((9, 3), ":streamGenerateContent?alt=sse", {}),
    ),
    "vertex": Recorded(
        *("vertex", "chat", "gemini-2.5-pro", GEMINI, "pong ✓", "gemini-2.5-pro", "STOP"),
        *((9, 3), ":streamGenerateContent?alt=sse", {}),
    ),
    "cohere": Recorded(
        *("cohere", "chat", "command-a", COHERE, "pong ✓", None, "COMPLETE", (9, 3), "/v2/chat", PLAIN)
    ),
    "watsonx": Recorded(
        *("watsonx", "chat", "granite-3-8b", WATSON_CHAT, "pong ✓", "granite-3-8b", "stop"),
        *((9, 3), "/ml/v1/text/chat_stream?version=2024-05-31", {}),
    ),
    "watsonx text": Recorded(
        *("watsonx", "completion", "granite-13b", GENERATION, "pong ✓", "granite-13b", "eos_token"),
        *((9, 3), "/ml/v1/text/generation_stream?version=2024-05-31", {}),
    ),
    "ollama": Recorded(
        *("ollama", "chat", "llama3", OLLAMA, "pong ✓", "llama3", "stop"),
        *((9, 3), "/api/chat", PLAIN, "application/x-ndjson"),
    ),
    "ollama text": Recorded(
        *("ollama", "completion", "llama3", OLLAMA_TEXT, "pong ✓", "llama3", "stop"),
        *((9, 3), "/api/generate", PLAIN, "application/x-ndjson"),
    ),
    "bedrock": Recorded(
        *("bedrock", "chat", "anthropic.claude-sonnet-4-v1:0", BEDROCK, "pong ✓", None, "end_turn"),
        *((9, 3), "/converse-stream", {}, _AMAZON),
    ),
}
