"""Connections to addresses that were checked: a name is looked up once for each connection, every address it
stands for is held against the policy, and one of these very addresses is called; so no name can be changed
between the check and the call.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import TypeAlias

import httpcore2
import httpx2

from reconciler.protocols.addresses import is_address, refusal_among
from reconciler.protocols.exchange import Addresses

# Looks up a name: host and port to addresses, in the order in which they are called.
Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
Streaming: TypeAlias = Coroutine[None, None, httpcore2.AsyncNetworkStream]

# Seconds after which the next address is called too; a dead one must not eat the whole timeout.
_STAGGER = 0.25


class AddressRefusedError(Exception):
    """A host stands for an address that the policy does not take; its text is a sentence for people."""


async def system_resolver(host: str, port: int) -> tuple[str, ...]:
    """The addresses that the system knows for a name, looked up in the loop's executor.

    Raises:
        OSError: There are none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The same address comes once for each way to speak to it.
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class PinnedTransport(httpx2.AsyncHTTPTransport):
    """A pool of connections of one policy: one that was opened under a laxer policy never serves it.

    Args:
        trust: Whose certificates count.
        policy: Which addresses may be called.
        limits: How large the pool may be.
        resolver: What looks up names.
    """

    def __init__(
        self, trust: ssl.SSLContext, policy: Addresses, limits: httpx2.Limits, resolver: Resolver
    ) -> None:
        super().__init__(verify=trust, trust_env=False, limits=limits)
        # The library offers no other door for this. Should it ever rename its pool, this breaks off here,
        # and never goes on unchecked.
        self._pool = type(self._pool)(
            ssl_context=trust,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=PinnedBackend(policy, resolver),
        )


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that a policy takes, under the name that they were looked up by.

    Args:
        policy: Which addresses may be called.
        resolver: What looks up names.
    """

    def __init__(self, policy: Addresses, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look up a host, check every address it stands for, and connect to the first one that answers.

        Raises:
            AddressRefusedError: The policy does not take one of them; nothing was connected to.
            OSError: The host stands for nothing.
            httpcore2.ConnectError: None of the addresses answers.
        """
        found = (host,) if is_address(host) else await self._resolver(host, port)
        if refused := refusal_among(host, found, self._policy):
            raise AddressRefusedError(refused)
        if not found:
            raise OSError(f"{host} has no address")

        def call(address: str) -> Streaming:
            return self._network.connect_tcp(address, port, timeout, local_address, socket_options)

        return await _first(deque(found), call)

    async def sleep(self, seconds: float) -> None:
        """Wait, as the library asks."""
        await self._network.sleep(seconds)


async def _first(addresses: deque[str], call: Callable[[str], Streaming]) -> httpcore2.AsyncNetworkStream:
    """The connection that stands first; each further address is called when the one before it has failed or
    is slow.
    """
    calls: list[asyncio.Task[httpcore2.AsyncNetworkStream]] = []
    pending: set[asyncio.Task[httpcore2.AsyncNetworkStream]] = set()
    chosen = None
    try:
        while chosen is None:
            if addresses:
                calls.append(asyncio.create_task(call(addresses.popleft())))
                pending.add(calls[-1])
            patience = _STAGGER if addresses else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            chosen = next((task for task in done if task.exception() is None), None)
            if chosen is None and not addresses and not pending:
                # All have failed; the error of the last one is as good as any.
                chosen = calls[-1]
        return chosen.result()
    finally:
        await _hang_up(task for task in calls if task is not chosen)


async def _hang_up(calls: Iterable[asyncio.Task[httpcore2.AsyncNetworkStream]]) -> None:
    """Give up calls, and close what they have opened."""
    given_up = tuple(calls)
    for task in given_up:
        task.cancel()
    for ended in await asyncio.gather(*given_up, return_exceptions=True):
        if isinstance(ended, httpcore2.AsyncNetworkStream):
            await ended.aclose()
