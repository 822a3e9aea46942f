"""What a run of verification needs besides the database, as one value: the composition root makes the real
one, a test a fake.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.service.verification import Meanwhile
from reconciler.store import claims
from reconciler.store.session import Connection

# Whoever died holds its models no longer than this, in seconds.
LEASE = 30.0
# How long one run waits for the results of others, in seconds.
DEADLINE = 600.0


class Ask(Protocol):
    """Asks the endpoints: one result for each target, in their order."""

    def __call__(
        self, targets: Sequence[ProbeTarget], meanwhile: Meanwhile | None = None
    ) -> Sequence[Result]:
        """Probe the targets; `meanwhile` is to be called again and again until that is done."""


def unknown(_target: ProbeTarget) -> None:
    """The fingerprint of whoever cannot make one: nothing earlier is taken for an answer."""


def nobody_hears(_line: str) -> None:
    """Where no story is told."""


@dataclass(frozen=True, slots=True)
class Prober:
    """How to probe.

    Attributes:
        ask: Asks the endpoints.
        fingerprint: A keyed digest of a target's present credentials; `None` where there is none to be had.
        say: Where the story goes.
        clock: The time; the database's, for processes on several machines agree on no other.
        pause: Waits so many seconds.
        lease: Seconds that a model is claimed for without being renewed, above 0.
        deadline: Seconds to wait for what other processes are probing, at least 0.
    """

    ask: Ask
    fingerprint: Callable[[ProbeTarget], str | None] = unknown
    say: Callable[[str], None] = nobody_hears
    clock: Callable[[Connection], datetime] = claims.clock
    pause: Callable[[float], None] = time.sleep
    lease: float = LEASE
    deadline: float = DEADLINE
