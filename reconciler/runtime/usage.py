"""What programs asked of models, as the service tells it: sums an hour, of all programs together."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from reconciler.errors import UsageError
from reconciler.runtime import recorder
from reconciler.runtime.calls import Calls
from reconciler.store import usage

_HOUR = timedelta(hours=1)


class UsageResponse(BaseModel):
    """What was asked of one model in one hour, and ended in one way.

    Attributes:
        hour: When the hour began, in UTC.
        provider_name: The provider.
        model_id: The model, as its provider spells it.
        outcome: How the calls ended: `ok`, or what was wrong, in verification's words.
        calls: How many there were.
        input_tokens: What their requests cost, as far as the provider said so.
        output_tokens: What their answers cost, as far as the provider said so.
        latency_ms: How long they took together, in milliseconds.
        longest_ms: How long the longest took, in milliseconds.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> row = UsageResponse(hour=noon, provider_name="openai", model_id="gpt-4o", calls=4, latency_ms=2000)
    >>> row.average_ms
    500.0
    """

    model_config = ConfigDict(frozen=True)

    hour: datetime
    provider_name: str
    model_id: str
    outcome: str = "ok"
    calls: int
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    longest_ms: int = 0

    @property
    def average_ms(self) -> float:
        """How long a call took on average, in milliseconds."""
        return self.latency_ms / self.calls if self.calls else 0.0


class Usage(Calls):
    """The part of the service that tells what was asked of models."""

    def usage(
        self,
        provider: str | None = None,
        model_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[UsageResponse, ...]:
        """What all programs asked of models through `Generator` and `ProviderFactory`, by hour, provider,
        model and outcome. What this program has counted is written first; others write every ten seconds.

        Args:
            provider: Only of this provider's models.
            model_id: Only of models of this id.
            since: Only hours that reach beyond this time.
            until: Only hours that began before this time.

        Raises:
            UsageError: A time is none, or has no time zone (`bad-time`).
            StoreUnavailableError: PostgreSQL did not answer.

        >>> _ = generator.generate("openai", "gpt-4o", "Where are the maps?")
        >>> [(row.model_id, row.outcome, row.calls) for row in service.usage(provider="openai")]
        [('gpt-4o', 'ok', 1)]
        """
        _require_times(since, until)
        door = self._around.door
        recorder.flush_all(door.apart())
        with door.opened(reading=True) as connection:
            rows = usage.read(
                connection,
                provider=provider,
                model_id=model_id,
                since=None if since is None else _an_hour_before(since),
                until=until,
            )
        return tuple(UsageResponse(**row._asdict()) for row in rows)


def _require_times(*times: object) -> None:
    for time in times:
        if time is not None and (not isinstance(time, datetime) or time.tzinfo is None):
            raise UsageError(
                "A time is a datetime with its time zone.", code="bad-time", hint="datetime.now(UTC)"
            )


def _an_hour_before(time: datetime) -> datetime:
    """The hours that reach beyond a time began less than an hour before; there is none before the first."""
    first = datetime.min.replace(tzinfo=time.tzinfo)
    return max(time, first + _HOUR) - _HOUR
