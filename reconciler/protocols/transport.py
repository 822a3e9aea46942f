"""The one place where requests leave this machine: no redirects, no proxies or certificates from the
environment, no cookies, no addresses that the host may not stand for, bounded answers, and every failure
turned into a verdict.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode

import httpx2

from reconciler.protocols.addresses import is_address, refusal_among
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import LARGEST_BODY, Answer, Exchange, Request, Streamed, Verdict
from reconciler.protocols.hosts import Origin, origin_of
from reconciler.protocols.pinned import AddressRefusedError, Resolver, system_resolver
from reconciler.protocols.pools import Pools, proxy_at, trust_in

_LONGEST_REASON = 200


Made = TypeVar("Made")


class _Prepared(NamedTuple):
    """A request that may be sent, signed; where it goes, and the same for people."""

    request: Request
    origin: Origin
    where: str


class Transport:
    """Sends requests; see `open_transport`."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def send(self, request: Request) -> Exchange:
        """The answer to a request, or the verdict where there is none within the request's timeout.

        A host that stands for an address which `request.addresses` does not take is `refused_host`, before
        anything is connected to.
        """
        prepared = self._prepared(request)
        if isinstance(prepared, Verdict):
            return prepared
        return await _within(prepared, lambda: self._answer(prepared))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streamed | Exchange]:
        """A success whose body comes bit by bit, or what there is instead, under the rules of `send`.

        The request's timeout counts until the headers are there, or the whole of an answer that is no
        success; and then anew for every wait for a further bit. Leaving closes the connection, unless the
        body was read to its end.
        """
        prepared = self._prepared(request)
        if isinstance(prepared, Verdict):
            yield prepared
            return
        async with AsyncExitStack() as stack:
            yield await _within(prepared, lambda: self._opened(prepared, stack))

    def _prepared(self, request: Request) -> _Prepared | Verdict:
        """A request with all that it is sent with, or why it must not be."""
        origin = origin_of(request.url)
        if origin is None:
            return _unsendable("the endpoint")
        literal = (origin.host,) if is_address(origin.host) else ()
        if refused := refusal_among(origin.host, literal, request.addresses):
            return Verdict("refused_host", refused)
        request = _signed(request)
        # The library would quote an impossible header in its error and in its log.
        if not all(value.isascii() and value.isprintable() for _, value in _headers(request)):
            return _unsendable(str(origin))
        proxy = self._pools.proxy_to(origin)
        where = f"{origin} (through the proxy {proxy})" if proxy else str(origin)
        return _Prepared(request, origin, where)

    async def _answer(self, prepared: _Prepared) -> Answer:
        started = perf_counter()
        async with self._responding(prepared) as response:
            return await _whole(response, prepared.request, started)

    async def _opened(self, prepared: _Prepared, stack: AsyncExitStack) -> Streamed | Answer:
        started = perf_counter()
        response = await stack.enter_async_context(self._responding(prepared))
        if not response.is_success:
            return await _whole(response, prepared.request, started)
        chunks = await stack.enter_async_context(aclosing(_chunks(response, prepared)))
        return Streamed(response.status_code, _plain(response), perf_counter() - started, chunks)

    def _responding(self, prepared: _Prepared) -> AbstractAsyncContextManager[httpx2.Response]:
        request, client = prepared.request, self._pools.client(prepared.origin, prepared.request.addresses)
        return client.stream(
            request.method, request.url, headers=_headers(request), content=_content(request)
        )


@asynccontextmanager
async def open_transport(
    ca_file: str | None = None, *, proxy: str | None = None, resolver: Resolver = system_resolver
) -> AsyncIterator[Transport]:
    """A transport that trusts the system's certificates, or those in `ca_file` instead of them.

    Each host is looked up with `resolver`, and only addresses that `Request.addresses` takes are connected
    to. Through a `proxy` (`http://` or `https://`, with a user and password if need be; loopback is called
    without it) names are looked up by the proxy, so what they stand for is the proxy's to check. Proxies
    that variables such as `HTTPS_PROXY` name are never used.

    Raises:
        UsageError: `ca_file` cannot be read or holds no certificate, or `proxy` is no address of one.
    """
    # At its most talkative the library logs whole headers of answers, which may quote keys.
    logging.getLogger("httpcore2").setLevel(logging.WARNING)
    trust = trust_in(ca_file)
    pools = Pools(trust, proxy_at(proxy, trust), resolver)
    try:
        yield Transport(pools)
    finally:
        await pools.close()


