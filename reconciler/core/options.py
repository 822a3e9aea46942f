"""What a caller asks of a plan or an apply, as values; no option changes what another means."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.address import Address
from reconciler.core.provider_kind import ProbeLevel


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to plan.

    Attributes:
        source: The name that entities are owned under.
        accept: Acknowledgements as they were given: `deactivate=41`, `provider=openai`, `empty`,
            `empty-file=NAME`, `protected=ADDRESS`, `moved-source`.
        adopt: Whether rows that nobody manages become ours.
        no_deactivate: Whether deactivations are left out and listed as deferred.
    """

    source: str = "default"
    accept: tuple[str, ...] = ()
    adopt: bool = False
    no_deactivate: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which models to verify: those named, or those due, failed or all; nothing set means those due."""

    addresses: tuple[Address, ...] = ()
    failed: bool = False
    all: bool = False
    probe: ProbeLevel | None = None
