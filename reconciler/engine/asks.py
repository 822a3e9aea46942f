"""From models to what is to be asked about them: which ones a selection means, and for which an earlier
result still counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core import freshness
from reconciler.core.address import Address
from reconciler.core.freshness import Digests, Known, Question
from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.core.probe import ProbeTarget
from reconciler.engine.prober import Prober
from reconciler.engine.targets import VerificationSettings, settings_or_defaults, target_of
from reconciler.errors import UsageError
from reconciler.store.claims import Standing
from reconciler.store.verification import Candidate


@dataclass(frozen=True, slots=True)
class Ask:
    """One model that is to be verified.

    Attributes:
        candidate: The model.
        settings: How its provider's models are verified.
        target: What to probe, or its result where the row cannot be read.
        question: What an earlier answer would have to agree with; `None` where the row cannot be read.
    """

    candidate: Candidate
    settings: VerificationSettings
    target: ProbeTarget | Result
    question: Question | None

    @property
    def id(self) -> int:
        """The model's row."""
        return self.candidate.id

    @property
    def generates(self) -> bool:
        """Whether it costs something."""
        return self.question is not None and self.question.level == "generate"

    def standing(self, now: Standing) -> Ask:
        """The same as the model stands now."""
        return replace(self, candidate=self.candidate.standing(now))


class Fingerprints:
    """The present credentials' fingerprints, each provider's made once."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._made: dict[str, str | None] = {}

    def of(self, target: ProbeTarget) -> str | None:
        """The fingerprint of a target's credentials."""
        provider = target.address.provider
        if provider not in self._made:
            self._made[provider] = self._prober.fingerprint(target)
        return self._made[provider]

    def are_rotated(self, candidate: Candidate) -> bool:
        """Whether a model's credentials are others than those that it was probed with."""
        if candidate.known is None or candidate.known.fingerprint is None:
            return False
        provider = candidate.address.provider
        if provider not in self._made:
            target = target_of(candidate, None)
            self._made[provider] = None if isinstance(target, Result) else self._prober.fingerprint(target)
        return freshness.is_rotated(candidate.known.fingerprint, self._made[provider])


def selected(
    found: Sequence[Candidate], selection: Selection, fingerprints: Fingerprints
) -> tuple[Candidate, ...]:
    """The models that a selection means; those whose credentials were rotated are due.

    Raises:
        UsageError: It names a model that is not there or not active.
    """
    if selection.addresses:
        known = {candidate.address: candidate for candidate in found}
        for address in selection.addresses:
            if address not in known:
                raise UsageError(
                    f"{address} is not an active model of the registry.",
                    code="no-such-entity",
                    hint="`reconciler list` shows them",
                )
        return tuple(known[address] for address in dict.fromkeys(selection.addresses))
    if selection.all:
        return tuple(found)
    if selection.failed:
        return tuple(one for one in found if one.record.outcome not in {None, "ok"})
    return tuple(one for one in found if one.is_due or fingerprints.are_rotated(one))


def asks_of(
    found: Sequence[Candidate], selection: Selection | None, only: Collection[Address], prober: Prober
) -> tuple[Ask, ...]:
    """What is to be asked: of a selection's models, or else of `only` these."""
    fingerprints, digests = Fingerprints(prober), Digests()
    if selection is None:
        chosen = tuple(candidate for candidate in found if candidate.address in only)
    else:
        chosen = selected(found, selection, fingerprints)
    return tuple(_ask(candidate, selection, fingerprints, digests) for candidate in chosen)


def _ask(
    candidate: Candidate, selection: Selection | None, fingerprints: Fingerprints, digests: Digests
) -> Ask:
    target = target_of(candidate, selection.probe if selection else None)
    settings = settings_or_defaults(candidate.verification)
    if isinstance(target, Result):
        return Ask(candidate, settings, target, None)
    if target.level == "none":
        return Ask(candidate, settings, target, Question("", None, "none"))
    question = Question(digests.question(target), fingerprints.of(target), target.level)
    return Ask(candidate, settings, target, question)


def not_asked(
    asks: Iterable[Ask], found: Iterable[Candidate], selection: Selection | None, *, now: datetime
) -> dict[int, Result]:
    """The results that need no asking, by model: of probes that ask nothing, and of earlier successes that
    still count, be it another model's whose question is the same.
    """
    good = _successes(found)
    results = {}
    for ask in asks:
        if ask.question is None:
            continue
        if ask.question.level == "none":
            results[ask.id] = _nothing(ask)
        elif freshness.may_reuse(selection, ask.question.level) and (known := _earlier(ask, good, now)):
            note = freshness.since_when(known)
            results[ask.id] = freshness.earlier(ask.candidate.address, known, note=note)
    return results


def _nothing(ask: Ask) -> Result:
    return Result(ask.candidate.address, "skipped", "none", detail="this model's probe is 'none'")


def _successes(found: Iterable[Candidate]) -> dict[tuple[str, str], list[Known]]:
    """Earlier successes by whom they asked what with which credentials."""
    good: dict[tuple[str, str], list[Known]] = {}
    for candidate in found:
        known = candidate.known
        if known is not None and known.outcome == "ok" and known.digest and known.fingerprint:
            good.setdefault((known.digest.partition(".")[0], known.fingerprint), []).append(known)
    return good


def _earlier(ask: Ask, good: dict[tuple[str, str], list[Known]], now: datetime) -> Known | None:
    """The newest success that stands in for asking; what is not known to be well is asked itself."""
    question, candidate = ask.question, ask.candidate
    if question is None or question.fingerprint is None:
        return None
    if candidate.record.status != "verified" or candidate.hold is not None:
        return None
    known = good.get((question.digest.partition(".")[0], question.fingerprint), ())
    every = ask.settings.every
    fitting = (one for one in known if freshness.is_good(one, question, now=now, every=every))
    return max(fitting, key=lambda one: one.checked_at, default=None)


def alike(asks: Iterable[Ask]) -> dict[int, Ask]:
    """For each model, the one that is asked for it: models whose questions and credentials are the same are
    asked about once.
    """
    first: dict[tuple[str, str, str] | int, Ask] = {}
    return {ask.id: first.setdefault(_sameness(ask), ask) for ask in asks}


def _sameness(ask: Ask) -> tuple[str, str, str] | int:
    question = ask.question
    if question is None or question.fingerprint is None:
        return ask.id
    digest = question.digest if question.level == "generate" else question.digest.partition(".")[0]
    return (digest, question.fingerprint, question.level)
