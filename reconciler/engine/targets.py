"""From rows to what is to be probed; a row that a hand has spoilt is one model's result, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from reconciler import kinds
from reconciler.core.address import Address
from reconciler.core.durations import seconds
from reconciler.core.outcome import Result
from reconciler.core.plan_digest import canonical
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import DEFAULT_PROBE, PROBE_LEVELS, ProbeLevel, ProviderKind
from reconciler.core.state import Spec
from reconciler.errors import UsageError


@dataclass(frozen=True, slots=True)
class VerificationSettings:
    """How a provider's models are verified; the defaults of the file format.

    Attributes:
        probe: The probe that counts; a cheaper one proves less and changes no status for the better.
        every: Seconds until a model is due again.
        timeout: Seconds that one probe may take.
        failure_threshold: Definitive failures in a row that make a model `failing`.
        deactivates: Whether a failing model is put on hold.
        budget: How many probes of a source may generate on a day, for models of this provider.
    """

    probe: ProbeLevel = DEFAULT_PROBE
    every: int = 3600
    timeout: int = 10
    failure_threshold: int = 3
    deactivates: bool = False
    budget: int = 200


def settings_of(stored: Mapping[str, Any]) -> VerificationSettings:
    """Read a provider's settings; raise `ValueError` or `TypeError` where a hand has spoilt them.

    >>> settings_of({"every": "5m"}).every
    300
    """
    defaults = VerificationSettings()
    probe = stored.get("probe", defaults.probe)
    threshold = stored.get("failure_threshold", defaults.failure_threshold)
    budget = stored.get("budget", defaults.budget)
    if probe not in PROBE_LEVELS or not _is_count(threshold, least=1) or not _is_count(budget, least=0):
        raise ValueError("verification holds a word or a number that it cannot hold")
    return VerificationSettings(
        probe=probe,
        every=seconds(stored["every"]) if "every" in stored else defaults.every,
        timeout=seconds(stored["timeout"]) if "timeout" in stored else defaults.timeout,
        failure_threshold=threshold,
        deactivates=stored.get("on_failure") == "deactivate",
        budget=budget,
    )


def _is_count(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def settings_or_defaults(stored: Mapping[str, Any]) -> VerificationSettings:
    """The same, with the defaults where a hand has spoilt them."""
    try:
        return settings_of(stored)
    except (ValueError, TypeError, AttributeError):
        return VerificationSettings()


class Probable(Protocol):
    """One model with everything that a probe needs to know: a row of the registry, or what files describe."""

    @property
    def address(self) -> Address:
        """The model."""

    @property
    def kind(self) -> str:
        """Its provider's kind, empty where nobody registered the provider."""

    @property
    def kind_spec(self) -> Spec | None:
        """The kind's data where it is a user's own."""

    @property
    def base_url(self) -> str | None:
        """The provider's endpoint; `None` for the kind's."""

    @property
    def credentials(self) -> Any:
        """The provider's references, `none`, or `None` for the kind's."""

    @property
    def verification(self) -> Mapping[str, Any]:
        """The provider's settings for verification."""

    @property
    def mode(self) -> str:
        """What the model is for."""

    @property
    def parameters(self) -> Spec:
        """Its parameter set."""

    @property
    def template(self) -> Spec | None:
        """Its prompt template, if it has one."""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it is said to be able to do."""


def target_of(candidate: Probable, level: ProbeLevel | None) -> ProbeTarget | Result:
    """What the prober needs to know of one model, or why that cannot be known."""
    try:
        return _target(candidate, level)
    except (ValueError, TypeError, AttributeError, UsageError) as error:
        detail = f"the provider's row cannot be read ({type(error).__name__}); apply its files again"
        return Result(candidate.address, "probe_invalid", level or DEFAULT_PROBE, detail=detail)


def _target(candidate: Probable, level: ProbeLevel | None) -> ProbeTarget:
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
        template=candidate.template,
        capabilities=candidate.capabilities,
    )


def provider_kind(candidate: Probable) -> ProviderKind:
    """The kind of a model's provider; one of no protocol where nobody registered the provider."""
    if candidate.kind_spec is not None:
        return _users_kind(candidate.kind, canonical(candidate.kind_spec))
    if candidate.kind not in kinds.names():
        return ProviderKind(name=candidate.kind or "unknown", protocol="", built_in=False)
    return kinds.built_in(candidate.kind)


def _credentials(stored: Any, kind: ProviderKind) -> dict[str, str] | Literal["none", "kind"]:
    if stored == "none" or (stored is None and kind.default_credentials == "none"):
        return "none"
    if not stored:
        return "kind"
    return {str(name): str(reference) for name, reference in stored.items()}


@lru_cache(maxsize=64)
def _users_kind(name: str, spec: bytes) -> ProviderKind:
    """One value for all models of a kind: a registry may have thousands of them."""
    return kinds.from_spec(name, json.loads(spec))
