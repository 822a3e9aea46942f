"""How the tables of recorded answers are written: one row is an answer at one level of a probe and what it
means. A sender plays a row, without any network."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.protocols.exchange import Answer

MISSING = "no-such-model"


class Recorded(NamedTuple):
    """One answer and what it means.

    Attributes:
        level: The probe that gets it.
        status: Its status.
        body: Its body, JSON or a text.
        outcome: The outcome.
        code: The provider's own code in the verdict.
        wait: The seconds in the verdict.
        headers: Its headers.
        beside: What the provider answers where it is asked anything else; `None` for a bare 404.
        model: The model that is asked for, where it is not the kind's usual one.
        mode: What the model is for.
    """

    level: str
    status: int
    body: Any
    outcome: str
    code: str | None = None
    wait: float | None = None
    headers: Mapping[str, str] = {}
    beside: Any = None
    model: str | None = None
    mode: str = "chat"


def at(levels, status, body, outcome, code=None, **more):
    """The same answer at several levels, named in one text."""
    return [Recorded(level, status, body, outcome, code, **more) for level in levels.split()]


def waiting(levels, status, body, code=None, *, seconds="7", outcome="rate_limited"):
    """An answer that says in its header how long to wait."""
    return at(levels, status, body, outcome, code, wait=float(seconds), headers={"retry-after": seconds})


class Playing:
    """Gives a row's answer to the first question and to whatever repeats it; everything else gets what
    stands beside it. Exchanges of keys for tokens succeed, unless they are what is asked about.
    """

    def __init__(self, row):
        self.row = row
        self.asked = []

    async def send(self, request):
        if request.url.endswith("/identity/token") and self.row.level != "credential":
            return answered(200, {"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"})
        self.asked.append(request)
        if request.url == self.asked[0].url:
            return answered(self.row.status, self.row.body, self.row.headers)
        return answered(404, "") if self.row.beside is None else answered(200, self.row.beside)


def answered(status, body, headers=None):
    """An answer as the transport would hand it over."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json", **(headers or {})}, content)


def error(message, **fields):
    """An error as OpenAI words it."""
    return {"error": {"message": message, **fields}}


def listed(*ids, **fields):
    """A list of models as OpenAI words it."""
    return {"object": "list", "data": [{"id": one, "object": "model", **fields} for one in ids]}


def chat(model, text="ok", finish="stop", **fields):
    """An answer of a model as OpenAI words it."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": usage,
    } | fields


def embedding(model):
    """An embedding as OpenAI words it."""
    found = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
    return {
        "object": "list",
        "data": [found],
        "model": model,
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }
