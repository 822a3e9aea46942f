"""What a run may spend on probes that generate: its own budget and each source's of the day, reserved before
anything is asked and given back where nothing was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from reconciler.core.outcome import Outcome, Result
from reconciler.engine.asks import Ask
from reconciler.errors import ProviderConfigError
from reconciler.store import budgets
from reconciler.store.budgets import Reservation
from reconciler.store.session import Connection, translated

# Nothing was sent where one of these was found.
_UNSENT: frozenset[Outcome] = frozenset({"refused_host", "refused_reference", "secret_missing", "skipped"})
_NEVER = datetime.min.replace(tzinfo=UTC)


class Purse:
    """One run's money.

    Args:
        connection: A connection in autocommit mode.
        source: Whose budget pays for models that nobody manages.
        most: How many probes of this run may generate; `None` for as many as the day's budgets allow.
    """

    def __init__(self, connection: Connection, source: str, most: int | None) -> None:
        self._connection = connection
        self._source = source
        self._most = most
        self._left = most
        self._reserved: list[tuple[Reservation, frozenset[int]]] = []

    def refuse(self, asks: Sequence[Ask]) -> dict[int, Result]:
        """Reserve what the probes cost; the results of those that there is no money for, by model."""
        paid = by_age(ask for ask in asks if ask.generates)
        mine, beyond = (paid, ()) if self._left is None else (paid[: self._left], paid[self._left :])
        refused = {ask.id: _skipped(ask, over_run(self._most or 0)) for ask in beyond}
        for (source, limit), group in by_budget(mine, self._source).items():
            with translated():
                granted = budgets.reserve(self._connection, source, len(group), limit=limit)
            allowed, rest = group[: granted.granted], group[granted.granted :]
            self._spend(granted, allowed)
            reason = over_day(source, granted.used, limit, granted.day)
            refused |= {ask.id: _skipped(ask, reason) for ask in rest}
        return refused

    def _spend(self, granted: Reservation, allowed: Iterable[Ask]) -> None:
        self._reserved.append((granted, frozenset(ask.id for ask in allowed)))
        if self._left is not None:
            self._left -= granted.granted

    def settle(self, results: Mapping[int, Result]) -> None:
        """Give back what was reserved and not asked; where that fails it stays counted, the safe side."""
        for reservation, models in self._reserved:
            unused = sum(1 for model in models if not was_sent(results.get(model)))
            if self._left is not None:
                self._left += unused
            with suppress(ProviderConfigError), translated():
                budgets.give_back(self._connection, reservation, unused)
        self._reserved = []


def was_sent(result: Result | None) -> bool:
    """Whether a probe went out, so that it may have cost something."""
    if result is None or result.outcome in _UNSENT:
        return False
    return result.outcome not in {"unprobeable", "probe_invalid"} or result.http_status is not None


def by_age(asks: Iterable[Ask]) -> list[Ask]:
    """What was never asked first, then what was asked longest ago: so a small budget comes round to all."""

    def age(ask: Ask) -> tuple[datetime, str]:
        known = ask.candidate.known
        return (known.checked_at if known else _NEVER, str(ask.candidate.address))

    return sorted(asks, key=age)


def by_budget(asks: Iterable[Ask], source: str) -> dict[tuple[str, int], list[Ask]]:
    """Who pays, with the providers' own limit, and for what; the order within stays."""

    def payer(ask: Ask) -> tuple[str, int]:
        return (ask.candidate.owner or source, ask.settings.budget)

    return {key: list(group) for key, group in groupby(sorted(asks, key=payer), key=payer)}


def _skipped(ask: Ask, reason: str) -> Result:
    return Result(ask.candidate.address, "skipped", "generate", detail=reason)


def over_run(most: int) -> str:
    """Why a probe is beyond the run's own budget."""
    return f"this run's budget of {most:,} probes that generate is used up; --budget sets it"


def over_day(source: str, used: int, limit: int, day: date) -> str:
    """Why a probe is beyond the day's budget."""
    anew = day + timedelta(days=1)
    return (
        f"{used:,} of {limit:,} probes that generate are used today for source '{source}'; the count begins "
        f"anew on {anew} at 00:00 UTC; the provider's verification.budget allows more"
    )
