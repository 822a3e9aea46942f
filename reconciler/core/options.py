"""What a caller asks of a plan or an apply, as values; no option changes what another means."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.outcome import Result
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
    """Which models to verify: those named, or those due, failed or all; nothing set means those due.

    Attributes:
        addresses: These models, in this order.
        failed: Those whose last outcome was not `ok`.
        all: Every model.
        probe: The level to ask at; `None` for what each provider's files say.
        fresh: Whether no earlier result may stand in for asking.
        budget: How many probes of this run may generate, at least 0; `None` for as many as the providers'
            daily budgets allow.
    """

    addresses: tuple[Address, ...] = ()
    failed: bool = False
    all: bool = False
    probe: ProbeLevel | None = None
    fresh: bool = False
    budget: int | None = None


class Examination(NamedTuple):
    """How the providers are asked about a plan before anything is written.

    Attributes:
        probe: The level to ask at.
        watched: Opens what is called with each result as it comes, and closes it when all have come.
    """

    probe: ProbeLevel
    watched: Callable[[], AbstractContextManager[Callable[[Result], None] | None]] = nullcontext
