"""A rehearsal of verifying: what would be asked, of whom, and what it would cost at the most. Nothing is
asked, claimed, reserved or written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date

from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.rehearsal import PlannedProbe
from reconciler.engine.asks import Ask, alike, asks_of, not_asked
from reconciler.engine.prober import Prober
from reconciler.engine.purse import by_age, by_budget, over_day, over_run
from reconciler.protocols import hosts
from reconciler.protocols.costs import Estimate
from reconciler.store import budgets
from reconciler.store.session import Connection, translated
from reconciler.store.verification import candidates


def rehearse(
    connection: Connection,
    prober: Prober,
    estimate: Callable[[ProbeTarget], Estimate],
    *,
    source: str,
    selection: Selection,
) -> tuple[PlannedProbe, ...]:
    """What `verify` would do with a selection, one for each model and in its order.

    Raises:
        UsageError: The selection names a model that is not there or not active.
    """
    with translated():
        now = prober.clock(connection)
        found = candidates(connection)
        used = budgets.used_today(connection)
    asks = asks_of(found, selection, (), prober)
    done = not_asked(asks, found, selection, now=now)
    rest = [ask for ask in asks if ask.id not in done]
    asked_for = alike(rest)
    reasons = {id_: result.detail for id_, result in done.items()}
    reasons |= {
        ask.id: f"the answer for {asked_for[ask.id].candidate.address} counts for it too"
        for ask in rest
        if asked_for[ask.id].id != ask.id
    }
    paid = [ask for ask in rest if ask.id not in reasons and ask.generates]
    reasons |= _over_budget(paid, used, source=source, most=selection.budget, day=now.astimezone(UTC).date())
    return tuple(_planned(ask, reasons.get(ask.id, ""), estimate) for ask in asks)


def _over_budget(
    paid: Iterable[Ask], used: Mapping[str, int], *, source: str, most: int | None, day: date
) -> dict[int, str]:
    """Which probes there is no budget for, and why; in the order in which the money would be spent."""
    ordered = by_age(paid)
    mine, beyond = (ordered, []) if most is None else (ordered[:most], ordered[most:])
    reasons = {ask.id: over_run(most or 0) for ask in beyond}
    spent = dict(used)
    for (payer, limit), group in by_budget(mine, source).items():
        granted = max(0, min(len(group), limit - spent.get(payer, 0)))
        spent[payer] = spent.get(payer, 0) + granted
        reasons |= {ask.id: over_day(payer, spent[payer], limit, day) for ask in group[granted:]}
    return reasons


def _planned(ask: Ask, reason: str, estimate: Callable[[ProbeTarget], Estimate]) -> PlannedProbe:
    address, target = ask.candidate.address, ask.target
    if isinstance(target, Result):
        return PlannedProbe(address, target.probe, reason=target.detail)
    host = str(hosts.origin_of(target.base_url or "") or "")
    if reason:
        return PlannedProbe(address, target.level, host, reason=reason)
    cost = estimate(target)
    shared = tuple(str(call) for call in cost.requests if call.shared)
    return PlannedProbe(address, target.level, host, cost.calls, shared, cost.tokens, cost.reason)