async def _within(prepared: _Prepared, act: Callable[[], Awaitable[Made]]) -> Made | Verdict:
    """What an act returns, or the verdict where it fails or takes longer than the request may."""
    request, where = prepared.request, prepared.where
    try:
        async with asyncio.timeout(request.timeout):
            return await act()
    except (TimeoutError, httpx2.TimeoutException):
        return Verdict("timeout", f"{where} did not answer within {request.timeout:g} s")
    except AddressRefusedError as refused:
        return Verdict("refused_host", str(refused))
    except (httpx2.LocalProtocolError, httpx2.InvalidURL, UnicodeError):
        return _unsendable(where)
    except httpx2.DecodingError:
        return Verdict("bad_response", f"{where} sent an answer that cannot be decompressed")
    except (httpx2.HTTPError, OSError) as error:
        return _failure(error, where)


async def _whole(response: httpx2.Response, request: Request, started: float) -> Answer:
    body, complete = b"", True
    if not request.headers_only:
        # What a failure says is no longer than what a probe reads.
        limit = request.limit if response.is_success else min(request.limit, LARGEST_BODY)
        body, complete = await _bounded(response, limit)
    return Answer(response.status_code, _plain(response), body, complete, perf_counter() - started)


async def _chunks(response: httpx2.Response, prepared: _Prepared) -> AsyncGenerator[bytes | Verdict, None]:
    """A body as it comes, and a verdict where it breaks off."""
    async with aclosing(response.aiter_bytes()) as chunks:
        while (chunk := await _within(prepared, lambda: anext(chunks, None))) is not None:
            yield chunk
            if isinstance(chunk, Verdict):
                return


def _plain(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _signed(request: Request) -> Request:
    """A request with its signature among its secrets, where it has a signer."""
    if request.signer is None:
        return request
    return replace(request, secrets=(*request.secrets, *request.signer.sign(request)), signer=None)


def _headers(request: Request) -> list[tuple[str, str]]:
    secret = [(header.name, header.prefix + header.secret.reveal()) for header in request.secrets]
    if request.form:
        return [*request.headers, *secret, ("Content-Type", "application/x-www-form-urlencoded")]
    if request.body is not None:
        return [*request.headers, *secret, ("Content-Type", request.content_type)]
    return [*request.headers, *secret]


def _content(request: Request) -> bytes | None:
    if not request.form:
        return request.body
    fields = [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.form]
    return urlencode(fields).encode("ascii")


async def _bounded(response: httpx2.Response, limit: int) -> tuple[bytes, bool]:
    """A body as far as the limit, and whether that is all of it; what expands is counted expanded."""
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                return bytes(body[:limit]), False
    return bytes(body), True


def _unsendable(where: str) -> Verdict:
    return Verdict("probe_invalid", f"no valid request to {where} can be made of this configuration")


def _failure(error: Exception, where: str) -> Verdict:
    if isinstance(error, httpx2.ProxyError):
        # A proxy may answer with any words, the status alone is safe to repeat.
        return Verdict("unreachable", f"{where} could not be reached: the proxy answered {str(error)[:3]}")
    reason = _reason(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        hint = "if it has a private authority, RECONCILER_CA_FILE names its certificates"
        return Verdict("unreachable", f"the certificate of {where} is not trusted ({reason}); {hint}")
    if isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in reason:
        return Verdict("bad_response", f"{where} does not speak proper HTTP: {reason}")
    return Verdict("unreachable", f"{where} could not be reached: {reason}")


def _reason(error: BaseException) -> str:
    """The words of the deepest cause: `connection refused` says more than `all attempts failed`."""
    deepest: BaseException = error
    while cause := deepest.__cause__ or deepest.__context__:
        deepest = cause
    if isinstance(deepest, BaseExceptionGroup):
        deepest = deepest.exceptions[0]
    if isinstance(deepest, ssl.SSLError) or not isinstance(deepest, OSError):
        return (str(deepest) or str(error) or type(error).__name__)[:_LONGEST_REASON]
    # The loop words it by the address it called; the system's own words are what people know.
    number = deepest.errno or 0
    return os.strerror(number).lower() if number > 0 else str(deepest.strerror or deepest)[:_LONGEST_REASON]
