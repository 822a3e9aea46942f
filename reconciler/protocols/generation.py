"""What a model is asked to do, and what came of it, as values: the probe `generate` and applications build
their requests here, in one way, so that what is verified is what will be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reconciler.core.prompt import NOTHING_BESIDES, Inputs, Prompt
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
        inputs: What it is given besides, by applications.
    """

    kind: ProviderKind
    model_id: str
    mode: str
    endpoint: Endpoint
    prompt: Prompt
    wired: Wired
    plain: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs = NOTHING_BESIDES

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts to work on: those that it is given, or else the prompt's one."""
        return self.inputs.texts or (self.prompt.user,)

    @property
    def text_or_texts(self) -> str | list[str]:
        """The same where one text stands for itself and several are a list."""
        return list(self.inputs.texts) or self.prompt.user


class File(NamedTuple):
    """A file in a call's body."""

    content: bytes
    name: str


class Call(NamedTuple):
    """The request that a piece of work became.

    Attributes:
        body: A JSON body; a value may be a `File`, and then the whole is sent as a form of parts.
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


# More is no count: past it JSON's readers round.
MOST_TOKENS = 2**53


class Reply(NamedTuple):
    """What a model answered.

    Attributes:
        text: The text, empty where it is none (an embedding, a picture) or where thinking took all room.
        model: The model that answered, where it said so.
        finish_reason: Why it ended, in the provider's word.
        input_tokens: What the request cost, where it said so.
        output_tokens: What the answer cost, where it said so.
        values: What is no text: embeddings (a list of floats for each text), ranks (the number of a document
            and its score, the best first), judgements (the provider's own), pictures (URLs or base64), or a
            sound (bytes); `None` where the answer is a text.

    >>> Reply("In the reading room.", finish_reason="stop", output_tokens=5).output_tokens
    5
    """

    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    values: Any = None


class Piece(NamedTuple):
    """A piece of an answer that comes bit by bit; what it says nothing of is empty or `None`.

    Attributes:
        text: More of the text.
        model: The model that answers.
        finish_reason: Why the answer has ended, in the provider's word; it then is whole.
        input_tokens: What the request cost.
        output_tokens: What the answer has cost as yet.

    >>> "".join(piece.text for piece in (Piece("In the "), Piece("room."), Piece(finish_reason="stop")))
    'In the room.'
    """

    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Event(NamedTuple):
    """One event of a stream.

    Attributes:
        name: What it is called, empty where it has no name.
        document: What it says, read as JSON.
        error: The code of an error, where the framing says that it is one.
    """

    name: str
    document: Any
    error: str = ""


Framing = Literal["sse", "lines", "aws"]


class Streaming(NamedTuple):
    """How an answer that comes bit by bit is asked for and read.

    Attributes:
        framing: How events are told apart: `sse` (server-sent events), `lines` (a JSON document a line),
            `aws` (binary event messages).
        ask: The request for it, made of the one for a whole answer; `None` where there is none.
        read: A piece of an event: `None` where the event says nothing, not even that the model is at work.
        ends: Whether nothing comes after an event.
    """

    framing: Framing
    ask: Callable[[Call, Work], Call | None]
    read: Callable[[Event, Endpoint], Piece | None]
    ends: Callable[[Event], bool]


class Shape(NamedTuple):
    """How requests and answers look at one kind of endpoint.

    Attributes:
        compose: A request of a piece of work; pure.
        read: What a 2xx answer says, or `None` where it has not this shape.
        stream: How it is answered bit by bit, where that is known.
    """

    compose: Callable[[Work], Call]
    read: Callable[[Answer, Endpoint], Reply | None]
    stream: Streaming | None = None
