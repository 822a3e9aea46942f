"""What stands in the network's place where applications' calls are tested without one: it answers each
request as a test likes, keeps what was asked, and lets a test set the time.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.more_providers import PROJECT
from support.probing import target

from reconciler.core.probe import Access
from reconciler.core.provider_kind import ProviderKind
from reconciler.kinds import built_in
from reconciler.protocols.client import Client
from reconciler.protocols.exchange import Answer, Streamed, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "canary-key-0123456789"
BASE_URLS = {
    "azure-openai": "https://team.openai.azure.com",
    "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "vertex": "https://us-central1-aiplatform.googleapis.com",
}
ELSEWHERE = "https://models.example.com/v1"
TOKEN = {"access_token": "a-canary-token", "token_type": "Bearer", "expires_in": 3600}


def environ_of(kind: ProviderKind) -> dict[str, str]:
    """Every variable that a kind asks for first."""
    plain = {
        "project": PROJECT,
        "location": "us-central1",
        "region": "us-east-1",
        "api_version": "2024-10-21",
    }
    one_way = {"service_account", "ad_token", "access_key_id", "secret_access_key", "session_token"}
    rules = {name: rule for name, rule in kind.credentials.items() if rule.env and name not in one_way}
    return {rule.env[0]: plain.get(name, KEY) for name, rule in rules.items()}


def model_at(kind_name, model, *, mode="chat", timeout=5.0, parameters=(), **fields):
    """A model of a kind that is shipped, to be asked by an application."""
    kind = built_in(kind_name)
    url = kind.base_url or BASE_URLS.get(kind_name) or ELSEWHERE
    made = target(
        model, fields.pop("kind", kind), fields.pop("base_url", url), level="generate", timeout=timeout
    )
    return replace(made, mode=mode, parameters=dict(parameters), **fields)


class Clock:
    """A time that stands still until a test moves it."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def move(self, seconds):
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Network:
    """Answers requests.

    Args:
        reply: Made of a request: an answer, a verdict, JSON for a success, or bytes for a stream of one piece
            after the other where they are a list.
    """

    def __init__(self, reply):
        self._reply = reply
        self.asked = []
        self.closed = 0

    async def send(self, request):
        self.asked.append(request)
        # Others are asking, too.
        await asyncio.sleep(0)
        return _as_answer(self._reply(request))

    @asynccontextmanager
    async def stream(self, request):
        self.asked.append(request)
        reply = self._reply(request)
        try:
            if isinstance(reply, (list, Streamed)):
                yield _as_streamed(reply)
            else:
                yield _as_answer(reply)
        finally:
            self.closed += 1

    @property
    def exchanges(self):
        """The requests for tokens."""
        return [one for one in self.asked if one.form]

    @property
    def questions(self):
        """The requests to models."""
        return [one for one in self.asked if not one.form]


def answer(status, body, **headers):
    """An answer with a JSON body."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, named, json.dumps(body).encode())


def _as_answer(reply):
    return reply if isinstance(reply, (Answer, Verdict)) else answer(200, reply)


def _as_streamed(reply):
    return reply if isinstance(reply, Streamed) else streamed(*reply)


def streamed(*chunks, content_type="text/event-stream"):
    """A stream of some bytes; a verdict among them is where it breaks off."""

    async def come():
        for chunk in chunks:
            yield chunk

    return Streamed(200, {"content-type": content_type}, 0.084, come())


def asking(network, act, *, environ=None, clock=None, **allowed):
    """What `act` returns, given a client over a network of ours."""

    async def run():
        hosts = ("team.openai.azure.com", "models.example.com", "127.0.0.1:9")
        access = Access(environ=environ or {}, **{"allowed_hosts": hosts, **allowed})
        client = Client(network, access, now=clock or Clock())
        try:
            return await act(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def collected(pieces):
    """All pieces of a stream."""
    return [piece async for piece in pieces]
