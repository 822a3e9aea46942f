"""Providers that take one of several credentials: a key, or a token, or a pair to sign with. One way is
chosen before anything is sent, so that two identities never mix. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import ProviderKind
from reconciler.protocols.credentials import Credentials, Unresolved


class Way(NamedTuple):
    """One way to prove who asks: all that it needs, and what may come with it."""

    needed: tuple[str, ...]
    extra: tuple[str, ...] = ()


def choose(found: Credentials, target: ProbeTarget, ways: Sequence[Way]) -> Credentials | Unresolved:
    """The credentials of one way, with those that belong to none; why there are none where no way is open.

    What the provider itself names wins over what the environment happens to hold; then the first way wins.
    """
    kind, given = target.kind, target.credentials
    spoken_of = {name for way in ways for name in (*way.needed, *way.extra)}
    named = frozenset(given) if isinstance(given, Mapping) else frozenset()
    if _wants_none(target) or not spoken_of & {*kind.credentials, *named}:
        return found
    way = _named_way(ways, named) or _first_open(ways, found)
    if way is None:
        return Unresolved(
            "secret_missing", f"{_all_variables(kind, ways)} is not set where this command runs"
        )
    missing = [name for name in way.needed if name not in found]
    if missing:
        return Unresolved("secret_missing", f"{_variables(kind, missing[0])} is missing beside the rest")
    # What comes with a key of the environment belongs to no key that the provider names.
    extra = [name for name in way.extra if not named.intersection(way.needed) or name in named]
    return {
        name: secret
        for name, secret in found.items()
        if name not in spoken_of or name in way.needed or name in extra
    }


def _wants_none(target: ProbeTarget) -> bool:
    given = target.credentials
    return given == "none" or (given == "kind" and target.kind.default_credentials == "none")


def _named_way(ways: Sequence[Way], named: frozenset[str]) -> Way | None:
    return next((way for way in ways if named.intersection(way.needed)), None)


def _first_open(ways: Sequence[Way], found: Credentials) -> Way | None:
    """The first way that is wholly there, or else the first that is begun."""
    whole = next((way for way in ways if all(name in found for name in way.needed)), None)
    return whole or next((way for way in ways if any(name in found for name in way.needed)), None)


def _all_variables(kind: ProviderKind, ways: Sequence[Way]) -> str:
    return " or ".join(" with ".join(_variables(kind, name) for name in way.needed) for way in ways)


def _variables(kind: ProviderKind, name: str) -> str:
    """What people call a credential: its first variable."""
    rule = kind.credentials.get(name)
    return rule.env[0] if rule is not None and rule.env else name
