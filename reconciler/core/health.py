"""How well models answered over a time: which outcomes count, and the figures of a window. Apart from status,
which is what verification says of a model now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, assert_never

from reconciler.core.durations import seconds
from reconciler.core.outcome import OUTCOMES, Outcome
from reconciler.errors import UsageError

Verdict = Literal["up", "down", "neither"]

# The windows that health is told for, the shortest first, by the names that they have everywhere.
WINDOWS: Mapping[str, timedelta] = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}


def verdict(outcome: Outcome) -> Verdict:
    """Whether an application that had asked at that moment would have been served.

    A rate limit counts as down: whoever asks with the same key then is turned away as the probe was, and a
    model that answers once among hundreds of refusals must not read as never failing. It is still transient:
    it changes no status. Neither way counts what says nothing of the model: a probe of our own making that
    was refused, and what was never asked for want of a secret or a permission on our side.

    >>> verdict("ok"), verdict("rate_limited"), verdict("secret_missing")
    ('up', 'down', 'neither')
    """
    match outcome:
        case "ok":
            return "up"
        case "auth_failed" | "forbidden" | "model_not_found" | "model_withdrawn" | "model_mismatch":
            return "down"
        case "quota_exhausted" | "rate_limited" | "overloaded":
            return "down"
        case "timeout" | "unreachable" | "wrong_region" | "bad_response":
            return "down"
        case "probe_invalid" | "unprobeable" | "skipped":
            return "neither"
        case "secret_missing" | "refused_host" | "refused_reference":
            return "neither"
        case _:
            assert_never(outcome)


UP: tuple[Outcome, ...] = tuple(outcome for outcome in OUTCOMES if verdict(outcome) == "up")
DOWN: tuple[Outcome, ...] = tuple(outcome for outcome in OUTCOMES if verdict(outcome) == "down")


@dataclass(frozen=True, slots=True)
class Health:
    """What the results of one window say.

    Results of every probe level count alike: one window may mix what a cheap probe proved with what a
    generated answer proved.

    Attributes:
        probes: Recorded results, whatever they were.
        up: Those that were good.
        down: Those that were bad; what is left of `probes` counts neither way.
        p50_ms: The median latency of the good ones, in milliseconds, a latency that was measured;
            `None` where none was.
        p95_ms: The same for the 95th percentile.
    """

    probes: int = 0
    up: int = 0
    down: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None

    @property
    def uptime(self) -> float | None:
        """The share of conclusive results that were good, 0 to 1; `None` where none was conclusive.

        >>> Health(probes=4, up=3, down=1).uptime, Health(probes=2).uptime
        (0.75, None)
        """
        conclusive = self.up + self.down
        return self.up / conclusive if conclusive else None

    @property
    def uptime_per_mille(self) -> int | None:
        """The same in whole thousandths, rounded down: one failure among any number never reads as none."""
        conclusive = self.up + self.down
        return self.up * 1000 // conclusive if conclusive else None


def kept_for(text: str) -> timedelta | None:
    """How long results are kept, from what the operator wrote; `None` where they are kept for ever.

    Raises:
        UsageError: It is no duration, nor `off` or `0`.

    >>> kept_for("90d"), kept_for("off")
    (datetime.timedelta(days=90), None)
    """
    if text.strip().lower() in {"0", "off"}:
        return None
    try:
        return timedelta(seconds=seconds(text.strip()))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "RECONCILER_RETENTION is no duration.",
            code="bad-duration",
            hint="write it like 90d or 36h, or off to keep every result",
        ) from error
