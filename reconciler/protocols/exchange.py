"""One question and what came of it, as values: they stand apart from the transport, so that reading an
answer needs no network and no HTTP library.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

from reconciler.core.outcome import Outcome
from reconciler.protocols.credentials import Secret

Addresses = Literal["public", "loopback", "private"]

# No probe's answer is larger; what is larger is not read.
LARGEST_BODY = 1024 * 1024


class SecretHeader(NamedTuple):
    """A header that holds a credential; its value is put together only when it is sent."""

    name: str
    prefix: str
    secret: Secret


class Signer(Protocol):
    """Puts a signature under a request at the moment that it is sent: one that waited would be too old."""

    def sign(self, request: Request) -> tuple[SecretHeader, ...]:
        """The headers that the signature is sent in."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Equal requests are the same question, and printing one shows no credential.

    Attributes:
        method: The HTTP method.
        url: The whole URL; it never holds a credential.
        timeout: Seconds for everything: connecting, sending, and reading the answer to its end.
        headers: Plain headers.
        secrets: Headers that hold credentials.
        body: A body, encoded.
        form: A form body; its secrets are revealed only when it is sent.
        headers_only: Whether the answer's body does not matter and is not read.
        attempt: Makes a repeated question a new one.
        signer: Signs it when it is sent; equal signers make equal questions.
        addresses: What the host's name may stand for: `public` addresses of the internet only, `loopback`
            only, or `private` networks too, where the operator named the host.
        content_type: What the body is.
        limit: The most bytes of a success that are read.
    """

    method: str
    url: str
    timeout: float
    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[SecretHeader, ...] = ()
    body: bytes | None = None
    form: tuple[tuple[str, str | Secret], ...] = ()
    headers_only: bool = False
    attempt: int = 0
    signer: Signer | None = None
    addresses: Addresses = "public"
    content_type: str = "application/json"
    limit: int = LARGEST_BODY

    @property
    def held(self) -> tuple[Secret, ...]:
        """The secrets that are in it."""
        form = (value for _, value in self.form if isinstance(value, Secret))
        return (*(header.secret for header in self.secrets), *form)


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status.
        headers: Its headers, names in lower case.
        body: The body as far as it was read; never longer than the transport's limit.
        complete: Whether that is all of it.
        seconds: How long it took, from sending to the last byte.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    complete: bool = True
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    @cached_property
    def document(self) -> Any:
        """The body read as JSON; `None` where it is none. Kept, as many readers may share one answer."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one probe found: a `Result` that does not know yet whose it is."""

    outcome: Outcome
    detail: str = ""
    http_status: int | None = None
    latency_ms: int | None = None
    provider_code: str | None = None
    retry_after: float | None = None
    answered_by: str | None = None
    refused_parameters: tuple[str, ...] = ()


Exchange = Answer | Verdict


@dataclass(frozen=True, slots=True)
class Streamed:
    """A success whose body comes bit by bit.

    Attributes:
        status: The HTTP status.
        headers: Its headers, names in lower case.
        seconds: How long it took until they came.
        chunks: The body as it comes; a verdict comes last, where it breaks off.
    """

    status: int
    headers: Mapping[str, str]
    seconds: float
    chunks: AsyncIterator[bytes | Verdict]
