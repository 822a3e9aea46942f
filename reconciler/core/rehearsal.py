"""What a run of verification would ask and cost, as values: a rehearsal asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.address import Address
from reconciler.core.provider_kind import ProbeLevel


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """One model's probe as it would be made.

    Attributes:
        address: The model.
        probe: The level.
        host: Who would be asked, empty where nobody would.
        calls: The requests, one text each; empty where nothing would be sent.
        shared: Those of them that are sent once for all models of the provider.
        tokens: How many tokens it would cost at the most.
        reason: Why nothing would be sent, or what is not known beforehand; empty where neither is so.
    """

    address: Address
    probe: ProbeLevel
    host: str = ""
    calls: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    tokens: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """A rehearsal in numbers: models that would be probed, requests, probes that generate, tokens at most."""

    probes: int
    calls: int
    generate: int
    tokens: int


def totals(planned: Sequence[PlannedProbe]) -> Totals:
    """What all of it comes to; a request that serves several models counts once.

    >>> listing = PlannedProbe(Address("model", "p/a"), "model", calls=("GET /",), shared=("GET /",))
    >>> totals([listing, listing]).calls
    1
    """
    asked = [one for one in planned if one.calls]
    shared = {(one.address.provider, call) for one in asked for call in one.shared}
    return Totals(
        probes=len(asked),
        calls=len(shared) + sum(len(one.calls) - len(one.shared) for one in asked),
        generate=sum(one.probe == "generate" for one in asked),
        tokens=sum(one.tokens for one in asked),
    )
