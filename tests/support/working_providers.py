"""The fake providers with models that work: OpenAI's endpoints for chat, embeddings, pictures and the rest,
which check what they are sent as strictly as the real ones do.

    with WorkingProviders() as fake:
        fake.sent("/openai/v1/chat/completions")    # the bodies that arrived there
"""

import json

from support.providers import MODELS, Conversation, FakeProviders

WRITTEN = "a-canary-that-the-model-wrote"
# What the endpoints take besides the model; anything else is refused by name.
TAKEN = {
    "chat/completions": {
        *("messages", "max_completion_tokens", "temperature", "top_p", "seed", "stop", "user"),
        *("stream", "stream_options"),
    },
    "completions": {"prompt", "max_tokens", "temperature", "logprobs", "stream", "stream_options"},
    "responses": {"input", "instructions", "max_output_tokens", "reasoning"},
    "embeddings": {"input", "dimensions"},
    "rerank": {"query", "documents"},
    "images/generations": {"prompt", "n", "size", "quality", "response_format"},
    "audio/speech": {"input", "voice"},
    "moderations": {"input"},
}
USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}


class WorkingProviders(FakeProviders):
    """The fake providers, whose models work too."""

    def __init__(self, models=(*MODELS, "thinker", "whisper-1", "tts-1", "dall-e-2", "embedder"), **fields):
        super().__init__(models, **fields)

    def converse(self, exchange, headers, body):
        """Answer one request."""
        _Work(exchange, headers, body).run()

    def sent(self, path):
        """The JSON bodies that arrived at a path."""
        arrived = (request for request in self.requests if request.path.partition("?")[0] == path)
        return [json.loads(request.body) for request in arrived]


class _Work(Conversation):
    """One request to a model."""

    def _model(self):
        if self.exchange.command != "POST" or self.dialect != "openai":
            return super()._model()
        if self._is_form:
            return self.body.partition(b'name="model"\r\n\r\n')[2].partition(b"\r\n")[0].decode()
        self.asked = json.loads(self.body)
        return self.asked.get("model", "")

    @property
    def _is_form(self):
        return self.headers.get("content-type", "").startswith("multipart/form-data; boundary=")

    def _openai(self):
        path = self.path.removeprefix("v1/")
        if self.exchange.command != "POST" or not self.authorized:
            super()._openai()
        elif path == "audio/transcriptions" and self._is_form:
            self._transcribe()
        elif path not in TAKEN:
            self.reply(404, {"detail": "Not Found"})
        elif not self.exists(self.model):
            self.fail(404, "model_not_found", f"The model '{self.model}' does not exist.")
        elif (complaint := self._complaint(path)) is not None:
            self.reply(400, {"error": {"type": "invalid_request_error", "code": None, **complaint}})
        else:
            self._work(path)

    def _complaint(self, path):
        for name in sorted(self.asked.keys() - TAKEN[path] - {"model"}):
            return {"param": None, "message": f"Unrecognized request argument supplied: {name}"}
        if {"temperature", "top_p"} <= self.asked.keys():
            message = f"`temperature` and `top_p` cannot both be specified for {self.key}"
            return {"param": None, "message": message}
        if self.asked.get("seed") == 13:
            return {"param": "seed", "message": "13 is an unlucky number."}
        if self.model == "thinker" and self.asked.get("max_completion_tokens", 999) < 100:
            message = "Could not finish the message because max_tokens or model output limit was reached."
            return {"param": None, "message": message}
        return None

    def _work(self, path):
        named = "some-other-model" if self.behaviour == "lying" else self._dated(self.model)
        chosen = {"role": "assistant", "content": WRITTEN}
        answers = {
            "chat/completions": {"choices": [{"message": chosen, "finish_reason": "length"}]},
            "completions": {"choices": [{"text": WRITTEN, "finish_reason": "stop"}]},
            "responses": {"output": [{"type": "reasoning"}], "status": "incomplete"},
            "embeddings": {"data": [{"embedding": [0.1, 0.2], "index": 0}]},
            "rerank": {"results": [{"index": 0, "relevance_score": 0.9}]},
            "images/generations": {"data": [{"b64_json": "x" * self.fake_picture}]},
            "moderations": {"results": [{"flagged": False}]},
        }
        if self.asked.get("stream"):
            self._stream(path, named)
        elif path == "audio/speech":
            self.reply(200, b"\xff\xfb\x90" * 100, {"Content-Type": "audio/mpeg"})
        else:
            self.reply(200, {"model": named, "usage": USAGE, **answers[path]})

    def _stream(self, path, named):
        """The same answer, a word at a time."""
        pieces = [f"-{word}" if place else word for place, word in enumerate(WRITTEN.split("-"))]
        chat = path == "chat/completions"
        choices = [{"delta": {"content": one}} if chat else {"text": one} for one in pieces]
        chunks = [{"model": named, "choices": [one]} for one in choices]
        chunks[-1]["choices"][0]["finish_reason"] = "length" if chat else "stop"
        if self.asked.get("stream_options", {}).get("include_usage"):
            chunks.append({"model": named, "choices": [], "usage": USAGE})
        events = [*map(json.dumps, chunks), "[DONE]"]
        body = "".join(f"data: {event}\n\n" for event in events).encode()
        self.reply(200, body, {"Content-Type": "text/event-stream"})

    # More than is ever read of an answer.
    fake_picture = 2 * 1024 * 1024

    def _transcribe(self):
        if b"RIFF" in self.body and b'filename="' in self.body and self.exists(self.model):
            self.reply(200, {"text": WRITTEN})
        else:
            self.reply(400, {"error": {"message": "The audio file could not be decoded.", "param": "file"}})
