"""From rows to what is to be probed; a row that a hand has spoilt is one model's result, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reconciler import kinds
from reconciler.core.durations import seconds
from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import DEFAULT_PROBE, PROBE_LEVELS, ProbeLevel, ProviderKind
from reconciler.errors import UsageError
from reconciler.store.verification import Candidate


@dataclass(frozen=True, slots=True)
class VerificationSettings:
    """How a provider's models are verified; the defaults of the file format.

    Attributes:
        probe: The probe that counts; a cheaper one proves less and changes no status for the better.
        every: Seconds until a model is due again.
        timeout: Seconds that one probe may take.
        failure_threshold: Definitive failures in a row that make a model `failing`.
        deactivates: Whether a failing model is put on hold.
    """

    probe: ProbeLevel = DEFAULT_PROBE
    every: int = 3600
    timeout: int = 10
    failure_threshold: int = 3
    deactivates: bool = False


def settings_of(stored: Mapping[str, Any]) -> VerificationSettings:
    """Read a provider's settings; raise `ValueError` or `TypeError` where a hand has spoilt them.

    >>> settings_of({"every": "5m"}).every
    300
    """
    defaults = VerificationSettings()
    probe = stored.get("probe", defaults.probe)
    threshold = stored.get("failure_threshold", defaults.failure_threshold)
    if probe not in PROBE_LEVELS or not isinstance(threshold, int) or threshold < 1:
        raise ValueError("verification holds a word or a number that it cannot hold")
    return VerificationSettings(
        probe=probe,
        every=seconds(stored["every"]) if "every" in stored else defaults.every,
        timeout=seconds(stored["timeout"]) if "timeout" in stored else defaults.timeout,
        failure_threshold=threshold,
        deactivates=stored.get("on_failure") == "deactivate",
    )


def target_of(candidate: Candidate, level: ProbeLevel | None) -> ProbeTarget | Result:
    """What the prober needs to know of one model, or why that cannot be known."""
    try:
        return _target(candidate, level)
    except (ValueError, TypeError, AttributeError, UsageError) as error:
        detail = f"the provider's row cannot be read ({type(error).__name__}); apply its files again"
        return Result(candidate.address, "probe_invalid", level or DEFAULT_PROBE, detail=detail)


def _target(candidate: Candidate, level: ProbeLevel | None) -> ProbeTarget:
    kind = provider_kind(candidate)
    settings = settings_of(candidate.verification)
    return ProbeTarget(
        address=candidate.address,
        kind=kind,
        base_url=candidate.base_url or kind.base_url,
        credentials=_credentials(candidate.credentials, kind),
        mode=candidate.mode,
        level=level or settings.probe,
        timeout=settings.timeout,
        parameters=candidate.parameters,
    )


def provider_kind(candidate: Candidate) -> ProviderKind:
    """The kind of a model's provider; one of no protocol where nobody registered the provider."""
    if candidate.kind_spec is not None:
        return kinds.from_spec(candidate.kind, candidate.kind_spec)
    if candidate.kind not in kinds.names():
        return ProviderKind(name=candidate.kind or "unknown", protocol="", built_in=False)
    return kinds.built_in(candidate.kind)


def _credentials(stored: Any, kind: ProviderKind) -> dict[str, str] | Literal["none", "kind"]:
    if stored == "none" or (stored is None and kind.default_credentials == "none"):
        return "none"
    if not stored:
        return "kind"
    return {str(name): str(reference) for name, reference in stored.items()}
