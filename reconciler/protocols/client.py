"""What asks models for applications: long-lived, over the same protocols that verification proves, with
credentials resolved anew for each call and tokens kept until they expire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime

from reconciler.core.probe import Access, ProbeTarget
from reconciler.core.prompt import NOTHING_BESIDES, Inputs, Prompt
from reconciler.errors import UsageError
from reconciler.protocols.base import HttpProtocol
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.protocols.kept_tokens import KeptTokens
from reconciler.protocols.pinned import Resolver, system_resolver
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run, Sender, open_run
from reconciler.protocols.streaming import pieces_of
from reconciler.protocols.working import reply_to


class Client:
    """Asks models; made by `open_client`, and good for as many calls at once as are wanted.

    It belongs to the event loop in which it was opened.

    Args:
        sender: What sends requests.
        access: What the operator allows.
        now: The present time, for tokens and signatures.
    """

    def __init__(self, sender: Sender, access: Access, *, now: Callable[[], datetime]) -> None:
        self._sender = sender
        self._access = access
        self._now = now
        self._tokens = KeptTokens(now)
        self._loop = asyncio.get_running_loop()
        self._is_open = True

    async def generate(
        self, target: ProbeTarget, prompt: Prompt, *, inputs: Inputs = NOTHING_BESIDES
    ) -> Reply | Verdict:
        """What a model replies, or the verdict that says why it does not.

        Args:
            target: The model; its level is `generate`, and its timeout the seconds that the whole call may
                take.
            prompt: What the model is told; see `prompt_of`.
            inputs: What it is given besides: several texts to embed, documents to rank, a recording.

        Raises:
            UsageError: The client is closed (`closed-client`) or belongs to another loop (`other-loop`);
                nothing is raised for what a server or a network does.
        """
        self._check()
        spoken = _spoken(target)
        if isinstance(spoken, Verdict):
            return spoken
        try:
            async with asyncio.timeout(target.timeout), self._call() as run:
                return await reply_to(spoken, target, prompt, inputs, run)
        except TimeoutError:
            detail = f"{target.address.provider} did not answer within {target.timeout:g} s"
            return spoken.advised(target, Verdict("timeout", detail))

    async def stream(self, target: ProbeTarget, prompt: Prompt) -> AsyncGenerator[Piece | Verdict, None]:
        """The pieces of a model's reply as they come; a verdict comes last, where it breaks off.

        It may be closed with `aclose()` at any point, which closes the connection; a loop that is left early
        should stand in `contextlib.aclosing`.

        Args:
            target: The model; its level is `generate`, and its timeout the seconds that the first piece and
                every further one may take.
            prompt: What the model is told; see `prompt_of`.

        Raises:
            UsageError: The client is closed (`closed-client`) or belongs to another loop (`other-loop`).
        """
        self._check()
        spoken = _spoken(target)
        if isinstance(spoken, Verdict):
            yield spoken
            return
        async with self._call() as run, aclosing(pieces_of(spoken, target, prompt, run)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """Stop what is under way, and forget every token."""
        self._is_open = False
        await self._tokens.close()

    def _call(self) -> AbstractAsyncContextManager[Run]:
        """A run of one call: nothing but tokens outlives it."""
        return open_run(self._sender, self._access, now=self._now(), tokens=self._tokens)

    def _check(self) -> None:
        if not self._is_open:
            hint = "open another one, and close it when the application ends"
            raise UsageError("The client is closed.", code="closed-client", hint=hint)
        if asyncio.get_running_loop() is not self._loop:
            hint = "open one in each loop"
            raise UsageError("The client belongs to another event loop.", code="other-loop", hint=hint)


@asynccontextmanager
async def open_client(access: Access, *, resolver: Resolver = system_resolver) -> AsyncIterator[Client]:
    """A client with its own connections, which are kept between calls and closed with it.

    Args:
        access: What the operator allows; `environ` is read anew for each call.
        resolver: What looks up names.

    Raises:
        UsageError: The file of certificates cannot be read (`bad-ca-file`), or the proxy is none
            (`bad-proxy`).
    """
    # The HTTP library is only loaded where something is asked.
    from reconciler.protocols.transport import open_transport

    async with open_transport(access.ca_file, proxy=access.proxy, resolver=resolver) as transport:
        client = Client(transport, access, now=lambda: datetime.now(UTC))
        try:
            yield client
        finally:
            await client.close()


def _spoken(target: ProbeTarget) -> HttpProtocol | Verdict:
    """How a model's provider is spoken to."""
    spoken = protocol(target.kind.protocol)
    if isinstance(spoken, HttpProtocol):
        return spoken
    name = target.kind.name
    detail = f"this version does not speak '{target.kind.protocol}', the protocol of {name}"
    return Verdict("unprobeable", detail)
