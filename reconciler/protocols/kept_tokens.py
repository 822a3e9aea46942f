"""Tokens that a long-lived client keeps between its calls: until shortly before they expire, or until a
server refuses them. Apart from runs, which ask once for everything and end.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, Verdict

# However long a server says that a token is good.
_LONGEST = timedelta(minutes=30)
# Where it says nothing.
_UNTOLD = timedelta(minutes=5)
# A token must not expire on its way.
_MARGIN = timedelta(seconds=60)
# One for each key that is in use; whoever was not asked for longest goes first.
_MOST = 256


class Grant(NamedTuple):
    """A token, with the answer that it came in."""

    token: Secret
    answer: Answer


class _Kept(NamedTuple):
    grant: Grant
    until: datetime


class KeptTokens:
    """The tokens of one client, by what they were exchanged for.

    Args:
        now: The present time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Task[Grant | Verdict]] = {}

    def __len__(self) -> int:
        return len(self._kept) + len(self._under_way)

    async def grant(
        self, key: Hashable, exchange: Callable[[], Awaitable[Grant | Verdict]], *, refused: Secret | None
    ) -> Grant | Verdict:
        """The token for a key: the one that is kept, or one from an exchange that all who ask now share.

        `refused` is a token that a server did not take: it is given to nobody any more.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.grant.token != refused and self._now() < kept.until:
            self._kept.move_to_end(key)
            return kept.grant
        self._kept.pop(key, None)
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._exchanged(key, exchange))
        # Who gives up waiting must not take the token from the others.
        task = self._under_way[key]
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if asking is not None and asking.cancelling():
                raise
            return Verdict("skipped", "the client was closed while it waited for a token")

    async def close(self) -> None:
        """Stop every exchange, and forget every token."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    async def _exchanged(
        self, key: Hashable, exchange: Callable[[], Awaitable[Grant | Verdict]]
    ) -> Grant | Verdict:
        try:
            found = await exchange()
            if isinstance(found, Grant):
                self._keep(key, found)
            return found
        finally:
            del self._under_way[key]

    def _keep(self, key: Hashable, grant: Grant) -> None:
        now = self._now()
        self._kept[key] = _Kept(grant, now + lifetime(grant.answer.document, now=now))
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)


def lifetime(document: Any, *, now: datetime) -> timedelta:
    """How long a token is kept, by the answer that it came in: never after it has expired.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> lifetime({"expires_in": 600}, now=now), lifetime({"expires_in": 3600}, now=now)
    (datetime.timedelta(seconds=540), datetime.timedelta(seconds=1800))
    """
    said = document if isinstance(document, Mapping) else {}
    seconds = _number(said.get("expires_in"))
    moment = _number(said.get("expiration"))
    if seconds is None and moment is not None:
        seconds = moment - now.timestamp()
    if seconds is None:
        return _UNTOLD
    told = timedelta(seconds=max(0.0, min(seconds, 2 * _LONGEST.total_seconds())))
    # Of a short life the margin is a part, or nothing would be left of it.
    return min(told - min(_MARGIN, told / 4), _LONGEST)


def _number(found: Any) -> float | None:
    """A number of seconds; some services write it as a text."""
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
