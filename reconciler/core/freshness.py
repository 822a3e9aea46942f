"""Whether an earlier result still answers a question, and what is due: pure, so that what is asked again, and
paid for again, is a table of cases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from reconciler.core.address import Address
from reconciler.core.options import Selection
from reconciler.core.outcome import Outcome, Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import PROBE_LEVELS, ProbeLevel, ProviderKind

# A fingerprint without a key of its own: there is no secret in it.
NO_SECRET = "none"  # noqa: S105 - the word for having none
# What depends on the machine that asked: its variables, its allowed hosts, its patience.
_OF_ONE_MACHINE: frozenset[Outcome] = frozenset(
    {"secret_missing", "refused_reference", "refused_host", "skipped"}
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the last probe of a model left behind.

    Attributes:
        outcome: What it found.
        probe: The level that was asked for.
        checked_at: When.
        fingerprint: The fingerprint of the credentials it was asked with, where one could be made.
        digest: The digest of the question, see `Digests.question`.
        http_status: The status of the answer that decided.
        latency_ms: How long that took, in milliseconds.
        detail: What it said.
        provider_code: The provider's own error code.
        answered_by: The model that answered.
        retry_after: Seconds that the provider asked us to wait.
    """

    outcome: Outcome
    probe: ProbeLevel
    checked_at: datetime
    fingerprint: str | None = None
    digest: str | None = None
    http_status: int | None = None
    latency_ms: int | None = None
    detail: str = ""
    provider_code: str | None = None
    answered_by: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked, as far as an earlier answer has to agree with it.

    Attributes:
        digest: See `Digests.question`.
        fingerprint: The present credentials' fingerprint; `None` where there is none to be had.
        level: The probe's level.
    """

    digest: str
    fingerprint: str | None
    level: ProbeLevel


class Digests:
    """Digests of questions; a kind is much to read and the same for many models, so each is read once."""

    def __init__(self) -> None:
        self._kinds: dict[int, tuple[ProviderKind, str]] = {}

    def question(self, target: ProbeTarget) -> str:
        """What the answer depends on besides the credentials: one digest of what any probe depends on, one of
        what generating adds, with a dot between them.
        """
        asked = (
            self._kind(target.kind),
            target.base_url,
            target.address.model_id,
            target.mode,
        )
        sent = (target.parameters, target.template, sorted(target.capabilities))
        return f"{_digest(asked)}.{_digest(sent)}"

    def _kind(self, kind: ProviderKind) -> str:
        # The value is kept beside its digest, so that no other one can come to have its identity.
        if id(kind) not in self._kinds:
            self._kinds[id(kind)] = kind, _digest(kind)
        return self._kinds[id(kind)][1]


def _digest(value: Any) -> str:
    text = json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else str(value)


def is_enough(found: ProbeLevel, needed: ProbeLevel) -> bool:
    """Whether a probe of one level answers a question of another.

    >>> is_enough("generate", "model"), is_enough("reach", "model")
    (True, False)
    """
    return PROBE_LEVELS.index(found) >= PROBE_LEVELS.index(needed)


def is_same_question(known: Known, question: Question) -> bool:
    """Whether an earlier probe asked this, or more; whose credentials it used is not compared."""
    if known.digest is None or not is_enough(known.probe, question.level):
        return False
    if question.level == "generate":
        return known.digest == question.digest
    return known.digest.partition(".")[0] == question.digest.partition(".")[0]


def is_good(known: Known, question: Question, *, now: datetime, every: float) -> bool:
    """Whether an earlier success stands in for asking: the same question with the same credentials, younger
    than `every` seconds.
    """
    return (
        known.outcome == "ok"
        and question.fingerprint is not None
        and known.fingerprint == question.fingerprint
        and is_same_question(known, question)
        and now - known.checked_at < timedelta(seconds=every)
    )


def is_ours(known: Known, question: Question, *, since: datetime) -> bool:
    """Whether what somebody else found after `since`, when our run began, is what we would have found."""
    alike = (known.fingerprint is None) == (question.fingerprint is None)
    return (
        known.checked_at > since
        and known.outcome not in _OF_ONE_MACHINE
        and alike
        and not is_rotated(known.fingerprint, question.fingerprint)
        and is_same_question(known, question)
    )


def is_rotated(stored: str | None, present: str | None) -> bool:
    """Whether credentials are known to have changed; fingerprints of different keys say nothing.

    >>> is_rotated("k1:aa", "k1:bb"), is_rotated("k1:aa", "k2:bb"), is_rotated("k1:aa", None)
    (True, False, False)
    """
    if stored is None or present is None or stored == present:
        return False
    if NO_SECRET in {stored, present}:
        return True
    return stored.partition(":")[0] == present.partition(":")[0]


def may_reuse(selection: Selection | None, level: ProbeLevel) -> bool:
    """Whether an earlier success may stand in for a probe of a run.

    After an apply (no selection) and where models are merely due, always; never where a person names models
    or wants it fresh; for `--all` and `--failed` only where asking anew would cost something.
    """
    if selection is None:
        return True
    if selection.addresses or selection.fresh:
        return False
    return level == "generate" if selection.all or selection.failed else True


def earlier(address: Address, known: Known, *, note: str) -> Result:
    """An earlier result as this run's, with a note that says so."""
    return Result(
        address=address,
        outcome=known.outcome,
        probe=known.probe,
        http_status=known.http_status,
        latency_ms=known.latency_ms,
        detail=f"{known.detail} ({note})" if known.detail else note,
        provider_code=known.provider_code,
        retry_after=known.retry_after,
        answered_by=known.answered_by,
        cached=True,
    )


def since_when(known: Known) -> str:
    """The note of a result that still counts: `from 2026-01-01 12:03Z, still good`."""
    return f"from {known.checked_at.astimezone(UTC):%Y-%m-%d %H:%M}Z, still good"
