"""How much a run of verification may ask at once, how fast and for how long: one value that many obey."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked at once, how fast, and for how long.

    Attributes:
        per_provider: Probes of one provider at the same time, at least 1.
        per_host: Probes of one host and port at the same time, whatever providers share it, at least 1.
        total: Probes at the same time, at least 1.
        rate: Requests a second to one provider, above 0.
        burst: Requests to one provider that may come at once before the rate counts, at least 1.
        deadline: Seconds for the whole run; what is not done by then is skipped.
        breaker_threshold: Silences of a provider in a row after which the rest of it is skipped, at least 1.
        longest_wait: Seconds that a provider may ask us to wait; where it asks for more, the rest of it is
            skipped.
        most_waits: Waits in a row, with no answer between them, after which the rest is skipped, at least 1.
    """

    per_provider: int = 8
    per_host: int = 16
    total: int = 128
    rate: float = 20.0
    burst: int = 20
    deadline: float = 600.0
    breaker_threshold: int = 3
    longest_wait: float = 20.0
    most_waits: int = 3
