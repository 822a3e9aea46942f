"""The pools that connections come from, apart from what is sent over them: one for each policy of addresses,
and one for the operator's proxy; nothing of them is taken from the environment.
"""

from __future__ import annotations

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from reconciler.errors import UsageError
from reconciler.protocols.exchange import Addresses
from reconciler.protocols.hosts import Origin, is_loopback, origin_of
from reconciler.protocols.pinned import PinnedTransport, Resolver

USER_AGENT = "llm-reconciler"

# Applications ask again and again, and a handshake with a hosted provider costs more than a probe; what is
# kept for longer has often been closed at the other end.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
# A small server here may keep a thread for each open connection, and to connect anew costs nothing.
_LIMITS_HERE = httpx2.Limits(max_connections=None, max_keepalive_connections=0)


class Pools:
    """Clients, made when the first request wants them.

    Args:
        trust: Whose certificates count.
        proxy: What every request goes through that does not stay on this machine.
        resolver: What looks up the names of hosts that are called without a proxy.
    """

    def __init__(self, trust: ssl.SSLContext, proxy: httpx2.Proxy | None, resolver: Resolver) -> None:
        self._trust = trust
        self._proxy = proxy
        self._resolver = resolver
        self._direct: dict[Addresses, httpx2.AsyncClient] = {}
        self._proxied: httpx2.AsyncClient | None = None

    def proxy_to(self, origin: Origin) -> str | None:
        """The proxy that an origin is reached through, as `host[:port]`; `None` where it is called itself.

        Loopback is this machine and not the proxy's, and what goes there may be unencrypted.
        """
        if self._proxy is None or is_loopback(origin.host):
            return None
        return self._proxy.url.netloc.decode("ascii", "replace")

    def client(self, origin: Origin, policy: Addresses) -> httpx2.AsyncClient:
        """What sends a request to an origin whose host may stand for a policy's addresses.

        Behind a proxy it is the proxy that looks names up, so there the policy binds literal addresses only.
        """
        if self.proxy_to(origin) is not None:
            if self._proxied is None:
                self._proxied = _client(
                    httpx2.AsyncHTTPTransport(
                        verify=self._trust, trust_env=False, limits=_LIMITS, proxy=self._proxy
                    )
                )
            return self._proxied
        if policy not in self._direct:
            limits = _LIMITS_HERE if policy == "loopback" else _LIMITS
            self._direct[policy] = _client(PinnedTransport(self._trust, policy, limits, self._resolver))
        return self._direct[policy]

    async def close(self) -> None:
        """Close every connection."""
        clients = [*self._direct.values()] + ([] if self._proxied is None else [self._proxied])
        for client in clients:
            await client.aclose()


def _client(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        # Each request has its own limit, for everything together.
        timeout=None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
    )


def trust_in(ca_file: str | None) -> ssl.SSLContext:
    """Trust in the system's certificates, or in those of a file instead of them.

    Raises:
        UsageError: The file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The certificates in '{ca_file}' cannot be read.",
            code="bad-ca-file",
            hint="RECONCILER_CA_FILE names a file of certificates in PEM form",
        ) from error


def proxy_at(url: str | None, trust: ssl.SSLContext) -> httpx2.Proxy | None:
    """The operator's proxy, `http://` or `https://`, with `user:password@` where it wants them.

    Raises:
        UsageError: It is none; the message repeats nothing of it, for it may hold a password.
    """
    if not url:
        return None
    found = _proxy(url, trust)
    # Raised here and not where it was noticed: the library's error quotes the URL.
    if found is None:
        raise UsageError(
            "RECONCILER_PROXY is no address of a proxy.",
            code="bad-proxy",
            hint="write http://host:port or https://host:port, with user:password@ before the host",
        )
    return found


def _proxy(url: str, trust: ssl.SSLContext) -> httpx2.Proxy | None:
    try:
        read = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    # As strict as with any other host; the user and the password are no part of the location.
    origin = origin_of(f"{read.scheme}://{read.netloc.decode('ascii', 'replace')}")
    if origin is None or read.raw_path != b"/" or read.fragment:
        return None
    return httpx2.Proxy(read, ssl_context=trust if read.scheme == "https" else None)
