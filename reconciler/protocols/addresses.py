"""Which IP addresses a request may be sent to: pure rules, apart from hosts, for a name that may have the key
can still be made to stand for a machine that may not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from reconciler.protocols.exchange import Addresses

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class _Range(NamedTuple):
    """Addresses that are no public service; `always` where the operator's word does not open them either."""

    network: _Network
    words: str
    always: bool = False


def _ranges(words: str, *networks: str, always: bool = False) -> tuple[_Range, ...]:
    return tuple(_Range(ip_network(network), words, always) for network in networks)


# From the registries of special-purpose addresses; the library's own answers differ between its versions.
# The first that fits gives the words.
_RANGES = (
    *_ranges(
        "the metadata service of a cloud, which gives out that cloud's keys",
        *("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32"),
        *("168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"),
        always=True,
    ),
    *_ranges("a link-local address", "169.254.0.0/16", "fe80::/10", always=True),
    *_ranges("an unspecified address", "0.0.0.0/8", "::/128", always=True),
    *_ranges("a broadcast address", "255.255.255.255/32", always=True),
    *_ranges("a multicast address", "224.0.0.0/4", "ff00::/8", always=True),
    *_ranges("a loopback address", "127.0.0.0/8", "::1/128"),
    *_ranges("a private address", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    *_ranges("a provider's internal (CGNAT) address", "100.64.0.0/10"),
    *_ranges("an address for benchmarks", "198.18.0.0/15", "2001:2::/48"),
    *_ranges("an address of a tunnel", "192.88.99.0/24", "2001::/32", "2002::/16"),
    *_ranges(
        "an address for documents",
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    ),
    *_ranges("a reserved address", "192.0.0.0/24", "240.0.0.0/4", "2001::/23"),
)
# All that is given out to the public.
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_MAPPED = IPv6Network("::ffff:0:0/96")
# Networks without IPv4 reach all of it through this prefix.
_NAT64 = IPv6Network("64:ff9b::/96")
# The last 32 bits of an address in one of these are an address of IPv4.
_ENDING_IN_IPV4 = tuple(map(IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48")))
_ALL_32_BITS = 2**32 - 1


def refusal_among(host: str, found: Iterable[str], policy: Addresses) -> str | None:
    """Why nothing is sent to a host that stands for these addresses; `None` where all of them will do.

    A single wrong address refuses the host: a name that stands for both a public and a private address is
    an attack or a mistake. An address that is itself the host is the operator's word where the policy is
    `private`, for nothing else could have opened it.
    """
    for address in found:
        if policy == "private" and address == host:
            continue
        if words := refused(address, policy):
            what = host if address == host else f"{host} stands for {address}, which"
            return f"{what} is {words}; nothing was sent"
    return None


def refused(address: str, policy: Addresses) -> str | None:
    """What is wrong with an address under a policy, as the end of a sentence; `None` where nothing is.

    `public` takes what the whole internet can reach, `loopback` this machine, and `private` everything
    but what no server has: link-local, metadata services, multicast, broadcast and unspecified addresses.

    >>> refused("10.0.0.5", "public"), refused("10.0.0.5", "private")
    ('a private address', None)
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "no IP address"
    if policy == "loopback":
        return None if _words(found, only_always=False) == "a loopback address" else "not this machine"
    only_always = policy == "private"
    for inside in _inside(found):
        if words := _words(inside, only_always=only_always):
            return f"{words}, written as one of IPv6"
    return None if _is_translated(found) else _words(found, only_always=only_always)


def is_address(host: str) -> bool:
    """Whether a host is an IP address, which is looked up nowhere."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _words(address: _Address, *, only_always: bool) -> str | None:
    for network, words, always in _RANGES:
        if (always or not only_always) and address in network:
            return words
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST and not only_always:
        return "no address of the public internet"
    return None


def _is_translated(address: _Address) -> bool:
    """Whether it is nothing but another spelling of an address of IPv4."""
    return address in _MAPPED or address in _NAT64


def _inside(address: _Address) -> Iterator[IPv4Address]:
    """The addresses of IPv4 that one of IPv6 leads to."""
    if isinstance(address, IPv4Address):
        return
    if _is_translated(address) or (int(address) > 1 and any(address in one for one in _ENDING_IN_IPV4)):
        yield IPv4Address(int(address) & _ALL_32_BITS)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
