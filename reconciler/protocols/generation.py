"""What a model is asked to do, and what came of it, as values: the probe `generate` and applications build
their requests here, in one way, so that what is verified is what will be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reconciler.core.prompt import Prompt
from reconciler.core.provider_kind import Endpoint, ProviderKind
from reconciler.core.wire import Wired
from reconciler.protocols.exchange import Answer


@dataclass(frozen=True, slots=True)
class Work:
    """One thing that a model is asked to do.

    Attributes:
        kind: Its provider's kind.
        model_id: The model, as the provider spells it.
        mode: What it is for.
        endpoint: Where it is asked.
        prompt: What it is told.
        wired: Its parameters under the names of the wire, with what the kind does not take left out.
        plain: Credentials of the provider that are no secrets, such as a project's id, by name.
    """

    kind: ProviderKind
    model_id: str
    mode: str
    endpoint: Endpoint
    prompt: Prompt
    wired: Wired
    plain: Mapping[str, str] = field(default_factory=dict)


class Call(NamedTuple):
    """The request that a piece of work became.

    Attributes:
        body: A JSON body; a value that is `bytes` is a file, and then the whole is sent as a form of parts.
        path: The path below the base URL, with `{model}` for the percent-encoded model id.
        query: Query parameters.
        headers: Headers of this call besides the protocol's.
        renamed: Our field by the dotted name that it has here, where the shape gave it another one than the
            kind's table or added what belongs to it; for reading a provider's complaint.
    """

    body: Mapping[str, Any]
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    renamed: Mapping[str, str] = {}


class Reply(NamedTuple):
    """What a model answered.

    Attributes:
        text: The text, empty where it is none (an embedding, a picture) or where thinking took all room.
        model: The model that answered, where it said so.
        finish_reason: Why it ended, in the provider's word.
        input_tokens: What the request cost, where it said so.
        output_tokens: What the answer cost, where it said so.
    """

    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Shape(NamedTuple):
    """How requests and answers look at one kind of endpoint.

    Attributes:
        compose: A request of a piece of work; pure.
        read: What a 2xx answer says, or `None` where it has not this shape.
    """

    compose: Callable[[Work], Call]
    read: Callable[[Answer, Endpoint], Reply | None]
