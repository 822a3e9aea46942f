"""Where a request may go: pure rules over a URL, a kind and the operator's list. A pull request that points
`base_url` elsewhere must not receive a key, whatever tricks the URL plays.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

from reconciler.core.provider_kind import ProviderKind
from reconciler.protocols.addresses import is_address
from reconciler.protocols.exchange import Addresses

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LONGEST_HOST = 253
_LONGEST_LABEL = 63
_HIGHEST_PORT = 65_535

# Deliberately narrower than the standard: no user, no escapes, no backslash, nothing outside ASCII. What two
# parsers could read differently is no URL here.
# Both cases are written out: where case is ignored, `s` also means U+017F and `k` the sign for kelvin.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?=[/?]|$)[^\s\\#\x00-\x1f\x7f]*"
)
_ENTRY = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/@]+|[0-9a-f]*(?::[0-9a-f]*){2,})(?::(?P<port>[0-9]{1,5}))?"
)
# The last label of a name is never a number; where it is one, resolvers read the whole as an address in
# decimal, octal or hexadecimal.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Origin(NamedTuple):
    """What a connection is made to; the host in lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def origin_of(url: str) -> Origin | None:
    """Where a URL leads; `None` where it is not plain enough to be sure.

    >>> origin_of("https://API.openai.com/v1")
    Origin(scheme='https', host='api.openai.com', port=443)
    >>> origin_of("https://api.openai.com@evil.example/") is None
    True
    """
    match = _URL.fullmatch(url)
    if match is None:
        return None
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        return None
    host = _plain_host(match["host"])
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    return Origin(scheme, host, port) if host and 0 < port <= _HIGHEST_PORT else None


class Ruling(NamedTuple):
    """What was decided about a URL.

    Attributes:
        refusal: Why nothing may be sent there, and what the operator can do about it; `None` where it may.
        addresses: What the host may stand for.
    """

    refusal: str | None
    addresses: Addresses = "public"


def ruling(url: str, kind: ProviderKind, allowed_hosts: Iterable[str], *, has_credential: bool) -> Ruling:
    """Whether something may be sent to a URL, and which addresses its host may stand for.

    A kind's own hosts are open on the default port of https, loopback to the kinds that live there as long
    as no credential is sent, and everything else only where `allowed_hosts` (`host[:port]`, `*.` for
    sub-domains) names it. Nothing but loopback is spoken to without encryption. A kind's own hosts are
    public services, whoever else names them; what only the operator names may be on a private network.
    """
    origin = origin_of(url)
    if origin is None:
        return Ruling("base_url is no plain URL of the form https://host[:port]/path; nothing was sent")
    loopback = is_loopback(origin.host)
    if origin.scheme == "http" and not loopback:
        return Ruling(
            f"http://{origin} is not encrypted, and only loopback may be; write https:// in base_url"
        )
    if _is_own(origin, kind):
        return Ruling(None, "public")
    if any(_names(entry, origin) for entry in allowed_hosts):
        return Ruling(None, "loopback" if loopback else "private")
    if loopback and kind.loopback and kind.built_in and not has_credential:
        return Ruling(None, "loopback")
    what = "the credentials would go" if has_credential else "the request would go"
    return Ruling(
        f"{what} to {origin}, which is no host of {kind.name}, so nothing was sent; if it is meant, the "
        f"operator allows it: RECONCILER_ALLOWED_HOSTS={origin}"
    )


def refusal(
    url: str, kind: ProviderKind, allowed_hosts: Iterable[str], *, has_credential: bool
) -> str | None:
    """Why nothing may be sent to a URL, as `ruling` decides; `None` where it may."""
    return ruling(url, kind, allowed_hosts, has_credential=has_credential).refusal


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback and not _is_mapped(host)
    except ValueError:
        return False


def _is_mapped(host: str) -> bool:
    return ":" in host and ipaddress.IPv6Address(host).ipv4_mapped is not None


def _is_own(origin: Origin, kind: ProviderKind) -> bool:
    """Whether it is one of the kind's hosts. A kind that somebody wrote into the files has none."""
    if not kind.built_in or origin.scheme != "https" or origin.port != _DEFAULT_PORTS["https"]:
        return False
    return any(_covers(pattern.lower(), origin.host) for pattern in kind.hosts)


def _names(entry: str, origin: Origin) -> bool:
    """Whether an operator's `host[:port]` means this origin; without a port it means the scheme's own."""
    match = _ENTRY.fullmatch(entry.strip().lower())
    if match is None:
        return False
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[origin.scheme]
    pattern = match["host"]
    if ":" in pattern:
        pattern = _plain_host(f"[{pattern.strip('[]')}]") or ""
    return port == origin.port and _covers(pattern, origin.host)


def _covers(pattern: str, host: str) -> bool:
    """Whether a pattern means a host; `*.` stands for one or more labels, never for none or for numbers."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1 and not is_address(host)
    return bool(pattern) and pattern == host


def _plain_host(host: str) -> str | None:
    """A host in its one spelling; `None` where it is malformed, or an address in disguise."""
    host = host.lower()
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1]).compressed
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
    fits = len(host) <= _LONGEST_HOST and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    return host if fits else None
