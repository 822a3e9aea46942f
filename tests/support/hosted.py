"""OpenAI and IBM watsonx under their own names, without their networks: a proxy of the operator's leads every
name to one local server, whose certificate an authority of the operator's vouches for. So programs, pages and
docstrings run as they are written, with nothing of theirs changed.

    with hosted(folder) as fake:
        fake.environment    # what the operator sets, keys included
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.certificates import write_certificates
from support.generating import MODELS, PAYER, GeneratingConversation, GeneratingProviders
from support.providers import key
from support.scripted import Scripted, leads_to
from support.streams import granite, sse

# What stands before a path of each service in the local server.
SERVICES = {
    "api.openai.com": "/openai",
    "us-south.ml.cloud.ibm.com": "/watsonx",
    "iam.cloud.ibm.com": "/iam",
}
SAID = "In the reading room."
USAGE = {"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26}


class HostedProviders(GeneratingProviders):
    """The server; every model of it says the same.

    Attributes:
        environment: What the operator sets so that all names lead here.
        proxied: The first lines of what the proxy was asked for.
    """

    def __init__(self, models=(*MODELS, "gpt-4o", "gpt-4o-mini"), **options):
        super().__init__(models, **options)
        self.environment: dict[str, str] = {}
        self.proxied: list[bytes] = []

    def converse(self, exchange, headers, body) -> None:
        """Answer one request, by the name that it was sent to."""
        service = SERVICES.get(headers.get("host", "").partition(":")[0], "")
        exchange.path = f"{service}{exchange.path}"
        HostedConversation(exchange, headers, body).run()


class HostedConversation(GeneratingConversation):
    """One request."""

    def _openai(self):
        if self.path != "v1/chat/completions":
            super()._openai()
        elif not self.authorized:
            self.fail(401, "invalid_api_key", "Incorrect API key provided.")
        elif not self.exists(self.model):
            self.fail(404, "model_not_found", f"The model '{self.model}' does not exist.")
        elif self.asked.get("stream"):
            self._stream(self._chunks())
        elif not self.lacks("messages"):
            message = {"role": "assistant", "content": SAID}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            answer = {"id": "c-1", "object": "chat.completion", "created": 1, "model": self.model}
            self.reply(200, {**answer, "choices": choices, "usage": USAGE})

    def _chunks(self):
        start = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": self.model}
        said = [{**start, "choices": [_choice({"content": word})]} for word in _words()]
        end = {**start, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        return sse(*said, end, {**start, "choices": [], "usage": USAGE}, "data: [DONE]")

    def _watsonx(self):
        if self.path != "ml/v1/text/generation_stream":
            super()._watsonx()
        else:
            said = [("message", granite(word, count=1)) for word in _words()]
            self._stream(sse(*said, ("message", granite("", "eos_token", 5, 21))))

    def _generated(self):
        result = {"generated_text": SAID, "generated_token_count": 5, "input_token_count": 21}
        self.reply(200, {"model_id": self.named, "results": [{**result, "stop_reason": "eos_token"}]})

    def _stream(self, content):
        self.reply(200, content, {"Content-Type": "text/event-stream"})


def _choice(delta):
    return {"index": 0, "delta": delta, "finish_reason": None}


def _words():
    first, *others = SAID.split(" ")
    return [first, *(f" {word}" for word in others)]


def bodies(fake: HostedProviders, ending: str) -> list[dict]:
    """The JSON bodies that arrived at paths that end so, the questions of models."""
    return [json.loads(one.body) for one in fake.requests if one.path.partition("?")[0].endswith(ending)]


@contextmanager
def hosted(folder: Path) -> Iterator[HostedProviders]:
    """Yield the server behind its proxy; `folder` holds the authority's certificate."""
    name, *others = SERVICES
    authority, *pair = write_certificates(folder, name=name, more_names=others)
    with HostedProviders(certificate=pair) as fake, Scripted(leads_to(fake.host)) as proxy:
        fake.proxied = proxy.heads
        fake.environment = {
            "RECONCILER_PROXY": f"http://{proxy.host}",
            "RECONCILER_CA_FILE": str(authority),
            "RECONCILER_FINGERPRINT_KEY": "of the tests and of nobody else",
            "OPENAI_API_KEY": key(),
            "WATSONX_APIKEY": key(),
            "WATSONX_PROJECT_ID": PAYER,
        }
        yield fake
