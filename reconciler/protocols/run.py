"""What the probes of one run share: the connections, credentials that are resolved once, and questions that
are asked once however many models they decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

from reconciler.core.probe import Access, ProbeTarget
from reconciler.protocols.credentials import Credentials, Secret, Unresolved, resolve_all
from reconciler.protocols.exchange import Answer, Exchange, Request, Streamed
from reconciler.protocols.kept_tokens import KeptTokens

Made = TypeVar("Made")


class Sender(Protocol):
    """What turns a request into an answer or a verdict; the transport, or a fake of it."""

    async def send(self, request: Request) -> Exchange:
        """Send one request; never raises for what a server or a network does."""

    def stream(self, request: Request) -> AbstractAsyncContextManager[Streamed | Exchange]:
        """Send one request whose answer comes bit by bit, if it is a success; leaving closes its connection.

        Its timeout counts until the headers are there, and then anew for every wait.
        """


class Run:
    """One verification run; made by `open_run`.

    Attributes:
        access: What the operator allows.
        now: When the run began.
        requests: How many were sent through this view of it.
        tokens: Tokens that outlive it, where it is one call of a long-lived client.
        minted: Every token that was sent in it, so that none is repeated in words.
    """

    def __init__(
        self, sender: Sender, access: Access, now: datetime, *, tokens: KeptTokens | None = None
    ) -> None:
        self.access = access
        self.now = now
        self.tokens = tokens
        self.minted: set[Secret] = set()
        self.requests = 0
        self._sender = sender
        self._asked: dict[Request, asyncio.Task[Exchange]] = {}
        self._resolved: dict[Any, Credentials | Unresolved] = {}
        self._made: dict[Hashable, Any] = {}
        self._shared: list[tuple[Request, asyncio.Task[Exchange]]] = []

    def for_probe(self) -> Self:
        """A view of the same run for one probe: it shares everything, and counts what it sends itself."""
        view = copy(self)
        view.requests = 0
        view._shared = []  # noqa: SLF001 - it is one of ours
        return view

    def alone(self) -> Self:
        """Another run over the same connections that shares nothing else, to be closed by itself."""
        return type(self)(self._sender, self.access, self.now, tokens=self.tokens)

    def credentials(self, target: ProbeTarget) -> Credentials | Unresolved:
        """A target's credentials, resolved once for all models of its provider."""
        given = target.credentials
        references = given if isinstance(given, str) else tuple(sorted(given.items()))
        key = (target.address.provider, target.kind.name, references)
        if key not in self._resolved:
            self._resolved[key] = resolve_all(target, self.access)
        return self._resolved[key]

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` returns, made once in this run for all that name the same key."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    async def ask(self, request: Request, *, shared: bool = False) -> Exchange:
        """Send a request; a shared one only once in this run, all who ask get the same answer."""
        if not shared:
            self.requests += 1
            return await self._sender.send(request)
        if request not in self._asked:
            self.requests += 1
            self._asked[request] = asyncio.create_task(self._sender.send(request))
        self._shared.append((request, self._asked[request]))
        # Who gives up waiting must not take the answer from the others.
        return await asyncio.shield(self._asked[request])

    def stream(self, request: Request) -> AbstractAsyncContextManager[Streamed | Exchange]:
        """Send a request whose answer comes bit by bit."""
        self.requests += 1
        return self._sender.stream(request)

    def forget(self) -> None:
        """Let the shared questions of this probe that went wrong be asked anew, as it is to be repeated.

        An answer stays with its question otherwise: one that came in a bad moment would be everybody's.
        """
        last = self._shared[-1:]
        for request, task in self._shared:
            is_current = self._asked.get(request) is task and task.done()
            if is_current and ((request, task) in last or not _is_good(task)):
                del self._asked[request]

    async def close(self) -> None:
        """Stop every question that nobody waits for any more."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


def _is_good(task: asyncio.Task[Exchange]) -> bool:
    exchange = task.result()
    return isinstance(exchange, Answer) and exchange.is_success


@asynccontextmanager
async def open_run(
    sender: Sender, access: Access, *, now: datetime, tokens: KeptTokens | None = None
) -> AsyncIterator[Run]:
    """A run over a sender, closed whatever happens."""
    run = Run(sender, access, now, tokens=tokens)
    try:
        yield run
    finally:
        await run.close()
